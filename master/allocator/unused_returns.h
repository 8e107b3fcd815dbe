#pragma once
// UnusedReturns keeps frameworks from being offered for ever what they only give back. By share
// alone a framework that has all it wants, and neither suppresses nor declines, is first in every
// round, and those after it never see the agent.
//
// Who gives back what it was offered on an agent so many times in a row, without a filter, has had
// its turns there: from then on a return counts as a refusal, for the default time and twice as
// long after each further one, up to kLongest. In a row: it took nothing of it, and no more became
// free there. It ends as filters do: when more is free, by REVIVE, when the framework or the agent
// goes.
//
// Invariant: at most `room` pairs of client and agent are counted. While there is no room, a pair
// that is new takes the place of the one that returned nothing for longest, if that is longer than
// kKept ago (no refusal lasts so long, so it takes what it is offered, or is offered nothing). Else
// the new one is not counted, and its returns are free: those that are counted give way all the
// same.
//
// Pure. Agents, frameworks and roles are the allocator's indices.

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>

#include "common/limits.h"
#include "common/resources.h"
#include "common/time.h"

namespace tepui {

class UnusedReturns {
 public:
  // What a master is run with.
  static constexpr uint32_t kUsualMax = 4;
  static constexpr Duration kFirst = limits::kFilterDefault;
  static constexpr Duration kLongest = std::chrono::minutes(5);
  static constexpr Duration kKept = limits::kUnusedReturnsKept;
  static_assert(kKept >= 2 * kLongest);
  using Client = std::pair<uint32_t, uint32_t>;  // framework, role

  // `max`: so many returns are not refusals; 0: none ever is.
  explicit UnusedReturns(uint32_t max, size_t room = limits::kUnusedReturnsMax)
      : max_(max), room_(room) {}

  // `kept`: what the client has on the agent after that. Answers for how long it is to be taken for
  // a refusal.
  Duration on_returned(Instant now, Client client, uint32_t agent, const Resources& returned,
                       const Resources& kept);
  void remove_client(Client client);
  void remove_agent(uint32_t agent);
  size_t size() const { return by_age_.size(); }

 private:
  struct Seen {
    Resources returned;
    Resources kept;
    uint32_t times = 0;
    Instant at{};         // of the last return
    uint64_t serial = 0;  // in by_age_
  };
  struct Pair {
    Client client;
    uint32_t agent = 0;
  };

  // Null: there is no room for it.
  Seen* find_or_add(Instant now, Client client, uint32_t agent);
  void remove(const Pair& pair);

  const uint32_t max_;
  const size_t room_;
  uint64_t last_serial_ = 0;
  std::map<Client, std::map<uint32_t, Seen>> seen_;
  std::map<uint64_t, Pair> by_age_;  // the one that returned nothing for longest first
};

}  // namespace tepui
