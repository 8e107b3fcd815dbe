// Over 500 lines: one class and one fixture; the cases are short and keep the names of Mesos.

#include "master/allocator/drf_sorter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tepui {
namespace {

using Order = std::vector<std::string>;

// A cluster and one sorter over it. Amounts are given in whole units; the sorter only sees ratios.
class Sorter : public testing::Test {
 protected:
  using Units = std::vector<std::pair<std::string, int64_t>>;

  Demand demand(const Units& units) {
    Demand made;
    for (const auto& [name, amount] : units) {
      const auto index = totals_.intern(name);
      if (!index) continue;
      made.amounts.resize(totals_.size(), 0);
      made.amounts[*index] += amount;
    }
    return made;
  }
  void add_total(const Units& units) { totals_.add(demand(units).amounts); }
  void remove_total(const Units& units) { totals_.subtract(demand(units).amounts); }

  void add(const std::string& path) { sorter_.set_active(sorter_.add(path, 0), true); }
  void add_inactive(const std::string& path) { sorter_.add(path, 0); }
  void remove(const std::string& path) { sorter_.remove(sorter_.find(path)); }
  void activate(const std::string& path) { sorter_.set_active(sorter_.find(path), true); }
  void deactivate(const std::string& path) { sorter_.set_active(sorter_.find(path), false); }
  void allocate(const std::string& path, const Units& units) {
    sorter_.allocated(sorter_.find(path), demand(units));
  }
  void free(const std::string& path, const Units& units) {
    sorter_.unallocated(sorter_.find(path), demand(units));
  }

  Order order() {
    Order paths = sorter_.sort();
    const auto sound = sorter_.audit();
    EXPECT_TRUE(sound.has_value()) << sound.error().message;
    return paths;
  }

  int64_t cpus_of(const std::string& path) {
    const auto amounts = sorter_.amounts_of(path);
    const auto cpus = totals_.find("cpus");
    return cpus && *cpus < amounts.size() ? amounts[*cpus] : 0;
  }

  ClusterTotals totals_{{"gpus"}};
  DrfSorter sorter_{totals_};
};

TEST_F(Sorter, DRF) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a");
  allocate("a", {{"cpus", 5}, {"mem", 5}});  // 5 %
  add("b");
  allocate("b", {{"cpus", 6}, {"mem", 6}});  // 6 %
  EXPECT_EQ(order(), (Order{"a", "b"}));

  add("c");
  add("d");
  EXPECT_EQ(order(), (Order{"c", "d", "a", "b"}));

  allocate("c", {{"cpus", 1}, {"mem", 8}});  // memory dominates: 8 %
  allocate("d", {{"cpus", 3}, {"mem", 1}});  // 3 %
  EXPECT_EQ(order(), (Order{"d", "a", "b", "c"}));

  remove("a");
  allocate("d", {{"cpus", 4}});  // 7 %
  EXPECT_EQ(order(), (Order{"b", "d", "c"}));

  free("c", {{"mem", 8}});
  EXPECT_EQ(order(), (Order{"c", "b", "d"}));

  deactivate("d");
  EXPECT_EQ(order(), (Order{"c", "b"}));
  activate("d");
  EXPECT_EQ(order(), (Order{"c", "b", "d"}));
}

TEST_F(Sorter, WDRF) {
  add_total({{"cpus", 100}, {"mem", 100}});
  sorter_.set_weight("b", 2000);  // known before the client is
  add("a");
  add("b");
  allocate("a", {{"cpus", 5}, {"mem", 5}});
  allocate("b", {{"cpus", 6}, {"mem", 6}});  // 6 % / 2
  EXPECT_EQ(order(), (Order{"b", "a"}));

  add("c");
  allocate("c", {{"cpus", 4}, {"mem", 4}});
  EXPECT_EQ(order(), (Order{"b", "c", "a"}));

  add("d");
  sorter_.set_weight("d", 10000);
  EXPECT_EQ(order(), (Order{"d", "b", "c", "a"}));
  allocate("d", {{"cpus", 45}});  // 45 % / 10
  EXPECT_EQ(order(), (Order{"b", "c", "d", "a"}));
}

TEST_F(Sorter, UpdateWeight) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a");
  add("b");
  allocate("a", {{"cpus", 5}, {"mem", 5}});
  allocate("b", {{"cpus", 6}, {"mem", 6}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
  sorter_.set_weight("b", 2000);
  EXPECT_EQ(order(), (Order{"b", "a"}));
  sorter_.set_weight("b", 1000);
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(Sorter, AllocationCountTieBreak) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a");
  add("b");
  add("c");
  allocate("a", {{"cpus", 3}});
  allocate("b", {{"cpus", 1}});
  allocate("b", {{"cpus", 2}});
  allocate("c", {{"cpus", 3}});
  EXPECT_EQ(order(), (Order{"a", "c", "b"}));

  // What comes back does not take the count back.
  free("a", {{"cpus", 3}});
  allocate("a", {{"cpus", 3}});
  EXPECT_EQ(order(), (Order{"c", "a", "b"}));

  // An update of an allocation is none.
  sorter_.update(sorter_.find("c"), demand({{"cpus", 3}}), demand({{"cpus", 3}, {"mem", 3}}));
  EXPECT_EQ(order(), (Order{"c", "a", "b"}));
}

TEST_F(Sorter, ShallowHierarchy) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a/x");
  allocate("a/x", {{"cpus", 5}});
  add("b/x");
  allocate("b/x", {{"cpus", 6}});
  EXPECT_EQ(order(), (Order{"a/x", "b/x"}));

  add("c/x");
  allocate("c/x", {{"cpus", 1}, {"mem", 8}});
  add("d/x");
  EXPECT_EQ(order(), (Order{"d/x", "a/x", "b/x", "c/x"}));

  remove("a/x");
  allocate("d/x", {{"cpus", 7}});
  EXPECT_EQ(order(), (Order{"b/x", "d/x", "c/x"}));
}

TEST_F(Sorter, DeepHierarchy) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a/b/c/d/e");
  allocate("a/b/c/d/e", {{"cpus", 5}});
  add("b/x/y");
  allocate("b/x/y", {{"cpus", 6}});
  add("c");
  allocate("c", {{"cpus", 7}});
  EXPECT_EQ(order(), (Order{"a/b/c/d/e", "b/x/y", "c"}));

  add("a/b/c/d/f");
  allocate("a/b/c/d/f", {{"cpus", 3}});  // the tree below "a" now has 8 %
  EXPECT_EQ(order(), (Order{"b/x/y", "c", "a/b/c/d/f", "a/b/c/d/e"}));
  EXPECT_EQ(cpus_of("a/b"), 8);

  remove("a/b/c/d/e");
  EXPECT_EQ(order(), (Order{"a/b/c/d/f", "b/x/y", "c"}));
  EXPECT_EQ(cpus_of("a/b"), 3);
}

// A subtree competes as one: many busy children of "a" weigh together against "b".
TEST_F(Sorter, HierarchicalAllocation) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a");
  add("b/c");
  add("b/d");
  allocate("a", {{"cpus", 4}});
  allocate("b/c", {{"cpus", 3}});
  allocate("b/d", {{"cpus", 2}});
  EXPECT_EQ(order(), (Order{"a", "b/d", "b/c"}));
  EXPECT_EQ(cpus_of("b"), 5);
  EXPECT_EQ(cpus_of("b/c"), 3);

  add("b/e/f");
  EXPECT_EQ(order(), (Order{"a", "b/e/f", "b/d", "b/c"}));

  free("b/c", {{"cpus", 3}});
  EXPECT_EQ(order(), (Order{"b/e/f", "b/c", "b/d", "a"}));
}

// The children of a node come together, before the next sibling of the node.
TEST_F(Sorter, HierarchicalIterationOrder) {
  add_total({{"cpus", 100}, {"mem", 100}});
  for (const char* path : {"a/b/c", "a/b/d", "a/e", "f", "a/b"}) add(path);
  allocate("f", {{"cpus", 50}});
  allocate("a/e", {{"cpus", 1}});
  allocate("a/b/c", {{"cpus", 2}});
  allocate("a/b/d", {{"cpus", 3}});
  allocate("a/b", {{"cpus", 4}});
  EXPECT_EQ(order(), (Order{"a/e", "a/b/c", "a/b/d", "a/b", "f"}));
}

TEST_F(Sorter, AddChildToLeaf) {
  add_total({{"cpus", 100}, {"mem", 100}});
  sorter_.set_weight("a", 2000);
  add("a");
  allocate("a", {{"cpus", 10}});
  add("b");
  allocate("b", {{"cpus", 6}});
  EXPECT_EQ(order(), (Order{"a", "b"}));

  // The weight of "a" stays with the subtree; its own client is a child of weight 1.
  add("a/c");
  allocate("a/c", {{"cpus", 1}});
  EXPECT_EQ(order(), (Order{"a/c", "a", "b"}));
  EXPECT_EQ(cpus_of("a"), 11);
  EXPECT_EQ(cpus_of("a/."), 10);

  allocate("a/c", {{"cpus", 10}});
  EXPECT_EQ(order(), (Order{"b", "a", "a/c"}));
}

TEST_F(Sorter, AddChildToInternal) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("x/a");
  add("x/b");
  allocate("x/a", {{"cpus", 10}});
  allocate("x/b", {{"cpus", 6}});
  add("x/c");
  allocate("x/c", {{"cpus", 8}});
  EXPECT_EQ(order(), (Order{"x/b", "x/c", "x/a"}));

  // The parent itself becomes a client.
  add("x");
  EXPECT_EQ(order(), (Order{"x", "x/b", "x/c", "x/a"}));
  allocate("x", {{"cpus", 7}});
  EXPECT_EQ(order(), (Order{"x/b", "x", "x/c", "x/a"}));
  EXPECT_EQ(cpus_of("x"), 31);
}

TEST_F(Sorter, AddChildToInactiveLeaf) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add_inactive("a");
  add("a/c");
  add("b");
  allocate("b", {{"cpus", 1}});
  EXPECT_EQ(order(), (Order{"a/c", "b"}));
  activate("a");
  EXPECT_EQ(order(), (Order{"a", "a/c", "b"}));
}

TEST_F(Sorter, RemoveLeafCollapseParent) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a");
  add("b");
  allocate("a", {{"cpus", 10}});
  allocate("b", {{"cpus", 6}});
  add("a/c");
  allocate("a/c", {{"cpus", 1}});
  EXPECT_EQ(order(), (Order{"b", "a/c", "a"}));

  remove("a/c");
  EXPECT_EQ(order(), (Order{"b", "a"}));
  EXPECT_EQ(cpus_of("a"), 10);
  EXPECT_TRUE(sorter_.amounts_of("a/.").empty());
  free("a", {{"cpus", 10}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(Sorter, RemoveLeafCollapseParentInactive) {
  add_total({{"cpus", 100}, {"mem", 100}});
  add("a");
  add("b");
  allocate("a", {{"cpus", 1}});
  allocate("b", {{"cpus", 6}});
  add("a/c");
  deactivate("a");
  EXPECT_EQ(order(), (Order{"a/c", "b"}));
  remove("a/c");
  EXPECT_EQ(order(), (Order{"b"}));
  activate("a");
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(Sorter, ChangeWeightOnSubtree) {
  add_total({{"cpus", 100}, {"mem", 100}});
  sorter_.set_weight("b", 3000);
  add("a/x");
  add("a/y");
  add("b/x");
  add("b/y");
  allocate("a/x", {{"cpus", 1}});
  allocate("a/y", {{"cpus", 1}});
  allocate("b/x", {{"cpus", 2}});
  allocate("b/y", {{"cpus", 3}});
  EXPECT_EQ(order(), (Order{"b/x", "b/y", "a/x", "a/y"}));

  // The fresh weight of a purely inner path acts at once.
  sorter_.set_weight("b", 1000);
  EXPECT_EQ(order(), (Order{"a/x", "a/y", "b/x", "b/y"}));

  // Inside a subtree only its own weights count.
  sorter_.set_weight("b/y", 2000);
  EXPECT_EQ(order(), (Order{"a/x", "a/y", "b/y", "b/x"}));
}

// Half of the cpus and half of the memory on different agents dominate alike.
TEST_F(Sorter, SplitResourceShares) {
  add_total({{"cpus", 5}, {"mem", 10}});
  add_total({{"cpus", 5}, {"mem", 10}});
  add("a");
  add("b");
  allocate("a", {{"cpus", 5}});
  allocate("b", {{"mem", 10}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
  allocate("a", {{"mem", 10}});  // still half; allocated to more often
  EXPECT_EQ(order(), (Order{"b", "a"}));
}

TEST_F(Sorter, UpdateAllocation) {
  add_total({{"cpus", 100}, {"disk", 100}});
  add("a");
  add("b");
  allocate("a", {{"cpus", 10}, {"disk", 10}});
  allocate("b", {{"cpus", 11}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
  sorter_.update(sorter_.find("a"), demand({{"disk", 10}}), demand({{"disk", 12}}));
  EXPECT_EQ(order(), (Order{"b", "a"}));
}

TEST_F(Sorter, UpdateAllocationNestedClient) {
  add_total({{"cpus", 100}, {"disk", 100}});
  add("a/x");
  add("b/y");
  allocate("a/x", {{"cpus", 10}, {"disk", 10}});
  allocate("b/y", {{"cpus", 11}});
  EXPECT_EQ(order(), (Order{"a/x", "b/y"}));
  sorter_.update(sorter_.find("a/x"), demand({{"disk", 10}}), demand({{"disk", 12}}));
  EXPECT_EQ(order(), (Order{"b/y", "a/x"}));
}

TEST_F(Sorter, AllocationForInactiveClient) {
  add_total({{"cpus", 10}, {"mem", 10}});
  add_inactive("a");
  add_inactive("b");
  allocate("a", {{"cpus", 2}, {"mem", 2}});
  allocate("b", {{"cpus", 3}, {"mem", 3}});
  EXPECT_EQ(order(), Order{});
  activate("b");
  EXPECT_EQ(order(), Order{"b"});
  activate("a");
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(Sorter, MultipleSlaves) {
  add("framework");
  add_total({{"cpus", 6}, {"mem", 6}});
  add_total({{"cpus", 6}, {"mem", 6}});
  allocate("framework", {{"cpus", 6}, {"mem", 6}});
  EXPECT_EQ(cpus_of("framework"), 6);
  allocate("framework", {{"cpus", 6}, {"mem", 6}});
  EXPECT_EQ(cpus_of("framework"), 12);
  EXPECT_EQ(sorter_.share_of("framework").unweighted_ppm(), 1'000'000);
  free("framework", {{"cpus", 6}, {"mem", 6}});
  EXPECT_EQ(sorter_.share_of("framework").unweighted_ppm(), 500'000);
}

TEST_F(Sorter, MultipleSlavesUpdateAllocation) {
  add("framework");
  add("other");
  add_total({{"cpus", 6}, {"disk", 6}});
  add_total({{"cpus", 6}, {"disk", 6}});
  allocate("framework", {{"cpus", 6}, {"disk", 6}});
  allocate("framework", {{"cpus", 6}, {"disk", 6}});
  const auto client = sorter_.find("framework");
  sorter_.update(client, demand({{"disk", 6}}), demand({{"disk", 2}}));
  sorter_.update(client, demand({{"disk", 6}}), demand({{"disk", 1}}));
  EXPECT_EQ(sorter_.amounts(client)[*totals_.find("disk")], 3);
  EXPECT_EQ(cpus_of("framework"), 12);
  EXPECT_EQ(order(), (Order{"other", "framework"}));
}

TEST_F(Sorter, UpdateTotal) {
  add("a");
  add("b");
  add_total({{"cpus", 10}, {"mem", 100}});
  allocate("a", {{"cpus", 2}, {"mem", 1}});  // 20 %
  allocate("b", {{"cpus", 1}, {"mem", 3}});  // 10 %
  EXPECT_EQ(order(), (Order{"b", "a"}));

  // With more cpus and less memory: 10 % against 30 %.
  remove_total({{"mem", 90}});
  add_total({{"cpus", 10}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(Sorter, MultipleSlavesUpdateTotal) {
  add("a");
  add("b");
  add_total({{"cpus", 5}, {"mem", 50}});
  add_total({{"cpus", 5}, {"mem", 50}});
  allocate("a", {{"cpus", 2}, {"mem", 1}});
  allocate("b", {{"cpus", 1}, {"mem", 3}});
  EXPECT_EQ(order(), (Order{"b", "a"}));
  remove_total({{"mem", 90}});
  add_total({{"cpus", 15}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

// A resource that is gone from the cluster counts in no share, and does again when it is back.
TEST_F(Sorter, RemoveResources) {
  add("a");
  add("b");
  add_total({{"cpus", 10}, {"mem", 10}});
  allocate("a", {{"cpus", 1}, {"mem", 5}});
  allocate("b", {{"cpus", 2}, {"mem", 1}});
  EXPECT_EQ(order(), (Order{"b", "a"}));
  remove_total({{"mem", 10}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
  add_total({{"mem", 10}});
  EXPECT_EQ(order(), (Order{"b", "a"}));
}

// The sorter is given amounts by name; revocable ones count like all others.
TEST_F(Sorter, RevocableResources) {
  add("a");
  add("b");
  add_total({{"cpus", 5}, {"mem", 10}});
  add_total({{"cpus", 5}});  // revocable
  allocate("a", {{"cpus", 4}});
  EXPECT_EQ(order(), (Order{"b", "a"}));
  allocate("b", {{"cpus", 5}});  // revocable
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(Sorter, ExcludedResourcesCountInNoShare) {
  add("a");
  add("b");
  add_total({{"cpus", 10}, {"gpus", 1}});
  allocate("a", {{"cpus", 1}, {"gpus", 1}});
  allocate("b", {{"cpus", 2}});
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

// Two fractions that floating point cannot tell apart.
TEST_F(Sorter, ComparesSharesExactly) {
  const int64_t large = (int64_t{1} << 61) + 1;
  add("a");
  add("b");
  add_total({{"cpus", large}, {"mem", large - 1}});
  allocate("a", {{"mem", (large - 1) / 2}});   // exactly one half
  allocate("b", {{"cpus", (large - 1) / 2}});  // a little less
  EXPECT_EQ(order(), (Order{"b", "a"}));
}

TEST_F(Sorter, OrderOfAWalkIsThatOfItsBegin) {
  add_total({{"cpus", 10}});
  add("a");
  add("b");
  sorter_.begin();
  const DrfSorter::Client first = sorter_.next();
  EXPECT_EQ(sorter_.path(first), "a");
  sorter_.allocated(first, demand({{"cpus", 1}}));
  EXPECT_EQ(sorter_.path(sorter_.next()), "b");
  EXPECT_EQ(sorter_.next(), DrfSorter::kNone);
  EXPECT_EQ(order(), (Order{"b", "a"}));
}

// ---------------------------------------------------------------- shared resources

class SharedSorter : public Sorter {
 protected:
  SharedSorter() {
    volume_ = make_kind({.name = "disk", .disk = Disk{.persistence_id = "v"}, .shared = true});
    add_total({{"cpus", 100}, {"mem", 100}, {"disk", 100}});
  }
  Demand volume(int64_t amount, uint32_t holders) {
    return {.amounts = {},
            .shared = {{.agent = 1,
                        .kind = volume_,
                        .name = *totals_.find("disk"),
                        .milli = amount,
                        .holders = holders}}};
  }
  int64_t disk_of(const std::string& path) {
    return sorter_.amounts_of(path)[*totals_.find("disk")];
  }

  KindRef volume_;
};

TEST_F(SharedSorter, SharedResources) {
  add("a");
  add("b");
  allocate("a", {{"cpus", 5}, {"mem", 5}});
  allocate("b", {{"cpus", 6}, {"mem", 6}});
  sorter_.allocated(sorter_.find("a"), volume(10, 1));  // 10 %
  EXPECT_EQ(order(), (Order{"b", "a"}));
  sorter_.unallocated(sorter_.find("a"), volume(10, 1));
  EXPECT_EQ(order(), (Order{"a", "b"}));
}

TEST_F(SharedSorter, SameDominantSharedResourcesAcrossClients) {
  add("a");
  add("b");
  allocate("b", {{"cpus", 1}});
  sorter_.allocated(sorter_.find("a"), volume(10, 1));
  sorter_.allocated(sorter_.find("b"), volume(10, 1));
  EXPECT_EQ(disk_of("a"), 10);
  EXPECT_EQ(disk_of("b"), 10);
  EXPECT_EQ(order(), (Order{"a", "b"}));  // equal shares, fewer allocations
}

TEST_F(SharedSorter, SameSharedResourcesSameClient) {
  add("a");
  sorter_.allocated(sorter_.find("a"), volume(10, 1));
  sorter_.allocated(sorter_.find("a"), volume(10, 2));
  EXPECT_EQ(disk_of("a"), 10);
  sorter_.unallocated(sorter_.find("a"), volume(10, 2));
  EXPECT_EQ(disk_of("a"), 10);
}

TEST_F(SharedSorter, SharedResourcesUnallocated) {
  add("a");
  sorter_.allocated(sorter_.find("a"), volume(10, 2));
  sorter_.unallocated(sorter_.find("a"), volume(10, 1));
  EXPECT_EQ(disk_of("a"), 10);
  sorter_.unallocated(sorter_.find("a"), volume(10, 1));
  EXPECT_EQ(disk_of("a"), 0);
}

TEST_F(SharedSorter, SharedResourcesCountOnceInTheNodeAboveTheirHolders) {
  add("x/a");
  add("x/b");
  sorter_.allocated(sorter_.find("x/a"), volume(10, 1));
  sorter_.allocated(sorter_.find("x/b"), volume(10, 1));
  EXPECT_EQ(disk_of("x"), 10);
  EXPECT_EQ(order(), (Order{"x/a", "x/b"}));
  remove("x/a");
  EXPECT_EQ(disk_of("x"), 10);
  remove("x/b");
  EXPECT_FALSE(sorter_.allocates(*totals_.find("disk")));
}

}  // namespace
}  // namespace tepui
