#pragma once
// ZkTree is what an ensemble agrees on: nodes, versions, owners, numbers. It carries out one
// request after the other as ZooKeeper does, and says which watches fire. Sessions, connections and
// delays are the business of those who use it: the fake of the unit tests and the simulation.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/zookeeper.h"

namespace tepui::test {

class ZkTree {
 public:
  struct Node {
    std::string data;
    int32_t version = 0;
    uint64_t owner = 0;    // of an ephemeral one
    int64_t children = 0;  // made so far: the next number
    bool operator==(const Node&) const = default;
  };

  // `session` owns what it makes ephemeral. What fired is in changed_nodes() and
  // changed_children() until the next request.
  ZkReply apply(uint64_t session, const ZkRequest& request);
  // Its ephemeral nodes go.
  void end_session(uint64_t session);

  // Paths whose data, existence; whose list of children changed.
  const std::set<std::string>& changed_nodes() const { return changed_nodes_; }
  const std::set<std::string>& changed_children() const { return changed_children_; }

  const Node* find(const std::string& path) const;
  std::vector<std::string> children(const std::string& path) const;
  // What a person at a ZooKeeper shell, or a failing disk, may do.
  void set(const std::string& path, std::string data) { nodes_.at(path).data = std::move(data); }
  const std::map<std::string, Node>& nodes() const { return nodes_; }
  size_t bytes_written() const { return bytes_written_; }
  size_t largest_request() const { return largest_request_; }

 private:
  ZkReply change(uint64_t session, const ZkOp& op);
  ZkReply multi(uint64_t session, const ZkMulti& request);
  ZkReply create(uint64_t session, const ZkCreate& request);
  ZkReply remove(const ZkDelete& request);
  ZkReply get(const std::string& path, bool with_data) const;
  void erase(const std::string& path);

  std::map<std::string, Node> nodes_{{"/", {}}};
  std::set<std::string> changed_nodes_;
  std::set<std::string> changed_children_;
  size_t bytes_written_ = 0;
  size_t largest_request_ = 0;
};

}  // namespace tepui::test
