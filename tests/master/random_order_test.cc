// The random policy: how often who is drawn first, and that all are drawn once.
#include "master/allocator/random_order.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace tepui {
namespace {

class RandomSorterTest : public testing::Test {
 protected:
  void add(const std::string& path, int64_t weight_milli) {
    sorter_.set_weight(path, weight_milli);
    sorter_.set_active(sorter_.add(path, 0), true);
  }
  std::vector<std::string> order(uint64_t key) {
    std::vector<std::string> paths;
    order_.begin(key);
    for (auto client = order_.next(); client != DrfSorter::kNone; client = order_.next()) {
      paths.push_back(sorter_.path(client));
    }
    return paths;
  }
  // Of 100 draws, rounded, who is first.
  std::map<std::string, int> first_percent() {
    std::map<std::string, int> counts;
    constexpr int kDraws = 20000;
    for (uint32_t i = 0; i < kDraws; ++i) ++counts[order(RandomOrder::key_of(7, i)).at(0)];
    for (auto& [path, count] : counts) count = (count * 100 + kDraws / 2) / kDraws;
    return counts;
  }
  static void expect_near(const std::map<std::string, int>& counts, const std::string& path,
                          int percent) {
    EXPECT_NEAR(counts.at(path), percent, 2) << path;
  }

  ClusterTotals totals_{{}};
  DrfSorter sorter_{totals_};
  RandomOrder order_{sorter_};
};

TEST_F(RandomSorterTest, ProbabilityDistribution) {
  add("a", 1000);
  add("b", 2000);
  add("c", 1000);
  add("d", 4000);
  const auto counts = first_percent();
  expect_near(counts, "a", 13);
  expect_near(counts, "b", 25);
  expect_near(counts, "c", 13);
  expect_near(counts, "d", 50);
}

TEST_F(RandomSorterTest, HierarchicalProbabilityDistribution) {
  add("a/x", 1000);
  add("a/y", 3000);
  add("b", 1000);
  sorter_.set_weight("a", 4000);
  sorter_.add("c", 0);  // not active: takes no part
  const auto counts = first_percent();
  expect_near(counts, "a/x", 20);
  expect_near(counts, "a/y", 60);
  expect_near(counts, "b", 20);
}

TEST_F(RandomSorterTest, DrawsEveryActiveClientOnce) {
  for (const char* path : {"a", "a/b", "a/c", "d", "e/f"}) add(path, 1000);
  sorter_.set_active(sorter_.find("d"), false);
  for (uint64_t key = 0; key < 50; ++key) {
    std::vector<std::string> paths = order(key);
    std::sort(paths.begin(), paths.end());
    EXPECT_EQ(paths, (std::vector<std::string>{"a", "a/b", "a/c", "e/f"}));
  }
}

TEST_F(RandomSorterTest, TheSameKeyDrawsTheSameOrderWhateverWasDrawnBefore) {
  for (const char* path : {"a", "b", "c", "d", "e"}) add(path, 1000);
  const auto expected = order(3);
  order(4);
  order_.begin(5);
  order_.next();
  EXPECT_EQ(order(3), expected);
}

}  // namespace
}  // namespace tepui
