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

// Ten tasks of one service, as an agent that comes back has them.
ReregisterCompactly ten_tasks() {
  ReregisterCompactly message{.id = {"7f3a9c12-e3-a1"}, .info_hash = 5, .frameworks = {{"f"}}};
  for (int i = 0; i < 10; ++i) {
    Task task{.id = {"service.instance-" + std::to_string(i)},
              .framework_id = {"f"},
              .agent_id = message.id,
              .kind = TaskKind{.name = "service",
                               .role = "eng",
                               .resources = Resources::scalars({{"cpus", 1000}}),
                               .labels = {{"app", "service"}}},
              .state = TaskState::kRunning,
              .update_state = TaskState::kRunning,
              .update_uuid = {1, static_cast<uint64_t>(i)},
              .container_id = {"0f1e2d3c-1111-4222-8333-00000000000" + std::to_string(i)}};
    task.last_status = {.task_id = task.id,
                        .state = TaskState::kRunning,
                        .source = TaskSource::kAgent,
                        .uuid = task.update_uuid,
                        .agent_id = message.id,
                        .container_id = task.container_id,
                        .timestamp = WallTime(Duration(7))};
    message.tasks.push_back(std::move(task));
  }
  return message;
}

TEST(WireAgent, WhatTasksHaveInCommonIsSentOnce) {
  Encoder encoder;
  const ReregisterCompactly message = ten_tasks();
  const auto payload = bytes_of(encoder.encode(1, AgentToMaster(message)));
  EXPECT_LT(payload.size(), 1800u);
  const auto decoded = decode_agent_to_master(payload);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(describe(decoded->message), describe(AgentToMaster(message)));
  const ReregisterAgent whole{.info = {.id = message.id}, .tasks = message.tasks};
  EXPECT_GT(2 * encoder.encode(1, AgentToMaster(whole)).size(), 3 * payload.size());
}

TEST(WireAgent, AStatusThatSaysMoreIsNotLostInAShortTask) {
  ReregisterCompactly message = ten_tasks();
  message.tasks[1].last_status.exit_status = 3;
  message.tasks[2].last_status.uuid = {9, 9};  // an older update waits for its turn
  message.tasks[3].last_status = {};           // nothing was said of it yet
  message.tasks[4].last_status.message = "why";
  message.tasks[5].last_status.data = "d";
  message.tasks[6].last_status.container_id = {};
  message.tasks[7].agent_id = {"another"};
  message.tasks[8].last_status.healthy = false;
  Encoder encoder;
  const auto decoded = decode_agent_to_master(encoder.encode(1, AgentToMaster(message)));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(describe(decoded->message), describe(AgentToMaster(message)));
}

TEST(WireAgent, TasksOfAKindShareItAfterDecodingToo) {
  ReregisterCompactly message = ten_tasks();
  message.tasks.resize(1);
  message.tasks[0].kind =
      TaskKind{.labels = {{"key", std::string(limits::kTextBytesMax, 'x')}}, .user = "u"};
  // As text of their own these would be 150 MB, more than a message may unfold to.
  for (int i = 0; i < 150; ++i) message.tasks.push_back(message.tasks[0]);
  Encoder encoder;
  const auto payload = encoder.encode(1, AgentToMaster(message));
  ASSERT_LT(payload.size(), 2u << 20);
  const auto decoded = decode_agent_to_master(payload);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  const auto& tasks = std::get<ReregisterCompactly>(decoded->message).tasks;
  ASSERT_EQ(tasks.size(), 151u);
  for (const Task& task : tasks) ASSERT_EQ(&*task.kind, &*tasks[0].kind);
  EXPECT_EQ(tasks[150].kind->labels[0].value.size(), limits::kTextBytesMax);
}

TEST(WireAgent, IdsOfShortTasksMayNotUnfoldWithoutBound) {
  ReregisterCompactly message = ten_tasks();
  message.id = {std::string(255, 'a')};
  message.tasks.resize(1, message.tasks[0]);
  message.tasks[0].agent_id = message.tasks[0].last_status.agent_id = message.id;
  message.tasks[0].framework_id = {std::string(255, 'f')};
  message.tasks.resize(150'000, message.tasks[0]);
  Encoder encoder;
  const auto payload = encoder.encode(1, AgentToMaster(message));
  ASSERT_LT(payload.size(), limits::kFrameBytesMax);
  const auto decoded = decode_agent_to_master(payload);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_NE(decoded.error().message.find("reregister_compactly.tasks["), std::string::npos)
      << decoded.error().message;
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
