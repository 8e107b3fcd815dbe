#include "tests/common/zk_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <variant>

namespace tepui::test {

namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_version(int32_t wanted, int32_t found) {
  return wanted == kZkAnyVersion || wanted == found;
}

}  // namespace

ZkReply ZkTree::apply(uint64_t session, const ZkRequest& request) {
  changed_nodes_.clear();
  changed_children_.clear();
  if (const auto* one = std::get_if<ZkGet>(&request)) return get(one->path, true);
  if (const auto* one = std::get_if<ZkExists>(&request)) return get(one->path, false);
  if (const auto* one = std::get_if<ZkChildren>(&request)) {
    if (!nodes_.contains(one->path)) return {.result = ZkResult::kNoNode};
    return {.children = children(one->path)};
  }
  if (const auto* one = std::get_if<ZkMulti>(&request)) return multi(session, *one);
  if (const auto* one = std::get_if<ZkCreate>(&request)) return change(session, *one);
  if (const auto* one = std::get_if<ZkSet>(&request)) return change(session, *one);
  return change(session, std::get<ZkDelete>(request));
}

ZkReply ZkTree::multi(uint64_t session, const ZkMulti& request) {
  std::map<std::string, std::optional<Node>> before;  // of what is touched
  const auto remember = [&](const std::string& path) {
    const Node* node = find(path);
    before.try_emplace(path, node == nullptr ? std::nullopt : std::optional(*node));
  };
  size_t bytes = 0;
  for (size_t i = 0; i < request.ops.size(); ++i) {
    std::visit(
        [&](const auto& op) {
          remember(op.path);
          remember(parent_of(op.path));
        },
        request.ops[i]);
    ZkReply reply = change(session, request.ops[i]);
    if (!reply.path.empty()) before.try_emplace(reply.path, std::nullopt);
    if (reply.result != ZkResult::kOk) {
      for (auto& [path, node] : before) {
        if (node) {
          nodes_[path] = *std::move(node);
        } else {
          nodes_.erase(path);
        }
      }
      changed_nodes_.clear();
      changed_children_.clear();
      reply.failed_op = i;
      return reply;
    }
    std::visit(
        [&bytes](const auto& op) {
          if constexpr (requires { op.data; }) bytes += op.data.size();
        },
        request.ops[i]);
  }
  bytes_written_ += bytes;
  largest_request_ = std::max(largest_request_, bytes);
  return {};
}

ZkReply ZkTree::change(uint64_t session, const ZkOp& op) {
  if (const auto* made = std::get_if<ZkCreate>(&op)) return create(session, *made);
  if (const auto* gone = std::get_if<ZkDelete>(&op)) return remove(*gone);
  const std::string& path =
      std::visit([](const auto& o) -> const std::string& { return o.path; }, op);
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return {.result = ZkResult::kNoNode};
  const int32_t wanted = std::holds_alternative<ZkSet>(op) ? std::get<ZkSet>(op).version
                                                           : std::get<ZkCheck>(op).version;
  if (!is_version(wanted, found->second.version)) return {.result = ZkResult::kBadVersion};
  if (const auto* set = std::get_if<ZkSet>(&op)) {
    found->second.data = set->data;
    ++found->second.version;
    changed_nodes_.insert(path);
  }
  return {.version = found->second.version};
}

ZkReply ZkTree::create(uint64_t session, const ZkCreate& request) {
  const auto parent = nodes_.find(parent_of(request.path));
  if (parent == nodes_.end()) return {.result = ZkResult::kNoNode};
  std::string path = request.path;
  if (request.sequential) path += fmt::format("{:010}", parent->second.children);
  if (nodes_.contains(path)) return {.result = ZkResult::kNodeExists};
  ++parent->second.children;
  nodes_[path] = {.data = request.data, .owner = request.ephemeral ? session : 0};
  changed_nodes_.insert(path);
  changed_children_.insert(parent->first);
  return {.path = path};
}

ZkReply ZkTree::remove(const ZkDelete& request) {
  const auto found = nodes_.find(request.path);
  if (found == nodes_.end()) return {.result = ZkResult::kNoNode};
  if (!is_version(request.version, found->second.version)) {
    return {.result = ZkResult::kBadVersion};
  }
  if (!children(request.path).empty()) return {.result = ZkResult::kNotEmpty};
  erase(request.path);
  return {};
}

void ZkTree::erase(const std::string& path) {
  nodes_.erase(path);
  changed_nodes_.insert(path);
  changed_children_.insert(path);
  changed_children_.insert(parent_of(path));
}

void ZkTree::end_session(uint64_t session) {
  changed_nodes_.clear();
  changed_children_.clear();
  std::vector<std::string> gone;
  for (const auto& [path, node] : nodes_) {
    if (session != 0 && node.owner == session) gone.push_back(path);
  }
  for (const std::string& path : gone) erase(path);
}

const ZkTree::Node* ZkTree::find(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::vector<std::string> ZkTree::children(const std::string& path) const {
  const std::string prefix = path == "/" ? path : path + '/';
  std::vector<std::string> names;
  for (auto at = nodes_.lower_bound(prefix); at != nodes_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    std::string name = at->first.substr(prefix.size());
    if (!name.empty() && name.find('/') == std::string::npos) names.push_back(std::move(name));
  }
  return names;
}

ZkReply ZkTree::get(const std::string& path, bool with_data) const {
  const Node* node = find(path);
  if (node == nullptr) return {.result = ZkResult::kNoNode};
  return {.data = with_data ? node->data : "", .version = node->version, .owner = node->owner};
}

}  // namespace tepui::test
