// The named cases of the sorters that tests/master/sorter_test.cc does not have: those of the
// random order, and what makes a role known.

#include "master/allocator/random_order.h"
#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

// The probability of each client at each place of the draw, worked out draw by draw.
using Distribution = std::vector<std::vector<double>>;

void enumerate(const std::vector<double>& weights, std::vector<bool>& drawn, size_t place,
               double probability, Distribution& distribution) {
  double left = 0;
  for (size_t i = 0; i < weights.size(); ++i) left += drawn[i] ? 0 : weights[i];
  for (size_t i = 0; i < weights.size(); ++i) {
    if (drawn[i]) continue;
    const double here = probability * weights[i] / left;
    distribution[i][place] += here;
    drawn[i] = true;
    enumerate(weights, drawn, place + 1, here, distribution);
    drawn[i] = false;
  }
}

Distribution expected_of(const std::vector<double>& weights) {
  Distribution distribution(weights.size(), std::vector<double>(weights.size(), 0));
  std::vector<bool> drawn(weights.size(), false);
  enumerate(weights, drawn, 0, 1, distribution);
  return distribution;
}

class RandomSorter : public testing::Test {
 protected:
  void add(const std::string& path) {
    const DrfSorter::Client client = sorter_.add(path, 0);
    sorter_.set_active(client, true);
    clients_.push_back(client);
  }

  // How often each client came at each place, in the order of add().
  Distribution drawn(int draws) {
    Distribution counts(clients_.size(), std::vector<double>(clients_.size(), 0));
    RandomOrder order(sorter_);
    for (int draw = 0; draw < draws; ++draw) {
      order.begin(RandomOrder::key_of(42, static_cast<uint32_t>(draw)));
      for (size_t place = 0; place < clients_.size(); ++place) {
        const auto found = std::find(clients_.begin(), clients_.end(), order.next());
        if (found == clients_.end()) return {};
        counts[static_cast<size_t>(found - clients_.begin())][place] += 1.0 / draws;
      }
      EXPECT_EQ(order.next(), DrfSorter::kNone);
    }
    return counts;
  }

  // Five deviations of the most uncertain of the counts.
  void expect_near(const Distribution& actual, const Distribution& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      for (size_t place = 0; place < expected.size(); ++place) {
        EXPECT_NEAR(actual[i][place], expected[i][place], 0.02)
            << "client " << i << " at place " << place;
      }
    }
  }

  static constexpr int kDraws = 20'000;
  ClusterTotals totals_{{}};
  DrfSorter sorter_{totals_};
  std::vector<DrfSorter::Client> clients_;
};

TEST_F(RandomSorter, ProbabilityDistribution) {
  for (int i = 1; i <= 5; ++i) {
    add(std::to_string(i));
    sorter_.set_weight(std::to_string(i), 1000 * i);
  }
  expect_near(drawn(kDraws), expected_of({1, 2, 3, 4, 5}));
}

// `a` has 1 part of 4 and divides it between itself (always 1) and `a/b` (3); `c` has 3 of 4 and
// divides them 1 to 2.
TEST_F(RandomSorter, HierarchicalProbabilityDistribution) {
  for (const char* path : {"a", "a/b", "c/d", "c/e"}) add(path);
  const std::map<std::string, int64_t> weights = {
      {"a", 1000}, {"a/b", 3000}, {"c", 3000}, {"c/d", 1000}, {"c/e", 2000}};
  for (const auto& [path, weight] : weights) sorter_.set_weight(path, weight);
  expect_near(drawn(kDraws), expected_of({1.0 / 16, 3.0 / 16, 1.0 / 4, 1.0 / 2}));
}

// A role is known while it has a quota, a reservation, an allocation or a framework, and what it
// has its ancestors have.
TEST_F(HierarchicalAllocator, RolesTracking) {
  const auto known = [this] {
    std::vector<std::string> roles;
    for (const RoleUse& use : allocator_->uses()) roles.push_back(use.role);
    return roles;
  };
  using Roles = std::vector<std::string>;
  const auto contains = [](const Roles& roles, const std::string& role) {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  };
  EXPECT_EQ(known(), Roles{});

  quota("a/b/c", "cpus:1"_r);
  EXPECT_TRUE(contains(known(), "a/b/c"));
  EXPECT_TRUE(allocator_->use("a").quota.is_default());
  EXPECT_EQ(allocator_->use("a/b/c").quota.guarantees, "cpus:1"_r.quantities());
  no_quota("a/b/c");
  EXPECT_EQ(known(), Roles{});

  agent("a1", "cpus(a/b/c):1"_r);
  EXPECT_TRUE(contains(known(), "a/b/c"));
  for (const char* role : {"a", "a/b", "a/b/c"}) {
    EXPECT_EQ(allocator_->use(role).reserved, "cpus:1"_r.quantities()) << role;
  }
  EXPECT_TRUE(allocator_->use("a/x").reserved.empty());
  remove_agent("a1");
  EXPECT_EQ(known(), Roles{});

  framework("f1", "a/b/c");
  EXPECT_TRUE(contains(known(), "a/b/c"));
  EXPECT_EQ(allocator_->shares().size(), 1u) << "subscribed to one role, not to its ancestors";
  allocator_->remove_framework(frameworks_["f1"]);
  EXPECT_EQ(known(), Roles{});
  EXPECT_TRUE(allocator_->shares().empty());
}

}  // namespace
}  // namespace tepui
