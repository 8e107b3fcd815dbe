#pragma once
// Deadlines orders everything the master waits for: whose time comes first, comes out first, and
// equal times in the order of kind and object, so that runs repeat exactly.
//
// Pure. Each waiting object remembers its own time, with which it is cancelled.

#include <compare>
#include <cstdint>
#include <set>

#include "common/ids.h"
#include "common/time.h"

namespace tepui::master {

struct Deadline {
  enum class Kind : uint8_t {
    kPing,       // object: an agent; the next ping is due
    kFailover,   // object: a framework that did not come back
    kHeartbeat,  // object: a framework
    kOffer,      // object: an offer that nobody answered
    kRecovery,   // the agents of the registry had time enough to come back
  };
  Instant when{};
  Kind kind = Kind::kPing;
  uint64_t object = 0;

  auto operator<=>(const Deadline&) const = default;
};

template <class Tag>
constexpr uint64_t pack(Handle<Tag> handle) {
  return (uint64_t{handle.generation} << 32) | handle.index;
}
template <class H>
constexpr H unpack(uint64_t packed) {
  return H{.index = static_cast<uint32_t>(packed),
           .generation = static_cast<uint32_t>(packed >> 32)};
}

class Deadlines {
 public:
  // `when`, the object's own memory of its deadline, is replaced; kNever: none.
  void set(Instant& when, Instant next, Deadline::Kind kind, uint64_t object) {
    if (when != kNever) pending_.erase({.when = when, .kind = kind, .object = object});
    when = next;
    if (when != kNever) pending_.insert({.when = when, .kind = kind, .object = object});
  }
  Instant first() const { return pending_.empty() ? kNever : pending_.begin()->when; }
  Deadline pop() { return pending_.extract(pending_.begin()).value(); }
  void clear() { pending_.clear(); }

 private:
  std::set<Deadline> pending_;
};

}  // namespace tepui::master
