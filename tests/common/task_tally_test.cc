#include "common/task_tally.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "common/rng.h"

namespace tepui {
namespace {

TEST(TaskTally, MovesACountWithEveryChange) {
  TaskTally tally;
  EXPECT_EQ(tally.erase({"f"}, {"t"}), std::nullopt);
  EXPECT_EQ(tally.set({"f"}, {"t"}, TaskState::kStaging), std::nullopt);
  EXPECT_EQ(tally.set({"g"}, {"t"}, TaskState::kStaging), std::nullopt);
  EXPECT_EQ(tally.count(TaskState::kStaging), 2);
  EXPECT_EQ(tally.set({"f"}, {"t"}, TaskState::kRunning), TaskState::kStaging);
  EXPECT_EQ(tally.count(TaskState::kStaging), 1);
  EXPECT_EQ(tally.count(TaskState::kRunning), 1);
  EXPECT_EQ(tally.erase({"f"}, {"t"}), TaskState::kRunning);
  EXPECT_EQ(tally.count(TaskState::kRunning), 0);
  EXPECT_EQ(tally.size(), 1u);
  tally.clear();
  EXPECT_EQ(tally.count(TaskState::kStaging), 0);
}

// Method: the same random steps on the tally and on a map; few names, so that all is met often.
TEST(TaskTally, CountsAsAMapDoes) {
  Rng rng(11);
  TaskTally tally;
  std::map<std::pair<std::string, std::string>, TaskState> model;
  for (int step = 0; step < 100000; ++step) {
    const FrameworkId framework{std::to_string(rng.below(3))};
    const TaskId task{std::to_string(rng.below(300))};
    const std::pair key(framework.value, task.value);
    const auto known = model.find(key);
    const auto before = known == model.end() ? std::nullopt : std::optional(known->second);
    if (rng.chance(1, 2)) {
      ASSERT_EQ(tally.erase(framework, task), before);
      model.erase(key);
    } else {
      const auto state = static_cast<TaskState>(rng.below(kTaskStateCount));
      ASSERT_EQ(tally.set(framework, task, state), before);
      model[key] = state;
    }
    ASSERT_EQ(tally.size(), model.size());
  }
  std::map<TaskState, int64_t> counts;
  for (const auto& [key, state] : model) ++counts[state];
  for (int i = 0; i < kTaskStateCount; ++i) {
    const auto state = static_cast<TaskState>(i);
    EXPECT_EQ(tally.count(state), counts[state]);
  }
}

}  // namespace
}  // namespace tepui
