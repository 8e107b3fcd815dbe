#include <gtest/gtest.h>

#include "tests/common/round_trip.h"

namespace tepui {
namespace {

TEST(WireAgent, WhatAgentsSayComesBackAsItWent) {
  check_round_trips<AgentToMaster>(decode_agent_to_master, 11);
}
TEST(WireAgent, WhatMastersSayComesBackAsItWent) {
  check_round_trips<MasterToAgent>(decode_master_to_agent, 12);
}
TEST(WireAgent, DamagedMessagesDoNoHarm) {
  check_damage<AgentToMaster>(decode_agent_to_master, 13);
  check_damage<MasterToAgent>(decode_master_to_agent, 14);
}
TEST(WireAgent, AlignmentIsTheDecodersConcern) {
  check_misaligned<AgentToMaster>(decode_agent_to_master, 15);
  check_misaligned<MasterToAgent>(decode_master_to_agent, 16);
}

TEST(WireAgent, ASpecOfManyTasksIsSentAndKeptOnce) {
  const auto first = std::make_shared<const TaskSpec>(
      TaskSpec{.command = {.value = "sleep 17"}, .data = std::string(1000, 'x')});
  const auto second = std::make_shared<const TaskSpec>(TaskSpec{.command = {.value = "true"}});
  LaunchTasks launch;
  for (int i = 0; i < 1000; ++i) {
    launch.tasks.push_back({.framework_id = {"f"},
                            .role = "eng",
                            .task = {.id = {"t" + std::to_string(i)},
                                     .name = "task",
                                     .spec = i % 2 == 0 ? first : second}});
  }
  Encoder encoder;
  const auto payload = encoder.encode(1, MasterToAgent(launch));
  EXPECT_LT(payload.size(), 60'000u);  // 40 bytes a task, its id, and one spec of a kilobyte

  const auto decoded = decode_master_to_agent(payload);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  const auto& tasks = std::get<LaunchTasks>(decoded->message).tasks;
  ASSERT_EQ(tasks.size(), 1000u);
  for (size_t i = 2; i < tasks.size(); ++i) {
    EXPECT_EQ(tasks[i].task.spec, tasks[i - 2].task.spec) << i;
  }
  EXPECT_NE(tasks[0].task.spec, tasks[1].task.spec);
  EXPECT_EQ(tasks[1].task.spec->command.value, "true");
}

TEST(WireAgent, AStatusMessageIsCutAtItsLimitAndNotInsideACharacter) {
  StatusUpdates updates;
  updates.items.push_back({.framework_id = {"f"}, .status = {.task_id = {"t"}}});
  std::string& message = updates.items[0].status.message;
  message = std::string(limits::kStatusMessageBytesMax - 1, 'x') + "é and more";
  Encoder encoder;
  const auto decoded = decode_agent_to_master(encoder.encode(1, AgentToMaster(updates)));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(std::get<StatusUpdates>(decoded->message).items[0].status.message,
            std::string(limits::kStatusMessageBytesMax - 1, 'x'));
}

}  // namespace
}  // namespace tepui
