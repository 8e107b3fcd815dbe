#pragma once
// OfferFilters remembers what frameworks refused: a framework's role is not offered a subset of
// what it refused on an agent, until the filter expires.
//
// A filter acts on at least one round: if it expires before one was run, it stays until the end of
// the next. A filter never blocks an offer that holds more than was refused.
//
// Pure. Agents, frameworks and roles are the allocator's indices.

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/resources.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

class OfferFilters {
 public:
  struct Client {
    uint32_t framework;
    uint32_t role;
    auto operator<=>(const Client&) const = default;
  };

  // `round`: the last one begun. It does not see this filter from its start.
  void add(uint32_t agent, Client client, const Resources& refused, Instant until, uint64_t round);
  bool any(uint32_t agent) const {
    return size_ > 0 && agent < by_agent_.size() && !by_agent_[agent].empty();
  }
  bool refuses(uint32_t agent, Client client, const Resources& offer) const;

  void remove_agent(uint32_t agent);
  // False if there was none.
  bool remove_client(Client client);

  // Drops what is due and was seen by a round; `done` is the last round that ended. The agents
  // that may be offered again are appended, more than once if several filters ended.
  void expire(Instant now, uint64_t done, std::vector<uint32_t>& agents);
  // kNever if nothing becomes due. What is overdue waits for a round, not for time.
  Instant next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }
  bool any_overdue() const { return !overdue_.empty(); }
  size_t size() const { return size_; }
  std::map<uint32_t, uint32_t> count_by_role() const;

  Result<void> audit() const;

 private:
  struct Filter {
    uint32_t agent = 0;
    Client client{};
    Resources refused;
    Instant until{};
    uint64_t round = 0;
    uint32_t place = 0;  // in by_client_
    bool overdue = false;
  };
  struct Reference {
    Client client;
    uint32_t slot;
  };

  void remove(uint32_t slot);

  std::vector<Filter> slots_;
  std::vector<uint32_t> free_;
  std::vector<std::vector<Reference>> by_agent_;  // sorted by client
  std::map<Client, std::vector<uint32_t>> by_client_;
  std::set<std::pair<Instant, uint32_t>> deadlines_;  // of those not overdue
  std::set<uint32_t> overdue_;
  size_t size_ = 0;
};

}  // namespace tepui
