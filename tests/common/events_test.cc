#include "common/events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "common/executors.h"

namespace tepui {
namespace {

// One of each kind, in the order of the variant.
struct Samples {
  AgentInfo agent{
      .id = {"a1"}, .hostname = "node1", .resources = Resources::scalars({{"cpus", 1500}})};
  FrameworkInfo framework{.id = {"f1"}, .name = "batch", .roles = {"eng", "ops"}};
  TaskStatus status{.task_id = {"t1"},
                    .state = TaskState::kFailed,
                    .source = TaskSource::kAgent,
                    .reason = TaskReason::kContainerLaunchFailed,
                    .exit_status = 3,
                    .message = "no such file"};
  Task task{.id = {"t1"},
            .framework_id = {"f1"},
            .agent_id = {"a1"},
            .kind = TaskKind{.resources = Resources::scalars({{"mem", 2000}})},
            .state = TaskState::kRunning};
  ContainerId container{"c1"};
  Quota quota{.guarantees = {}, .limits_milli = {{"cpus", 4000}}};
  Unavailability window{.start = WallTime(Duration(1)), .duration = std::chrono::hours(1)};
  Operation operation{.id = {"o1"}};
  ExecutorInfo executor{.id = {"e1"}};
  OperationStatus operation_status{.state = OperationState::kError, .message = "no"};

  std::vector<Event> all() const {
    return {event::Elected{3, "c-e3"},
            event::Deposed{"lease lost"},
            event::AgentAdded{&agent, true},
            event::AgentDisconnected{&agent.id},
            event::AgentUnreachable{&agent.id, "no pong"},
            event::AgentRemoved{&agent.id, "unregistered"},
            event::AgentBroken{&agent.id, "cpus"},
            event::FrameworkAdded{&framework, false},
            event::FrameworkRecovered{&framework},
            event::FrameworkUpdated{&framework},
            event::FrameworkDisconnected{&framework.id},
            event::FrameworkRemoved{&framework.id, "teardown"},
            event::TaskAdded{&task, false},
            event::TaskUpdated{&task, &status},
            event::TaskRemoved{&task},
            event::OfferMade{OfferId{7}, &framework.id, &agent.id, "eng", &task.kind->resources},
            event::OfferEnded{OfferId{7}, event::OfferEnd::kTimedOut},
            event::AllocationRan{9, 10, 11},
            event::RoleChanged{"eng", 2500},
            event::RegistryWritten{1, 200, 3},
            event::RegistryFailed{"disk full"},
            event::AgentRegistered{&agent.id, 3, false},
            event::AgentRecovered{&agent.id, 3, 2, 1, false},
            event::MasterLost{"closed"},
            event::ContainerLaunching{&container, &task.id},
            event::ContainerStarted{&container, 4711},
            event::ContainerLaunchFailed{&container, "no such file"},
            event::ContainerExited{&container, 0, 9},
            event::ContainerDestroyed{&container},
            event::TaskStatusCreated{&framework.id, &status},
            event::TaskStatusAcknowledged{&framework.id, &task.id, Uuid{1, 2}},
            event::AgentDegraded{"no memory controller"},
            event::PeerRejected{SessionId{5}, "old epoch"},
            event::MessageReceived{"accept"},
            event::MessageDropped{"accept", "unknown offer"},
            event::QuotaChanged{"eng", &quota},
            event::AgentStanding{&agent.id, true, "draining"},
            event::AgentPlanned{&agent.id, &window},
            event::MachineChanged{"host-1", "down", &window, true},
            event::InverseOfferAnswered{&framework.id, &agent.id, true, {}},
            event::AgentUpdated{&agent},
            event::OperationUpdated{&agent.id, &framework.id, &operation, &operation_status},
            event::ExecutorAdded{&framework.id, &agent.id, &executor, "eng"},
            event::ExecutorRemoved{&framework.id, &agent.id, &executor, "eng"}};
  }
};

std::string line(const Event& event) {
  const LogRecord record = describe(event);
  std::string line(record.name);
  for (const auto& [key, value] : record.fields) line += " " + std::string(key) + "=" + value;
  return line;
}

TEST(Events, EachKindHasANameOfItsOwn) {
  const Samples samples;
  const std::vector<Event> events = samples.all();
  ASSERT_EQ(events.size(), std::variant_size_v<Event>);
  std::set<std::string_view> names;
  for (size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].index(), i);
    const LogRecord record = describe(events[i]);
    EXPECT_TRUE(names.insert(record.name).second) << record.name;
    EXPECT_NE(record.name.find('.'), std::string_view::npos) << record.name;
    EXPECT_FALSE(record.fields.empty()) << record.name;
  }
}

TEST(Events, BecomeALineWithTheirFields) {
  const Samples samples;
  const std::vector<Event> events = samples.all();
  EXPECT_EQ(line(events[0]), "master.elected epoch=3 master=c-e3");
  EXPECT_EQ(line(events[2]),
            "agent.added agent=a1 hostname=node1 resources=cpus:1.5 reregistered=true");
  EXPECT_EQ(line(events[7]),
            "framework.added framework=f1 name=batch roles=eng,ops resubscribed=false");
  EXPECT_EQ(line(events[13]),
            "task.updated task=t1 framework=f1 agent=a1 state=TASK_RUNNING status=TASK_FAILED "
            "source=SOURCE_AGENT reason=REASON_CONTAINER_LAUNCH_FAILED exit_status=3 "
            "message=no such file");
  EXPECT_EQ(line(events[15]),
            "offer.made offer=e0-o7 framework=f1 agent=a1 role=eng resources=mem:2");
  EXPECT_EQ(line(events[16]), "offer.ended offer=e0-o7 how=timed out");
  EXPECT_EQ(line(events[18]), "role.changed role=eng weight=2.5");
  EXPECT_EQ(line(events[27]), "container.exited container=c1 exit_status=0 signal=9");
}

TEST(Events, SeverityFollowsWhatAHumanMustKnow) {
  const Samples samples;
  std::set<std::string_view> errors;
  std::set<std::string_view> debug;
  std::set<std::string_view> warnings;
  for (const Event& event : samples.all()) {
    const LogRecord record = describe(event);
    if (record.severity == Severity::kError) errors.insert(record.name);
    if (record.severity == Severity::kWarning) warnings.insert(record.name);
    if (record.severity == Severity::kDebug) debug.insert(record.name);
  }
  EXPECT_EQ(errors, (std::set<std::string_view>{"agent.broken", "registry.failed"}));
  EXPECT_EQ(warnings,
            (std::set<std::string_view>{"master.deposed", "agent.disconnected", "agent.unreachable",
                                        "master.lost", "container.launch_failed", "agent.degraded",
                                        "peer.rejected"}));
  for (const char* hot : {"offer.made", "offer.ended", "task.updated", "message.received",
                          "status.created", "allocation.ran"}) {
    EXPECT_TRUE(debug.contains(hot)) << hot;
  }
}

}  // namespace
}  // namespace tepui
