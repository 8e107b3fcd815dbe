#pragma once
// InverseAsking knows which agents are planned to go and who was asked to leave them.
//
// A framework that holds something on such an agent is asked once; again after it answered and the
// time it asked for has passed, or when the plan changed.
//
// Pure. Agents and frameworks are the allocator's indices.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/time.h"

namespace tepui {

class InverseAsking {
 public:
  // A new plan: all are asked anew.
  void plan(uint32_t agent);
  void unplan(uint32_t agent);
  bool is_planned(uint32_t agent) const { return planned_.contains(agent); }

  // Who holds something there, or may be asked, changed.
  void touch(uint32_t agent);
  void touch_all();

  // Without `until`: at once.
  void answer(uint32_t agent, uint32_t framework, std::optional<Instant> until);
  // Nothing is outstanding with the framework, and it refuses nothing.
  void forget(uint32_t framework);
  // It refuses nothing any more.
  void clear_refusals(uint32_t framework);
  void expire(Instant now);
  Instant next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }

  bool any_due() const { return !due_.empty(); }
  // The agents to look at.
  std::vector<uint32_t> take_due();
  // True if the framework is to be asked now; then it was.
  bool ask(uint32_t agent, uint32_t framework);

 private:
  struct Asked {
    bool outstanding = false;
    Instant refused_until{};  // the deadline, if not outstanding
  };
  // When, agent, framework.
  using Deadline = std::pair<Instant, std::pair<uint32_t, uint32_t>>;

  void drop(uint32_t agent, uint32_t framework, const Asked& asked);

  std::map<uint32_t, std::map<uint32_t, Asked>> planned_;
  std::set<uint32_t> due_;
  std::set<Deadline> deadlines_;
};

}  // namespace tepui
