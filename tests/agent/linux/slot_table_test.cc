#include "agent/linux/slot_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace tepui {
namespace {

// Ids that begin their search at the same place.
std::vector<uint64_t> rivals(size_t count) {
  std::vector<uint64_t> ids = {2};
  for (uint64_t id = 3; ids.size() < count; ++id) {
    if (first_slot_place(id) == first_slot_place(ids[0])) ids.push_back(id);
  }
  return ids;
}

TEST(SlotTable, FindsWhatIsThereAndNothingElse) {
  std::vector<slot_place> table(kSlotTableSize);
  EXPECT_EQ(find_slot(table, 77), 0u);
  EXPECT_TRUE(publish_slot(table, 77, 5));
  EXPECT_EQ(find_slot(table, 77), 5u);
  EXPECT_EQ(find_slot(table, 78), 0u);
  withdraw_slot(table, 78);
  withdraw_slot(table, 77);
  EXPECT_EQ(find_slot(table, 77), 0u);
}

TEST(SlotTable, RefusesWhereNoProgramWouldLook) {
  std::vector<slot_place> table(kSlotTableSize);
  const std::vector<uint64_t> ids = rivals(kSlotSearchMax + 1);
  for (uint32_t i = 0; i < kSlotSearchMax; ++i) EXPECT_TRUE(publish_slot(table, ids[i], i + 1));
  EXPECT_FALSE(publish_slot(table, ids.back(), 99));
  withdraw_slot(table, ids[0]);
  for (uint32_t i = 1; i < kSlotSearchMax; ++i) EXPECT_EQ(find_slot(table, ids[i]), i + 1);
  EXPECT_TRUE(publish_slot(table, ids.back(), 99));
  EXPECT_EQ(find_slot(table, ids.back()), 99u);
}

TEST(SlotTable, IsEmptyWhenAllAreGone) {
  std::vector<slot_place> table(kSlotTableSize);
  const std::vector<uint64_t> ids = rivals(kSlotSearchMax);
  for (const uint64_t id : ids) EXPECT_TRUE(publish_slot(table, id, 1));
  for (const uint64_t id : ids) withdraw_slot(table, id);
  EXPECT_TRUE(
      std::ranges::all_of(table, [](const slot_place& place) { return place.cgroup_id == 0; }));
}

// Goal: thousands of containers that come and go never lose each other. Method: random changes held
// against a map, with ids in steps as the kernel gives them.
TEST(SlotTable, HoldsThroughManyChanges) {
  std::vector<slot_place> table(kSlotTableSize);
  std::map<uint64_t, uint32_t> known;
  std::minstd_rand chance(7);
  uint64_t next = 1000;
  for (int step = 0; step < 100'000; ++step) {
    if (known.size() < 2000 && chance() % 2 == 0) {
      next += 40 + chance() % 20;
      const uint32_t slot = 1 + step % 2000;
      if (publish_slot(table, next, slot)) known[next] = slot;
    } else if (!known.empty()) {
      const auto one = std::next(known.begin(),
                                 static_cast<long>(chance() % std::min<size_t>(known.size(), 50)));
      withdraw_slot(table, one->first);
      EXPECT_EQ(find_slot(table, one->first), 0u);
      known.erase(one);
    }
  }
  EXPECT_GT(known.size(), 10u);
  for (const auto& [id, slot] : known) EXPECT_EQ(find_slot(table, id), slot);
}

}  // namespace
}  // namespace tepui
