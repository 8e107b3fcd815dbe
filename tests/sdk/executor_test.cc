#include "sdk/executor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tepui {
namespace {

using namespace std::chrono_literals;

struct Effects final : ExecutorEffects {
  std::vector<ExecutorToAgent> sent;
  std::vector<std::string> reconnects;
  std::vector<std::string> exits;
  std::vector<std::string> dropped;
  Instant wake = kNever;

  void send(const ExecutorToAgent& message) override { sent.push_back(message); }
  void reconnect(std::string_view why) override { reconnects.emplace_back(why); }
  void wake_at(Instant when) override { wake = when; }
  void exit(std::string_view why) override { exits.emplace_back(why); }
  void on_event(const Event& event) override {
    if (const auto* e = std::get_if<event::MessageDropped>(&event)) dropped.emplace_back(e->why);
  }
  template <class Message>
  std::vector<Message> take() {
    std::vector<Message> found;
    for (ExecutorToAgent& message : std::exchange(sent, {})) {
      if (auto* one = std::get_if<Message>(&message)) {
        found.push_back(std::move(*one));
      } else {
        sent.push_back(std::move(message));
      }
    }
    return found;
  }
};

struct Handler final : ExecutorHandler {
  std::vector<std::string> calls;

  void on_subscribed(Executor&, const ExecutorSubscribed&) override {
    calls.emplace_back("subscribed");
  }
  void on_launch(Executor& executor, const TaskInfo& task) override {
    calls.push_back("launch " + task.id.value);
    executor.update({.task_id = task.id, .state = TaskState::kRunning});
  }
  void on_kill(Executor& executor, const TaskId& task, const std::optional<KillPolicy>&) override {
    calls.push_back("kill " + task.value);
    executor.update({.task_id = task, .state = TaskState::kKilled});
  }
  void on_message(Executor&, std::string_view data) override {
    calls.push_back("message " + std::string(data));
  }
  void on_disconnected(Executor&, std::string_view) override { calls.emplace_back("disconnected"); }
  void on_shutdown(Executor&, std::string_view why) override {
    calls.push_back("shutdown: " + std::string(why));
  }
};

struct Bench {
  Effects effects;
  Handler handler;
  Now now{.mono = Instant(100s), .wall = WallTime(1h)};
  Executor executor;

  explicit Bench(bool checkpoint = true)
      : executor({.framework_id = {"f"},
                  .executor_id = {"e"},
                  .container_id = {"c"},
                  .checkpoint = checkpoint,
                  .recovery_timeout = 15min,
                  .shutdown_grace = 5s},
                 7, handler, effects) {}

  template <class Message>
  void receive(Message message) {
    executor.on_message(now, AgentToExecutor(std::move(message)));
  }
  SubscribeExecutor subscribe() {
    executor.on_connected(now);
    EXPECT_EQ(effects.take<Hello>().size(), 1u);
    receive(HelloReply{.protocol = 1});
    const auto subscribes = effects.take<SubscribeExecutor>();
    EXPECT_EQ(subscribes.size(), 1u);
    receive(ExecutorSubscribed{.executor = std::make_shared<const ExecutorInfo>()});
    return subscribes.empty() ? SubscribeExecutor{} : subscribes[0];
  }
  void launch(const std::string& id) {
    receive(RunTasks{.tasks = {{.id = {id}, .name = id, .spec = std::make_shared<TaskSpec>()}}});
  }
  void advance(Duration by) {
    now.mono += by;
    executor.on_time(now);
  }
};

TEST(Executor, SubscribesAsWhoItIs) {
  Bench bench;
  const SubscribeExecutor subscribed = bench.subscribe();
  EXPECT_EQ(subscribed.framework_id.value, "f");
  EXPECT_EQ(subscribed.executor_id.value, "e");
  EXPECT_EQ(subscribed.container_id.value, "c");
  EXPECT_TRUE(subscribed.updates.empty());
  EXPECT_TRUE(bench.executor.subscribed());
}

TEST(Executor, FillsInUpdatesAndKeepsThemUntilTheyAreTaken) {
  Bench bench;
  bench.subscribe();
  bench.launch("t");
  const auto updates = bench.effects.take<UpdateTask>();
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_FALSE(updates[0].status.uuid.is_nil());
  EXPECT_EQ(updates[0].status.source, TaskSource::kExecutor);
  EXPECT_EQ(updates[0].status.executor_id.value, "e");
  EXPECT_EQ(updates[0].status.timestamp, bench.now.wall);
  EXPECT_EQ(bench.executor.updates_pending(), 1u);
  bench.receive(UpdateTaken{.task_id = {"t"}, .uuid = updates[0].status.uuid});
  EXPECT_EQ(bench.executor.updates_pending(), 0u);
}

TEST(Executor, TellsARestartedAgentWhatWasNotTaken) {
  Bench bench;
  bench.subscribe();
  bench.launch("heard");
  bench.receive(UpdateTaken{.task_id = {"heard"},
                            .uuid = bench.effects.take<UpdateTask>().at(0).status.uuid});
  bench.launch("new");
  bench.executor.on_lost(bench.now, "the agent was killed");
  bench.receive(StopTask{.task_id = {"new"}});  // of a session that is over
  EXPECT_EQ(bench.handler.calls.back(), "disconnected");
  bench.executor.update({.task_id = {"new"}, .state = TaskState::kFinished});
  const SubscribeExecutor again = bench.subscribe();
  ASSERT_EQ(again.updates.size(), 2u);
  EXPECT_EQ(again.updates[0].state, TaskState::kRunning);
  EXPECT_EQ(again.updates[1].state, TaskState::kFinished);
  EXPECT_EQ(again.tasks, std::vector{TaskId{"new"}});
}

TEST(Executor, EndsItselfWhenItsAgentDoesNotComeBack) {
  Bench bench;
  bench.subscribe();
  bench.executor.on_lost(bench.now, "gone");
  bench.advance(15min - 1ns);
  EXPECT_EQ(bench.handler.calls.back(), "disconnected");
  bench.advance(1ns);
  EXPECT_EQ(bench.handler.calls.back(),
            "shutdown: the agent did not come back within the recovery timeout");
  EXPECT_TRUE(bench.effects.exits.empty());
  bench.advance(5s);
  EXPECT_EQ(bench.effects.exits, std::vector<std::string>{"the grace period is over"});
}

TEST(Executor, LivesOnWhenItsAgentComesBackInTime) {
  Bench bench;
  bench.subscribe();
  bench.executor.on_lost(bench.now, "gone");
  bench.advance(14min);
  bench.subscribe();
  bench.advance(1h);
  EXPECT_EQ(bench.handler.calls.back(), "subscribed");
}

TEST(Executor, WithoutCheckpointsEndsWithItsAgent) {
  Bench bench(false);
  bench.subscribe();
  bench.executor.on_lost(bench.now, "gone");
  EXPECT_EQ(bench.handler.calls.back(), "shutdown: the agent is gone, and nothing is checkpointed");
}

TEST(Executor, EndsOnRequestAfterItsLastUpdatesWereTaken) {
  Bench bench;
  bench.subscribe();
  bench.launch("t");
  bench.receive(EndExecutor{});
  EXPECT_EQ(bench.handler.calls.back(), "shutdown: the agent asked for it");
  bench.executor.end();
  EXPECT_TRUE(bench.effects.exits.empty()) << "an update was not taken";
  bench.receive(
      UpdateTaken{.task_id = {"t"}, .uuid = bench.effects.take<UpdateTask>().at(0).status.uuid});
  EXPECT_EQ(bench.effects.exits, std::vector<std::string>{"all is told"});
}

TEST(Executor, DoesNotWaitForEverForAnAgentThatTakesNothing) {
  Bench bench;
  bench.subscribe();
  bench.launch("t");
  bench.executor.end();
  bench.advance(1min);
  EXPECT_EQ(bench.effects.exits,
            std::vector<std::string>{"the agent did not take the last updates"});
}

TEST(Executor, WaitsNoLongerThanTheGracePeriodWhenItShutsDown) {
  Bench bench;
  bench.subscribe();
  bench.launch("t");
  bench.executor.on_lost(bench.now, "gone");
  bench.advance(15min);
  bench.executor.end();
  bench.advance(5s - 1ns);
  EXPECT_TRUE(bench.effects.exits.empty());
  bench.advance(1ns);
  EXPECT_EQ(bench.effects.exits.size(), 1u);
}

TEST(Executor, ThatIsRefusedEnds) {
  Bench bench;
  bench.executor.on_connected(bench.now);
  bench.receive(HelloReply{.protocol = 1});
  bench.receive(ErrorMessage{.message = "who are you?"});
  EXPECT_EQ(bench.handler.calls.back(), "shutdown: the agent refused this executor: who are you?");
}

TEST(Executor, SpeaksWithItsFrameworkWhileThereIsAnAgent) {
  Bench bench;
  bench.executor.send_message("too early");
  EXPECT_EQ(bench.effects.dropped.size(), 1u);
  bench.subscribe();
  bench.receive(FrameworkMessage{.data = "hello"});
  EXPECT_EQ(bench.handler.calls.back(), "message hello");
  bench.executor.send_message("good day");
  EXPECT_EQ(bench.effects.take<MessageFramework>().at(0).data, "good day");
}

TEST(Executor, LeavesAnAgentThatSpeaksAnotherProtocol) {
  Bench bench;
  bench.executor.on_connected(bench.now);
  bench.receive(HelloReply{.protocol = 9});
  EXPECT_EQ(bench.effects.reconnects,
            std::vector<std::string>{"the agent speaks protocol 9, expected 1 to 1"});
}

}  // namespace
}  // namespace tepui
