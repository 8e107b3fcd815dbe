#include "tests/sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "common/check.h"

namespace tepui::sim {

namespace {
constexpr size_t kLinesKept = 400;
constexpr Duration kBootAge = std::chrono::hours(1);
constexpr Duration kWallAtBoot = std::chrono::seconds(1'700'000'000);
}  // namespace

World::World(uint64_t seed, Tracing tracing)
    : seed_(seed),
      mono_(kBootAge),
      wall_offset_(kWallAtBoot),
      rng_(seed),
      hash_(seed),
      tracing_(tracing) {}

Now World::now() const {
  return {.mono = mono_, .wall = WallTime(mono_.time_since_epoch() + wall_offset_)};
}

bool World::is_later(const Entry& a, const Entry& b) {
  return a.when != b.when ? a.when > b.when : a.number > b.number;
}

void World::after(Duration delay, std::function<void()> action) {
  CHECK(delay >= Duration{});
  queue_.push_back({later(mono_, delay), ++inserted_, std::move(action)});
  std::ranges::push_heap(queue_, is_later);
}

bool World::step() {
  if (queue_.empty()) return false;
  std::ranges::pop_heap(queue_, is_later);
  Entry next = std::move(queue_.back());
  queue_.pop_back();
  CHECK(next.when >= mono_);
  mono_ = next.when;
  ++steps_;
  note(static_cast<uint64_t>(to_ns(mono_)));
  note(next.number);
  next.action();
  return true;
}

void World::note(uint64_t number) {
  uint64_t state = hash_ ^ number;
  hash_ = split_mix64(state);
}

void World::note(std::string_view text) {
  uint64_t word = text.size();
  for (const char c : text) word = word * 0x100000001b3ULL + static_cast<unsigned char>(c);
  note(word);
}

void World::trace(std::string line) {
  if (tracing_ == Tracing::kOff) return;
  const Duration since_start = mono_.time_since_epoch() - kBootAge;
  line = fmt::format("{:12.6f} {}", to_secs(since_start), line);
  if (tracing_ == Tracing::kAll) std::fprintf(stderr, "%s\n", line.c_str());
  if (lines_.size() < kLinesKept) {
    lines_.push_back(std::move(line));
  } else {
    lines_[lines_written_ % kLinesKept] = std::move(line);
  }
  ++lines_written_;
}

std::vector<std::string> World::last_lines() const {
  std::vector<std::string> ordered = lines_;
  if (lines_written_ > lines_.size()) {
    std::ranges::rotate(ordered,
                        ordered.begin() + static_cast<ptrdiff_t>(lines_written_ % kLinesKept));
  }
  return ordered;
}

void World::violated(std::string_view checker, std::string what) {
  if (violation_) return;
  if (tracing()) trace(fmt::format("VIOLATION {}: {}", checker, what));
  violation_ = {.checker = std::string(checker), .what = std::move(what)};
}

void World::reached(std::string_view what) {
  const auto at = reached_.find(what);
  if (at != reached_.end()) {
    ++at->second;
  } else {
    reached_.emplace(what, 1);
  }
}

}  // namespace tepui::sim
