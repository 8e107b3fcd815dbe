#pragma once
// STAND-IN until the registry of helper A lands.
#include <map>
#include <string>
#include <vector>

#include "common/frameworks.h"
#include "common/store.h"

namespace tepui {
class Registry {
 public:
  static Result<Registry> load(const StoreContents& contents);
  const std::string& cluster() const { return cluster_; }
  const std::map<AgentId, AgentInfo>& agents() const { return agents_; }
  const std::map<AgentId, WallTime>& unreachable() const { return unreachable_; }
  std::vector<StoreWrite> set_cluster(std::string cluster);
  std::vector<StoreWrite> admit(const AgentInfo& info);
  std::vector<StoreWrite> mark_unreachable(const AgentId& id, WallTime when);
  std::vector<StoreWrite> remove(const AgentId& id);
  std::vector<StoreWrite> set_gone(const AgentId& id, WallTime when);
  const std::map<AgentId, WallTime>& gone() const { return gone_; }

 private:
  std::string cluster_;
  std::map<AgentId, AgentInfo> agents_;
  std::map<AgentId, WallTime> unreachable_;
  std::map<AgentId, WallTime> gone_;
};
}  // namespace tepui
