#include "master/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "master/registry_wire.h"

namespace tepui {

namespace {

constexpr std::string_view kClusterKey = "cluster";
constexpr std::string_view kAgents = "agents/";
constexpr std::string_view kUnreachable = "unreachable/";
constexpr std::string_view kGone = "gone/";

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
    unreachable_.emplace(id, TRY(decode_departed(value)));
    return {};
  }
  if (key.starts_with(kGone)) {
    const AgentId id = TRY(claim(key.substr(kGone.size())));
    gone_.emplace(id, TRY(decode_departed(value)));
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
  writes.push_back(put(kUnreachable, id, encode_departed(when)));
  return writes;
}

std::vector<StoreWrite> Registry::remove(const AgentId& id) {
  std::vector<StoreWrite> writes;
  take_off(agents_, kAgents, id, writes);
  take_off(unreachable_, kUnreachable, id, writes);
  take_off(gone_, kGone, id, writes);
  return writes;
}

std::vector<StoreWrite> Registry::set_gone(const AgentId& id, WallTime when) {
  std::vector<StoreWrite> writes;
  take_off(agents_, kAgents, id, writes);
  take_off(unreachable_, kUnreachable, id, writes);
  gone_.insert_or_assign(id, when);
  writes.push_back(put(kGone, id, encode_departed(when)));
  if (gone_.size() > limits::kGoneMax) {
    const auto oldest =
        std::min_element(gone_.begin(), gone_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    const AgentId forgotten = oldest->first;
    take_off(gone_, kGone, forgotten, writes);
  }
  return writes;
}

}  // namespace tepui
