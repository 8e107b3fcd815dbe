#pragma once
// World is the virtual machine room: one clock, one queue of events, one seeded source of
// randomness, and a running hash over everything that happened.
//
// Invariant: events run in the order of (time, insertion number), so the same seed gives the same
// run on every machine; the hash proves it.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/rng.h"
#include "common/time.h"

namespace tepui::sim {

// What a checker has to say when a promise is broken.
struct Violation {
  std::string checker;
  std::string what;
};

enum class Tracing : uint8_t { kOff, kLast, kAll };

class World {
 public:
  World(uint64_t seed, Tracing tracing);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Now now() const;
  Rng& rng() { return rng_; }
  uint64_t seed() const { return seed_; }

  void after(Duration delay, std::function<void()> action);
  // Runs the next event; false if there is none.
  bool step();
  uint64_t steps() const { return steps_; }
  void jump_wall(Duration by) { wall_offset_ += by; }
  // From zero to the bound, both included.
  Duration up_to(Duration bound) { return Duration(rng_.between(0, bound.count())); }

  // ---- the hash of the run
  void note(uint64_t number);
  void note(std::string_view text);
  uint64_t hash() const { return hash_; }

  // ---- what people read when a run fails. Formatting is for the caller to avoid when off.
  bool tracing() const { return tracing_ != Tracing::kOff; }
  void trace(std::string line);
  std::vector<std::string> last_lines() const;

  // ---- checkers. The first violation ends the run.
  void violated(std::string_view checker, std::string what);
  const std::optional<Violation>& violation() const { return violation_; }
  // Proof that a rare path was reached by some run.
  void reached(std::string_view what);
  const std::map<std::string, uint64_t, std::less<>>& counters() const { return reached_; }

 private:
  struct Entry {
    Instant when;
    uint64_t number = 0;
    std::function<void()> action;
  };
  static bool is_later(const Entry& a, const Entry& b);

  const uint64_t seed_;
  Instant mono_;
  Duration wall_offset_;
  Rng rng_;
  std::vector<Entry> queue_;  // a heap, the next event first
  uint64_t inserted_ = 0;
  uint64_t steps_ = 0;
  uint64_t hash_ = 0;
  const Tracing tracing_;
  std::vector<std::string> lines_;  // a ring
  size_t lines_written_ = 0;
  std::optional<Violation> violation_;
  std::map<std::string, uint64_t, std::less<>> reached_;
};

}  // namespace tepui::sim
