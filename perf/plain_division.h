#pragma once
// PlainDivision is the usual way to divide a cluster by Dominant Resource Fairness, as a peer for
// the benchmark of the allocator: sums are kept, but for every agent all siblings of the role tree
// and the frameworks of the role whose turn it is are sorted anew, by shares in floating point.
// It knows neither filters nor reservations; all of an agent goes to whom it belongs next.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/resources.h"

namespace tepui::perf {

class PlainDivision {
 public:
  using Sums = std::map<std::string, double>;

  struct Node {
    std::string name;
    double weight = 1;
    Sums sums;
    uint64_t count = 0;
    std::vector<std::unique_ptr<Node>> children;
  };
  struct Given {
    std::string framework;
    size_t agent;
    Resources resources;
  };

  // The node of that name below `parent`, made if there is none.
  Node& child(Node& parent, const std::string& name) {
    for (const auto& known : parent.children) {
      if (known->name == name) return *known;
    }
    parent.children.push_back(std::make_unique<Node>());
    parent.children.back()->name = name;
    return *parent.children.back();
  }
  Node& root() { return root_; }

  void add_agent(Resources total) {
    add(totals_, total, 1);
    agents_.push_back(std::move(total));
  }

  void divide(std::vector<Given>& given) {
    for (size_t agent = 0; agent < agents_.size(); ++agent) {
      std::vector<Node*> path = {&root_};
      while (!path.back()->children.empty()) {
        sort_all(*path.back(), path.size() < 3);
        path.push_back(path.back()->children.front().get());
      }
      for (Node* node : path) {
        add(node->sums, agents_[agent], 1);
        ++node->count;
      }
      given.push_back(
          {.framework = path.back()->name, .agent = agent, .resources = agents_[agent]});
    }
  }

  // Everything comes back.
  void clear() { clear(root_); }

 private:
  static void add(Sums& sums, const Resources& resources, double factor) {
    for (const Resource& item : resources.items()) {
      if (!item.is_scalar()) continue;
      sums[std::string(item.name())] += factor * static_cast<double>(item.scalar_milli());
    }
  }
  static void clear(Node& node) {
    node.sums.clear();
    for (const auto& child : node.children) clear(*child);
  }

  double share(const Node& node) const {
    double dominant = 0;
    for (const auto& [name, sum] : node.sums) dominant = std::max(dominant, sum / totals_.at(name));
    return dominant / node.weight;
  }

  // Roles are sorted in the whole tree, frameworks only in the role whose turn it is.
  void sort_all(Node& node, bool deep) const {
    std::vector<std::pair<double, size_t>> order;
    for (size_t i = 0; i < node.children.size(); ++i)
      order.emplace_back(share(*node.children[i]), i);
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      const Node& left = *node.children[a.second];
      const Node& right = *node.children[b.second];
      return left.count != right.count ? left.count < right.count : left.name < right.name;
    });
    std::vector<std::unique_ptr<Node>> sorted;
    for (const auto& [share, i] : order) sorted.push_back(std::move(node.children[i]));
    node.children = std::move(sorted);
    if (!deep) return;
    for (const auto& child : node.children) {
      if (!child->children.empty() && !child->children[0]->children.empty()) {
        sort_all(*child, true);
      }
    }
  }

  Node root_;
  Sums totals_;
  std::vector<Resources> agents_;
};

}  // namespace tepui::perf
