#include "master/registry.h"
#include <utility>

namespace tepui {
Result<Registry> Registry::load(const StoreContents& contents) {
  Registry r;
  for (const auto& [key, value] : contents) {
    if (key == "cluster") r.cluster_ = value;
    if (key.starts_with("agents/")) {
      AgentInfo info;
      info.id.value = key.substr(7);
      const size_t a = value.find('\n');
      const size_t b = value.find('\n', a + 1);
      info.hostname = value.substr(0, a);
      info.address = value.substr(a + 1, b - a - 1);
      info.resources = TRY(Resources::parse(value.substr(b + 1)));
      r.agents_[info.id] = info;
    }
    if (key.starts_with("gone/")) r.gone_[{key.substr(5)}] = {};
    if (key.starts_with("unreachable/")) {
      r.unreachable_[{key.substr(12)}] = WallTime(Duration(std::stoll(value)));
    }
  }
  return r;
}
std::vector<StoreWrite> Registry::set_cluster(std::string cluster) {
  cluster_ = std::move(cluster);
  return {{"cluster", cluster_}};
}
std::vector<StoreWrite> Registry::admit(const AgentInfo& info) {
  std::vector<StoreWrite> writes{
      {"agents/" + info.id.value,
       info.hostname + '\n' + info.address + '\n' + to_text(info.resources)}};
  if (unreachable_.erase(info.id) > 0) writes.push_back({"unreachable/" + info.id.value, {}});
  agents_[info.id] = info;
  return writes;
}
std::vector<StoreWrite> Registry::mark_unreachable(const AgentId& id, WallTime when) {
  agents_.erase(id);
  unreachable_[id] = when;
  return {{"agents/" + id.value, {}}, {"unreachable/" + id.value, std::to_string(to_ns(when))}};
}
std::vector<StoreWrite> Registry::remove(const AgentId& id) {
  std::vector<StoreWrite> writes;
  if (agents_.erase(id) > 0) writes.push_back({"agents/" + id.value, {}});
  if (unreachable_.erase(id) > 0) writes.push_back({"unreachable/" + id.value, {}});
  return writes;
}
std::vector<StoreWrite> Registry::set_gone(const AgentId& id, WallTime when) {
  std::vector<StoreWrite> writes = remove(id);
  gone_[id] = when;
  writes.push_back({"gone/" + id.value, std::to_string(to_ns(when))});
  return writes;
}
}  // namespace tepui
