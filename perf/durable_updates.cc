#include "perf/durable_updates.h"

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "agent/agent.h"
#include "agent/shell/memory.h"
#include "common/io/clock.h"
#include "common/io/reactor.h"

namespace tepui::perf {

namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr SessionId kExecutor{1};

AgentConfig config_of() {
  AgentConfig config;
  config.info = {.hostname = "bench",
                 .address = "127.0.0.1:1",
                 .resources = Resources::scalars({{"cpus", 64'000'000}, {"mem", 64'000'000'000}}),
                 .controllers = {"cpu", "memory", "pids"}};
  config.configured = config.info.resources;
  config.build = "bench";
  config.work_dir = "/var/lib/tepui";
  config.tunables.registration_backoff = {};
  return config;
}

std::shared_ptr<const TaskSpec> spec_of() {
  auto executor = std::make_shared<ExecutorInfo>();
  executor->id = {"e"};
  executor->command.value = "./executor";
  executor->resources = Resources::scalars({{"cpus", 1000}, {"mem", 64'000}});
  TaskSpec spec;
  spec.resources = Resources::scalars({{"cpus", 100}, {"mem", 32'000}});
  spec.executor = std::move(executor);
  return std::make_shared<const TaskSpec>(std::move(spec));
}

// The world of one agent.
class World final : private AgentEffects, private AgentMemoryOwner {
 public:
  World(const std::string& folder, const DurableUpdates& work)
      : work_(work), agent_(config_of(), 1, *this), left_(work.tasks, work.updates_per_task) {
    reactor_ = Reactor::create().value();
    memory_ = AgentMemory::open(*reactor_, folder, *this).value();
  }

  double run() {
    soon([this](Now now) { agent_.on_connected(now); });
    turn_until([this] { return running_ == work_.tasks; });
    const Instant began = now().mono;
    for (uint32_t i = 0; i < work_.tasks; ++i) update(i);
    const uint64_t all = uint64_t{work_.tasks} * work_.updates_per_task;
    // What the last acknowledgements say is durable with the last append.
    turn_until([&] { return acknowledged_ == all && durable_ == appended_; });
    return static_cast<double>(all) / to_secs(now().mono - began);
  }

 private:
  template <class Done>
  void turn_until(Done done) {
    const Instant patient_until = later(now().mono, kPatience);
    while (!done()) {
      reactor_->run_once(soon_.empty() ? wake_ : reactor_->now().mono);
      for (const auto& input : std::exchange(soon_, {})) input(reactor_->now());
      if (reactor_->now().mono >= wake_) {
        wake_ = kNever;
        agent_.on_time(reactor_->now());
      }
      agent_.work(reactor_->now());
      if (!trouble_.empty()) throw std::runtime_error(trouble_);
      if (now().mono > patient_until) throw std::runtime_error("the agent does not go on");
    }
  }
  // An input that an effect leads to comes in the next turn.
  void soon(std::function<void(Now)> input) { soon_.push_back(std::move(input)); }
  void tell(MasterToAgent message) {
    soon([this, message = std::move(message)](Now now) { agent_.on_message(now, message); });
  }
  void say(ExecutorToAgent message) {
    soon([this, message = std::move(message)](Now now) {
      agent_.on_executor_message(now, kExecutor, message);
    });
  }
  void update(uint32_t task) {
    if (left_[task]-- == 0) return;
    say(UpdateTask{.status = {.task_id = {std::to_string(task)},
                              .state = TaskState::kRunning,
                              .uuid = {.high = task + 1, .low = left_[task] + 1ULL}}});
  }

  // ---- the master
  void send(const AgentToMaster& message) override {
    if (std::holds_alternative<Hello>(message)) {
      tell(HelloReply{.protocol = 1, .build = "bench", .epoch = 1, .master_id = "c-e1"});
    } else if (std::holds_alternative<RegisterAgent>(message)) {
      tell(Registered{.agent_id = {"a"}, .master_id = "c-e1", .epoch = 1});
      launch_all();
    } else if (const auto* updates = std::get_if<StatusUpdates>(&message)) {
      AcknowledgeUpdates known;
      for (const StatusUpdates::Item& item : updates->items) {
        known.items.push_back({.framework_id = item.framework_id,
                               .task_id = item.status.task_id,
                               .uuid = item.status.uuid});
      }
      acknowledged_ += known.items.size();
      tell(known);
      for (const auto& item : known.items) {
        update(static_cast<uint32_t>(std::stoul(item.task_id.value)));
      }
    }
  }
  void launch_all() {
    LaunchTasks message;
    message.frameworks.push_back({.id = {"f"}, .name = "bench", .roles = {"*"}});
    const auto spec = spec_of();
    for (uint32_t i = 0; i < work_.tasks; ++i) {
      message.tasks.push_back({.framework_id = {"f"},
                               .role = "*",
                               .task = {.id = {std::to_string(i)}, .name = "task", .spec = spec}});
    }
    tell(std::move(message));
  }
  void reconnect(std::string_view why) override { trouble_ = why; }

  // ---- the executor and its container
  void launch(const LaunchSpec& spec) override {
    soon([this, id = spec.id](Now now) { agent_.on_launched(now, id, 4711); });
    say(Hello{});
    say(SubscribeExecutor{.framework_id = {"f"}, .executor_id = {"e"}, .container_id = spec.id});
  }
  void send_executor(SessionId, const AgentToExecutor& message) override {
    if (const auto* tasks = std::get_if<RunTasks>(&message)) running_ += tasks->tasks.size();
  }
  void close_executor(SessionId, std::string_view why) override { trouble_ = why; }

  // ---- the disk
  void append(uint64_t serial, AgentRecord record) override {
    appended_ = serial;
    memory_->append(serial, record);
  }
  void on_appended(uint64_t serial) override {
    durable_ = serial;
    agent_.on_appended(reactor_->now(), serial);
  }
  void on_append_failed(const Error& error) override { trouble_ = error.message; }

  void wake_at(Instant when) override { wake_ = when; }
  void exit(std::string_view why) override { trouble_ = why; }
  // What this agent is never asked for.
  void adopt(const LaunchSpec&) override {}
  void cancel_launch(const ContainerId&) override {}
  void signal(const ContainerId&, int) override {}
  void kill(const ContainerId&) override {}
  void destroy(const ContainerId&) override {}
  void resize(const ContainerId&, const IsolationPlan&) override {}
  void probe(uint64_t, const CheckInfo&) override {}
  void end_probe(uint64_t) override {}
  void checkpoint(const AgentCheckpoint&) override {}
  void on_event(const Event&) override {}

  const DurableUpdates work_;
  Agent agent_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<AgentMemory> memory_;
  std::deque<std::function<void(Now)>> soon_;
  std::vector<uint32_t> left_;  // updates to come, by task
  uint64_t running_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t appended_ = 0;
  uint64_t durable_ = 0;
  Instant wake_ = kNever;
  std::string trouble_;
};

}  // namespace

double durable_updates_per_sec(const std::string& folder, const DurableUpdates& work) {
  return World(folder, work).run();
}

}  // namespace tepui::perf
