#include "common/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "common/registry_wire.h"
#include "common/roles.h"

namespace tepui {

namespace {

constexpr std::string_view kClusterKey = "cluster";
constexpr std::string_view kAgents = "agents/";
constexpr std::string_view kUnreachable = "unreachable/";
constexpr std::string_view kGone = "gone/";
constexpr std::string_view kQuotas = "quota/";
constexpr std::string_view kWeights = "weights/";
constexpr std::string_view kMachines = "maintenance/";
constexpr std::string_view kStandings = "drain/";

std::string key_of(std::string_view list, const AgentId& id) {
  std::string key(list);
  return key += id.value;
}

StoreWrite put(std::string_view list, const AgentId& id, std::string value) {
  return {.key = key_of(list, id), .value = std::move(value)};
}

// Takes the agent off a list; the write only if it was there.
template <class List>
void take_off(List& entries, std::string_view list, const AgentId& id,
              std::vector<StoreWrite>& writes) {
  if (entries.erase(id) > 0) writes.push_back({.key = key_of(list, id), .value = std::nullopt});
}

}  // namespace

Result<Registry> Registry::load(const StoreContents& contents) {
  Registry registry;
  for (const auto& [key, value] : contents) {
    if (Result<void> loaded = registry.load_entry(key, value); !loaded) {
      return std::unexpected(std::move(loaded).error().in(fmt::format("registry entry '{}'", key)));
    }
  }
  if (registry.cluster_.empty() && !contents.empty()) {
    return fail(
        fmt::format("registry has {} entries and no entry '{}'", contents.size(), kClusterKey));
  }
  return registry;
}

Result<void> Registry::load_entry(std::string_view key, std::string_view value) {
  if (key == kClusterKey) {
    cluster_ = TRY(decode_cluster(value));
    return validate_id(cluster_, "cluster name");
  }
  if (key.starts_with(kAgents)) {
    const AgentId id = TRY(claim(key.substr(kAgents.size())));
    AgentInfo info = TRY(decode_agent(value));
    if (info.id != id) return fail(fmt::format("holds the agent '{}'", info.id.value));
    TRY(validate(info));
    agents_.emplace(id, std::move(info));
    return {};
  }
  if (key.starts_with(kUnreachable)) {
    const AgentId id = TRY(claim(key.substr(kUnreachable.size())));
    unreachable_.emplace(id, TRY(decode_departed(value)).since);
    return {};
  }
  if (key.starts_with(kGone)) {
    const AgentId id = TRY(claim(key.substr(kGone.size())));
    gone_.emplace(id, TRY(decode_departed(value)));
    return {};
  }
  return load_command(key, value);
}

// What operators have commanded.
Result<void> Registry::load_command(std::string_view key, std::string_view value) {
  if (key.starts_with(kQuotas)) {
    const std::string role(key.substr(kQuotas.size()));
    TRY(validate_role(role));
    Quota quota = TRY(decode_quota(value));
    TRY(validate(quota));
    quotas_.emplace(role, std::move(quota));
    return {};
  }
  if (key.starts_with(kWeights)) {
    const std::string role(key.substr(kWeights.size()));
    TRY(validate_role(role));
    const int64_t weight_milli = TRY(decode_weight(value));
    if (weight_milli <= 0 || weight_milli > limits::kWeightMilliMax) {
      return fail(fmt::format("holds the weight {}", milli_to_text(weight_milli)));
    }
    weights_.emplace(role, weight_milli);
    return {};
  }
  if (key.starts_with(kMachines)) {
    machines_.emplace(key.substr(kMachines.size()), TRY(decode_machine(value)));
    return {};
  }
  if (key.starts_with(kStandings)) {
    const std::string_view id = key.substr(kStandings.size());
    TRY(validate_id(id, "agent id"));
    standings_.emplace(AgentId{std::string(id)}, TRY(decode_standing(value)));
    return {};
  }
  return fail("no such key is known to this program");
}

// The id, if no list has it yet.
Result<AgentId> Registry::claim(std::string_view id) const {
  TRY(validate_id(id, "agent id"));
  AgentId agent{std::string(id)};
  if (agents_.contains(agent) || unreachable_.contains(agent) || gone_.contains(agent)) {
    return fail("the agent is in another list too");
  }
  return agent;
}

std::vector<StoreWrite> Registry::set_cluster(std::string cluster) {
  CHECK(cluster_.empty());
  CHECK(!cluster.empty());
  cluster_ = std::move(cluster);
  return {{.key = std::string(kClusterKey), .value = encode_cluster(cluster_)}};
}

std::vector<StoreWrite> Registry::admit(const AgentInfo& info) {
  CHECK(!info.id.empty());
  CHECK(!gone_.contains(info.id));
  std::vector<StoreWrite> writes;
  take_off(unreachable_, kUnreachable, info.id, writes);
  const auto [known, is_new] = agents_.try_emplace(info.id, info);
  if (!is_new) {
    // After a failover all agents come back, nearly all as they were.
    if (known->second == info) return writes;
    known->second = info;
  }
  writes.push_back(put(kAgents, info.id, encode_agent(info)));
  return writes;
}

std::vector<StoreWrite> Registry::mark_unreachable(const AgentId& id, WallTime when) {
  CHECK(!gone_.contains(id));
  std::vector<StoreWrite> writes;
  take_off(agents_, kAgents, id, writes);
  unreachable_.insert_or_assign(id, when);
  writes.push_back(put(kUnreachable, id, encode_departed({.since = when})));
  return writes;
}

std::vector<StoreWrite> Registry::remove(const AgentId& id) {
  std::vector<StoreWrite> writes;
  take_off(agents_, kAgents, id, writes);
  take_off(unreachable_, kUnreachable, id, writes);
  take_off(gone_, kGone, id, writes);
  take_off(standings_, kStandings, id, writes);
  return writes;
}

std::vector<StoreWrite> Registry::set_gone(const AgentId& id, const Departed& departed) {
  std::vector<StoreWrite> writes;
  take_off(agents_, kAgents, id, writes);
  take_off(unreachable_, kUnreachable, id, writes);
  take_off(standings_, kStandings, id, writes);
  gone_.insert_or_assign(id, departed);
  writes.push_back(put(kGone, id, encode_departed(departed)));
  if (gone_.size() > limits::kGoneMax) {
    const auto oldest = std::min_element(
        gone_.begin(), gone_.end(),
        [](const auto& a, const auto& b) { return a.second.since < b.second.since; });
    const AgentId forgotten = oldest->first;
    take_off(gone_, kGone, forgotten, writes);
  }
  return writes;
}

Standing Registry::standing_of(const AgentId& id) const {
  const auto found = standings_.find(id);
  return found == standings_.end() ? Standing{} : found->second;
}

std::vector<StoreWrite> Registry::set_quota(const std::string& role, const Quota& quota) {
  StoreWrite write{.key = std::string(kQuotas) + role, .value = std::nullopt};
  if (quota.is_default()) {
    quotas_.erase(role);
  } else {
    quotas_.insert_or_assign(role, quota);
    write.value = encode_quota(quota);
  }
  return {std::move(write)};
}

std::vector<StoreWrite> Registry::set_weight(const std::string& role, int64_t weight_milli) {
  CHECK(weight_milli > 0);
  // Also 1, the default: so that a flag does not bring another weight back.
  weights_.insert_or_assign(role, weight_milli);
  return {{.key = std::string(kWeights) + role, .value = encode_weight(weight_milli)}};
}

std::vector<StoreWrite> Registry::set_machine(const std::string& hostname,
                                              const std::optional<Machine>& machine) {
  StoreWrite write{.key = std::string(kMachines) + hostname, .value = std::nullopt};
  if (machine) {
    machines_.insert_or_assign(hostname, *machine);
    write.value = encode_machine(*machine);
  } else {
    machines_.erase(hostname);
  }
  return {std::move(write)};
}

std::vector<StoreWrite> Registry::set_standing(const AgentId& id, const Standing& standing) {
  StoreWrite write{.key = key_of(kStandings, id), .value = std::nullopt};
  if (standing == Standing{}) {
    standings_.erase(id);
  } else {
    CHECK(!gone_.contains(id));
    standings_.insert_or_assign(id, standing);
    write.value = encode_standing(standing);
  }
  return {std::move(write)};
}

}  // namespace tepui
