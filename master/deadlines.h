#pragma once
// Deadlines: everything the master waits for by time. Each waiting object keeps the id of its
// timer, with which it is armed again or cancelled.
//
// Pure.

#include <cstdint>

#include "common/ids.h"
#include "common/timers.h"

namespace tepui::master {

struct Due {
  enum class Kind : uint8_t {
    kPing,       // object: an agent; the next ping is due
    kFailover,   // object: a framework that did not come back
    kHeartbeat,  // object: a framework
    kOffer,      // object: an offer that nobody answered
    kWindow,     // a window of the maintenance schedule may begin
    kRecovery,   // the agents of the registry had time enough to come back
    kRemoval,    // the next of the agents that nothing is heard of may be given up
  };
  Kind kind = Kind::kPing;
  uint64_t object = 0;
};
using Deadlines = Timers<Due>;

// Handles as the object of a deadline, and back.
template <class Tag>
constexpr uint64_t pack(Handle<Tag> handle) {
  return (uint64_t{handle.generation} << 32) | handle.index;
}
template <class H>
constexpr H unpack(uint64_t packed) {
  return H{.index = static_cast<uint32_t>(packed),
           .generation = static_cast<uint32_t>(packed >> 32)};
}

}  // namespace tepui::master
