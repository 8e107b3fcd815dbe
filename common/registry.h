#pragma once
// Registry is what a master must remember beyond its own life: the name of the cluster, the agents
// that were admitted, and those that are unreachable or gone. All else comes back from agents and
// frameworks.
//
//   cluster            the name of the cluster
//   agents/<id>        AgentInfo of an admitted agent
//   unreachable/<id>   since when it has not answered
//   gone/<id>          since when it is gone for good, and whether an operator said so
//   quota/<role>       what the role is guaranteed and may have at most
//   weights/<role>     its weight, in thousandths
//   maintenance/<host> when the machine will be out of service
//   drain/<id>         that an operator deactivated or drains the agent
//
// Every change answers the writes that make it durable, one key per agent, so that what is written
// is what changed. Nothing may be told to a peer before these are durable.
//
// Invariant: an agent is in at most one of the three lists; one that is gone has no standing.
//
// Pure.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/frameworks.h"
#include "common/ids.h"
#include "common/quota.h"
#include "common/registry_values.h"
#include "common/result.h"
#include "common/store.h"
#include "common/time.h"

namespace tepui {

class Registry {
 public:
  // Refuses what it does not understand, and names the key.
  static Result<Registry> load(const StoreContents& contents);

  const std::string& cluster() const { return cluster_; }  // empty: not named yet
  const std::map<AgentId, AgentInfo>& agents() const { return agents_; }
  // The master forgets the oldest (remove) beyond limits::kUnreachableMax.
  const std::map<AgentId, WallTime>& unreachable() const { return unreachable_; }
  const std::map<AgentId, Departed>& gone() const { return gone_; }
  const std::map<std::string, Quota>& quotas() const { return quotas_; }
  const std::map<std::string, int64_t>& weights() const { return weights_; }
  const std::map<std::string, Machine>& machines() const { return machines_; }  // by hostname
  const std::map<AgentId, Standing>& standings() const { return standings_; }
  Standing standing_of(const AgentId& id) const;

  // The name is given once.
  std::vector<StoreWrite> set_cluster(std::string cluster);
  // A new agent, one that comes back, or one whose info changed. Not one that is gone.
  std::vector<StoreWrite> admit(const AgentInfo& info);
  std::vector<StoreWrite> mark_unreachable(const AgentId& id, WallTime when);
  // Forgets the agent wherever it is listed.
  std::vector<StoreWrite> remove(const AgentId& id);
  // The agent may never come back. Beyond limits::kGoneMax the oldest is forgotten.
  std::vector<StoreWrite> set_gone(const AgentId& id, const Departed& departed);
  // The default quota, no machine and the default standing take the entry away.
  std::vector<StoreWrite> set_quota(const std::string& role, const Quota& quota);
  std::vector<StoreWrite> set_weight(const std::string& role, int64_t weight_milli);
  std::vector<StoreWrite> set_machine(const std::string& hostname,
                                      const std::optional<Machine>& machine);
  std::vector<StoreWrite> set_standing(const AgentId& id, const Standing& standing);

 private:
  Result<void> load_entry(std::string_view key, std::string_view value);
  Result<void> load_command(std::string_view key, std::string_view value);
  Result<AgentId> claim(std::string_view id) const;

  std::string cluster_;
  std::map<AgentId, AgentInfo> agents_;
  std::map<AgentId, WallTime> unreachable_;
  std::map<AgentId, Departed> gone_;
  std::map<std::string, Quota> quotas_;
  std::map<std::string, int64_t> weights_;
  std::map<std::string, Machine> machines_;
  std::map<AgentId, Standing> standings_;
};

}  // namespace tepui
