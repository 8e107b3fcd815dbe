#include "common/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>
#include <string>

#include "common/limits.h"

namespace {
int64_t allocations = 0;
}  // namespace

// Counts what is allocated in this program. Inlined, g++ takes the pairs for mismatched ones.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace tepui {
namespace {

std::map<std::string, double> values(const Metrics& metrics) {
  std::map<std::string, double> values;
  for (const MetricRow& row : metrics.snapshot()) {
    EXPECT_TRUE(values.emplace(row.key, row.value).second) << row.key << " twice";
  }
  return values;
}

Task task(std::string id, TaskState state) {
  return {.id = {std::move(id)}, .framework_id = {"f1"}, .state = state};
}

void update(Metrics& metrics, Task& task, TaskState state, TaskReason reason = TaskReason::kNone) {
  task.state = state;
  const TaskStatus status{
      .task_id = task.id, .state = state, .source = TaskSource::kAgent, .reason = reason};
  metrics.on_event(event::TaskUpdated{&task, &status});
}

TEST(Metrics, AreThereFromTheStartAndSorted) {
  const Metrics master(Metrics::Side::kMaster);
  const std::vector<MetricRow> rows = master.snapshot();
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(),
                             [](const auto& a, const auto& b) { return a.key < b.key; }));
  const auto all = values(master);
  for (const char* key : {"master/elected", "master/tasks_running", "master/tasks_gone_by_operator",
                          "master/slave_registrations", "master/slaves_active",
                          "master/frameworks_active", "master/outstanding_offers",
                          "master/dropped_messages", "allocator/mesos/allocation_runs"}) {
    ASSERT_TRUE(all.contains(key)) << key;
    EXPECT_EQ(all.at(key), 0) << key;
  }
  EXPECT_FALSE(all.contains("slave/registered"));
  EXPECT_FALSE(values(Metrics(Metrics::Side::kAgent)).contains("master/elected"));
}

TEST(Metrics, CountTasksByStateAndByReason) {
  Metrics metrics(Metrics::Side::kMaster);
  Task first = task("t1", TaskState::kStaging);
  Task second = task("t2", TaskState::kStaging);
  metrics.on_event(event::TaskAdded{&first, false});
  metrics.on_event(event::TaskAdded{&second, false});
  EXPECT_EQ(values(metrics)["master/tasks_staging"], 2);
  update(metrics, first, TaskState::kRunning);
  update(metrics, first, TaskState::kRunning);
  EXPECT_EQ(values(metrics)["master/tasks_staging"], 1);
  EXPECT_EQ(values(metrics)["master/tasks_running"], 1);
  update(metrics, first, TaskState::kFailed, TaskReason::kContainerLimitationMemory);
  update(metrics, first, TaskState::kFailed, TaskReason::kContainerLimitationMemory);
  metrics.on_event(event::TaskRemoved{&first});
  auto all = values(metrics);
  EXPECT_EQ(all["master/tasks_running"], 0);
  EXPECT_EQ(all["master/tasks_failed"], 1);
  EXPECT_EQ(all["master/task_failed/source_agent/reason_container_limitation_memory"], 1);
  EXPECT_EQ(all["master/valid_status_updates"], 4);
  metrics.on_event(event::TaskRemoved{&second});
  EXPECT_EQ(values(metrics)["master/tasks_staging"], 0);
}

TEST(Metrics, AnEndToldByAnOlderStatusHasNoReason) {
  Metrics metrics(Metrics::Side::kMaster);
  Task ended = task("t1", TaskState::kStaging);
  metrics.on_event(event::TaskAdded{&ended, false});
  ended.state = TaskState::kKilled;
  const TaskStatus running{
      .task_id = ended.id, .state = TaskState::kRunning, .reason = TaskReason::kReconciliation};
  metrics.on_event(event::TaskUpdated{&ended, &running});
  auto all = values(metrics);
  EXPECT_EQ(all["master/tasks_killed"], 1);
  for (const auto& [key, value] : all) EXPECT_FALSE(key.starts_with("master/task_")) << key;
}

TEST(Metrics, ALostTaskThatComesBackRunsAgain) {
  Metrics metrics(Metrics::Side::kMaster);
  Task back = task("t1", TaskState::kRunning);
  metrics.on_event(event::TaskAdded{&back, false});
  update(metrics, back, TaskState::kLost, TaskReason::kAgentRemoved);
  update(metrics, back, TaskState::kRunning, TaskReason::kAgentReregistered);
  EXPECT_EQ(values(metrics)["master/tasks_running"], 1);
  EXPECT_EQ(values(metrics)["master/tasks_lost"], 1);
}

TEST(Metrics, FollowAgentsAndFrameworks) {
  Metrics metrics(Metrics::Side::kMaster);
  const AgentInfo a{.id = {"a"}};
  const AgentInfo b{.id = {"b"}};
  const FrameworkInfo f{.id = {"f"}};
  metrics.on_event(event::AgentAdded{&a, false});
  metrics.on_event(event::AgentAdded{&b, false});
  metrics.on_event(event::AgentDisconnected{&a.id});
  metrics.on_event(event::FrameworkAdded{&f, false});
  auto all = values(metrics);
  EXPECT_EQ(all["master/slave_registrations"], 2);
  EXPECT_EQ(all["master/slaves_active"], 1);
  EXPECT_EQ(all["master/slaves_disconnected"], 1);
  EXPECT_EQ(all["master/frameworks_active"], 1);
  metrics.on_event(event::AgentUnreachable{&a.id, "no pong"});
  metrics.on_event(event::AgentBroken{&b.id, "cpus"});
  metrics.on_event(event::FrameworkDisconnected{&f.id});
  all = values(metrics);
  EXPECT_EQ(all["master/slaves_unreachable"], 1);
  EXPECT_EQ(all["master/slaves_inactive"], 1);
  EXPECT_EQ(all["master/slaves_connected"], 1);
  EXPECT_EQ(all["master/frameworks_disconnected"], 1);
  metrics.on_event(event::AgentRemoved{&a.id, "pruned"});
  metrics.on_event(event::AgentRemoved{&b.id, "unregistered"});
  metrics.on_event(event::AgentAdded{&a, true});
  metrics.on_event(event::FrameworkRemoved{&f.id, "teardown"});
  all = values(metrics);
  // The first was counted when it became unreachable.
  EXPECT_EQ(all["master/slave_removals"], 2);
  EXPECT_EQ(all["master/slave_removals/reason_unhealthy"], 1);
  EXPECT_EQ(all["master/slave_reregistrations"], 1);
  EXPECT_EQ(all["master/slaves_active"], 1);
  EXPECT_EQ(all["master/frameworks_disconnected"], 0);
}

TEST(Metrics, CountOffersRoundsAndMessages) {
  Metrics metrics(Metrics::Side::kMaster);
  const FrameworkId framework{"f"};
  const AgentId agent{"a"};
  const Resources none;
  for (uint64_t i = 0; i < 3; ++i) {
    metrics.on_event(event::OfferMade{OfferId{i}, &framework, &agent, "eng", &none});
  }
  metrics.on_event(event::OfferEnded{OfferId{0}, event::OfferEnd::kAccepted});
  metrics.on_event(event::OfferEnded{OfferId{1}, event::OfferEnd::kRescinded});
  metrics.on_event(event::AllocationRan{1, 1, 3});
  metrics.on_event(event::MessageReceived{"decline"});
  metrics.on_event(event::MessageReceived{"accept"});
  metrics.on_event(event::MessageReceived{"accepts"});
  metrics.on_event(event::MessageReceived{"pong"});
  metrics.on_event(event::MessageDropped{"acknowledge", "unknown"});
  metrics.on_event(event::MessageDropped{"status_update", "of no task"});
  metrics.on_event(event::RegistryWritten{1, 200, 3});
  auto all = values(metrics);
  EXPECT_EQ(all["master/outstanding_offers"], 1);
  EXPECT_EQ(all["master/offers/sent"], 3);
  EXPECT_EQ(all["master/offers/accepted"], 1);
  EXPECT_EQ(all["master/offers/rescinded"], 1);
  EXPECT_EQ(all["allocator/mesos/allocation_runs"], 1);
  EXPECT_EQ(all["master/messages_decline_offers"], 1);
  EXPECT_EQ(all["master/messages_launch_tasks"], 2);
  EXPECT_EQ(all["master/messages_pong"], 1);
  EXPECT_EQ(all["master/dropped_messages"], 2);
  EXPECT_EQ(all["master/invalid_status_updates"], 1);
  EXPECT_EQ(all["master/invalid_status_update_acknowledgements"], 1);
  EXPECT_EQ(all["registrar/bytes_written"], 200);
}

TEST(Metrics, ADeposedMasterKnowsNothingAndKeepsItsCounters) {
  Metrics metrics(Metrics::Side::kMaster);
  metrics.on_event(event::Elected{1, "c-e1"});
  EXPECT_EQ(values(metrics)["master/elected"], 1);
  Task running = task("t1", TaskState::kRunning);
  const AgentInfo agent{.id = {"a"}};
  metrics.on_event(event::TaskAdded{&running, false});
  metrics.on_event(event::AgentAdded{&agent, false});
  metrics.on_event(event::Deposed{"lease"});
  auto all = values(metrics);
  EXPECT_EQ(all["master/elected"], 0);
  EXPECT_EQ(all["master/tasks_running"], 0);
  EXPECT_EQ(all["master/slaves_active"], 0);
  EXPECT_EQ(all["master/slave_registrations"], 1);
}

TEST(Metrics, OfAnAgentFollowItsTasks) {
  Metrics metrics(Metrics::Side::kAgent);
  const FrameworkId framework{"f"};
  const AgentId id{"a"};
  metrics.on_event(event::AgentRegistered{&id, 1, false});
  TaskStatus status{.task_id = {"t"}, .state = TaskState::kRunning};
  metrics.on_event(event::TaskStatusCreated{&framework, &status});
  EXPECT_EQ(values(metrics)["slave/tasks_running"], 1);
  EXPECT_EQ(values(metrics)["slave/registered"], 1);
  status.state = TaskState::kFinished;
  metrics.on_event(event::TaskStatusCreated{&framework, &status});
  metrics.on_event(event::MasterLost{"closed"});
  EXPECT_EQ(values(metrics)["slave/tasks_running"], 0);
  EXPECT_EQ(values(metrics)["slave/tasks_finished"], 1);
  EXPECT_EQ(values(metrics)["slave/registered"], 0);
}

TEST(Metrics, TakeWhatShellsReportUpToABound) {
  Metrics metrics(Metrics::Side::kMaster);
  metrics.set_gauge("master/cpus_total", 4.5);
  metrics.set_gauge("master/cpus_total", 5.5);
  metrics.add("link/frames_received", 3);
  metrics.add("link/frames_received", 4);
  EXPECT_EQ(values(metrics)["master/cpus_total"], 5.5);
  EXPECT_EQ(values(metrics)["link/frames_received"], 7);
  for (size_t i = 0; i < limits::kMetricKeysMax + 5; ++i) {
    metrics.set_gauge("x/" + std::to_string(i), 1);
  }
  EXPECT_EQ(values(metrics)["metrics/keys_refused"], 7);
  metrics.set_gauge("master/cpus_total", 6);
  EXPECT_EQ(values(metrics)["master/cpus_total"], 6);
}

TEST(Metrics, AllocateNothingForHotEvents) {
  Metrics metrics(Metrics::Side::kMaster);
  const FrameworkId framework{"f"};
  const AgentId agent{"a"};
  const Resources none;
  Task hot = task("t-with-a-name-that-does-not-fit-in-place", TaskState::kStaging);
  TaskStatus status{.task_id = hot.id};
  const auto turn = [&] {
    metrics.on_event(event::MessageReceived{"accept"});
    metrics.on_event(event::OfferMade{OfferId{1}, &framework, &agent, "eng", &none});
    metrics.on_event(event::OfferEnded{OfferId{1}, event::OfferEnd::kAccepted});
    metrics.on_event(event::TaskAdded{&hot, false});
    status.state = hot.state = TaskState::kRunning;
    metrics.on_event(event::TaskUpdated{&hot, &status});
    status.state = hot.state = TaskState::kFinished;
    metrics.on_event(event::TaskUpdated{&hot, &status});
    metrics.on_event(event::TaskRemoved{&hot});
    metrics.on_event(event::MessageDropped{"accept", "late"});
    metrics.add("link/frames", 1);
  };
  turn();
  const int64_t before = allocations;
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace tepui
