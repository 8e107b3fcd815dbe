#pragma once
// FakeEffects records what an agent core did; Bench drives one agent through it: a clock that only
// the test moves, a master's side of the conversation, containers that start and end on command.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/agent.h"

namespace tepui {

class FakeEffects : public AgentEffects {
 public:
  void on_event(const Event& event) override {
    if (const auto* dropped = std::get_if<event::MessageDropped>(&event)) {
      dropped_.emplace_back(dropped->why);
    } else if (const auto* status = std::get_if<event::TaskStatusCreated>(&event)) {
      created.push_back(*status->status);
    } else if (const auto* lost = std::get_if<event::MasterLost>(&event)) {
      masters_lost.emplace_back(lost->why);
    } else if (std::holds_alternative<event::AgentRegistered>(event)) {
      ++registrations;
    } else if (const auto* destroyed = std::get_if<event::ContainerDestroyed>(&event)) {
      destroyed_events.push_back(*destroyed->id);
    }
  }
  void send(const AgentToMaster& message) override { sent.push_back(message); }
  void reconnect(std::string_view why) override { reconnects.emplace_back(why); }
  void launch(const LaunchSpec& spec) override { launches.push_back(spec); }
  void cancel_launch(const ContainerId& id) override { cancelled.push_back(id); }
  void adopt(const LaunchSpec& spec) override { adoptions.push_back(spec); }
  void append(uint64_t serial, AgentRecord record) override {
    EXPECT_EQ(serial, appended + 1);
    appended = serial;
    records.push_back(std::move(record));
  }
  void signal(const ContainerId& id, int signal_number) override {
    signals.emplace_back(id, signal_number);
  }
  void kill(const ContainerId& id) override { kills.push_back(id); }
  void destroy(const ContainerId& id) override { destroys.push_back(id); }
  void resize(const ContainerId& id, const IsolationPlan& plan) override {
    resizes.emplace_back(id, plan);
  }
  void send_executor(SessionId to, const AgentToExecutor& message) override {
    to_executors.emplace_back(to, message);
  }
  void close_executor(SessionId session, std::string_view why) override {
    closed.emplace_back(session, why);
  }
  void probe(uint64_t number, const CheckInfo& check) override { probes[number] = check; }
  void end_probe(uint64_t number) override { probes.erase(number); }
  void checkpoint(const AgentCheckpoint& checkpoint) override { checkpoints.push_back(checkpoint); }
  void wake_at(Instant when) override { wake = when; }
  void exit(std::string_view why) override { exits.emplace_back(why); }

  // All messages of one type, taken out.
  template <class Message>
  std::vector<Message> take() {
    std::vector<Message> found;
    std::erase_if(sent, [&found](AgentToMaster& message) {
      auto* wanted = std::get_if<Message>(&message);
      if (wanted == nullptr) return false;
      found.push_back(std::move(*wanted));
      return true;
    });
    return found;
  }

  std::vector<AgentToMaster> sent;
  std::vector<std::string> reconnects;
  std::vector<LaunchSpec> launches;
  std::vector<LaunchSpec> adoptions;
  std::vector<AgentRecord> records;
  uint64_t appended = 0;
  std::vector<ContainerId> cancelled;
  std::vector<std::pair<ContainerId, int>> signals;
  std::vector<ContainerId> kills;
  std::vector<ContainerId> destroys;
  std::map<uint64_t, CheckInfo> probes;  // that are out
  std::vector<std::pair<ContainerId, IsolationPlan>> resizes;
  std::vector<std::pair<SessionId, AgentToExecutor>> to_executors;
  std::vector<std::pair<SessionId, std::string>> closed;
  std::vector<std::string> exits;
  std::vector<AgentCheckpoint> checkpoints;
  Instant wake = kNever;

  std::vector<std::string> dropped_;
  std::vector<TaskStatus> created;
  std::vector<std::string> masters_lost;
  std::vector<ContainerId> destroyed_events;
  int registrations = 0;
};

inline AgentConfig bench_config() {
  AgentConfig config;
  config.info.hostname = "host";
  config.info.address = "127.0.0.1:5051";
  config.info.resources = Resources::scalars({{"cpus", 4000}, {"mem", 4096000}});
  config.info.controllers = {"cpu", "memory", "pids"};
  config.build = "test";
  config.work_dir = "/var/lib/tepui";
  return config;
}

class Bench {
 public:
  explicit Bench(AgentConfig config = bench_config(), uint64_t seed = 1)
      : agent(std::move(config), seed, effects) {}

  ~Bench() { check(); }

  // Every input is followed by the batched part of its turn, as in a shell, and by what it had to
  // wait for the disk for, unless a test lets the disk wait.
  template <class Input>
  void turn(Input&& input) {
    input(now());
    agent.work(now());
    if (disk_works) sync();
    check();
  }

  // All records become durable.
  void sync() {
    while (synced < effects.appended) {
      synced = effects.appended;
      agent.on_appended(now(), synced);
      agent.work(now());
    }
  }

  Now now() const {
    return Now{.mono = clock, .wall = WallTime(std::chrono::hours(1)) + (clock - Instant())};
  }

  void check() {
    const Result<void> sound = agent.audit();
    EXPECT_TRUE(sound.has_value()) << (sound ? "" : sound.error().message);
  }

  // ---- time
  // Moves the clock, stopping at every moment at which the agent asked to be woken.
  void advance(Duration by) {
    const Instant until = clock + by;
    while (effects.wake <= until) {
      clock = std::max(clock, effects.wake);
      effects.wake = kNever;
      turn([this](Now now) { agent.on_time(now); });
    }
    clock = until;
    turn([this](Now now) { agent.on_time(now); });
  }

  // ---- the master
  template <class Message>
  void receive(Message message) {
    turn([&](Now now) { agent.on_message(now, MasterToAgent(std::move(message))); });
  }

  void connect() {
    turn([this](Now now) { agent.on_connected(now); });
  }
  void disconnect() {
    turn([this](Now now) { agent.on_disconnected(now, "test"); });
  }
  void greet(uint64_t epoch = 1, std::vector<std::string> capabilities = {}) {
    receive(HelloReply{.protocol = 1,
                       .build = "m",
                       .capabilities = std::move(capabilities),
                       .epoch = epoch,
                       .master_id = "c-e1",
                       .error = {}});
  }
  Registered registered(std::string id = "agent-1", uint64_t epoch = 1) const {
    return Registered{.agent_id = AgentId{std::move(id)},
                      .master_id = "c-e1",
                      .epoch = epoch,
                      .ping_timeout = std::chrono::seconds(75)};
  }
  // The whole way to a registered agent.
  void enlist(uint64_t epoch = 1) {
    connect();
    greet(epoch);
    advance(std::chrono::seconds(1));
    receive(registered("agent-1", epoch));
    effects.take<Hello>();
    effects.take<RegisterAgent>();
  }

  FrameworkInfo framework(std::string id = "f", uint32_t capabilities = 0) const {
    FrameworkInfo info;
    info.id = FrameworkId{std::move(id)};
    info.name = "framework";
    info.user = "worker";
    info.roles = {"eng"};
    info.capabilities = capabilities;
    return info;
  }

  static TaskSpec spec(int64_t cpus_milli = 1000, int64_t mem_milli = 256000) {
    TaskSpec spec;
    spec.resources = Resources::scalars({{"cpus", cpus_milli}, {"mem", mem_milli}});
    spec.command.value = "true";
    return spec;
  }

  void launch(const std::string& task, TaskSpec given = spec(), uint32_t capabilities = 0,
              const std::string& framework_id = "f") {
    LaunchTasks message;
    message.frameworks.push_back(framework(framework_id, capabilities));
    message.tasks.push_back(LaunchTasks::Item{
        .framework_id = FrameworkId{framework_id},
        .role = "eng",
        .task = TaskInfo{.id = TaskId{task},
                         .name = task,
                         .spec = std::make_shared<const TaskSpec>(std::move(given))}});
    receive(message);
  }
  void kill(const std::string& task, std::optional<Duration> grace = {},
            const std::string& framework_id = "f") {
    KillTask message{.framework_id = FrameworkId{framework_id}, .task_id = TaskId{task}};
    if (grace) message.kill_policy = KillPolicy{.grace_ns = *grace};
    receive(message);
  }

  // ---- the machine
  // The newest container that was launched for the task.
  ContainerId container(const std::string& task) const {
    for (auto spec = effects.launches.rbegin(); spec != effects.launches.rend(); ++spec) {
      if (spec->task_id.value == task) return spec->id;
    }
    ADD_FAILURE() << "no container was launched for " << task;
    return {};
  }
  void started(const std::string& task) {
    const ContainerId id = container(task);
    turn([&](Now now) { agent.on_launched(now, id, 4711); });
  }
  void run(const std::string& task, TaskSpec given = spec(), uint32_t capabilities = 0) {
    launch(task, std::move(given), capabilities);
    started(task);
  }
  void exits(const std::string& task, const ExitRecord& record) {
    const ContainerId id = container(task);
    turn([&](Now now) { agent.on_exit(now, id, record); });
  }
  void exits(const std::string& task, int32_t status) {
    exits(task, ExitRecord{.exit_status = status, .signal = {}, .stderr_tail = {}});
  }
  void dies(const std::string& task, int32_t signal) {
    exits(task, ExitRecord{.exit_status = {}, .signal = signal, .stderr_tail = {}});
  }
  void destroyed(const std::string& task) {
    const ContainerId id = container(task);
    turn([&](Now now) { agent.on_destroyed(now, id); });
  }

  // ---- statuses
  // Acknowledges every status that comes, and answers the last one of the task.
  TaskStatus settle(const std::string& task) {
    TaskStatus last;
    for (std::vector<StatusUpdates> batches = effects.take<StatusUpdates>(); !batches.empty();
         batches = effects.take<StatusUpdates>()) {
      AcknowledgeUpdates acknowledgement;
      for (const StatusUpdates& batch : batches) {
        for (const StatusUpdates::Item& item : batch.items) {
          if (item.status.task_id.value == task) last = item.status;
          acknowledgement.items.push_back({.framework_id = item.framework_id,
                                           .task_id = item.status.task_id,
                                           .uuid = item.status.uuid});
        }
      }
      receive(acknowledgement);
    }
    return last;
  }
  // The states the agent gave a task, in order.
  std::vector<TaskState> states(const std::string& task) const {
    std::vector<TaskState> states;
    for (const TaskStatus& status : effects.created) {
      if (status.task_id.value == task) states.push_back(status.state);
    }
    return states;
  }
  const TaskStatus& newest(const std::string& task) const {
    static const TaskStatus kNone;
    for (auto status = effects.created.rbegin(); status != effects.created.rend(); ++status) {
      if (status->task_id.value == task) return *status;
    }
    ADD_FAILURE() << "no status was created for " << task;
    return kNone;
  }

  FakeEffects effects;
  bool disk_works = true;
  uint64_t synced = 0;
  Instant clock = Instant(std::chrono::seconds(100));
  Agent agent;
};

}  // namespace tepui
