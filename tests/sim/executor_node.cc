#include "tests/sim/executor_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "common/limits.h"
#include "common/text.h"
#include "tests/sim/describe.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {

constexpr int kSegmentationFault = 11;

std::string variable(const LaunchSpec& spec, std::string_view name) {
  const auto at = std::ranges::find(spec.environment, name, &EnvironmentVariable::name);
  return at == spec.environment.end() ? std::string() : at->value;
}

}  // namespace

ExecutorNode::ExecutorNode(Surroundings around, Place place, const LaunchSpec& spec)
    : world_(around.world),
      faults_(around.faults),
      network_(around.network),
      runners_(around.runners),
      place_(std::move(place)),
      framework_(spec.framework_id),
      container_(spec.id),
      options_(options_of(spec)),
      alarm_(around.world, [this] { executor_.on_time(world_.now()); }),
      executor_(options_, around.world.rng().next(), *this, *this) {
  const ExecutorFaults& faults = faults_.executors;
  world_.reached("executor.began");
  if (draws(faults.hangs_one_in)) {
    hang_ = world_.rng().chance(1, 2) ? Hang::kSilent : Hang::kMute;
    world_.reached("executor.hangs");
  }
  never_ends_ = draws(faults.never_ends_one_in);
  if (draws(faults.crashes_one_in)) plan_crash();
  if (draws(faults.misbehaves_one_in)) misbehave();
  network_.set_end(place_.node, this);
  if (hang_ != Hang::kSilent) connect_later();
  rest();
}

ExecutorNode::~ExecutorNode() { network_.set_end(place_.node, nullptr); }

// As the driver reads it.
ExecutorOptions ExecutorNode::options_of(const LaunchSpec& spec) {
  const auto duration = [&](std::string_view name) {
    const Result<Duration> parsed = parse_duration(variable(spec, name));
    if (!parsed) world_.violated("executor", fmt::format("{}: {}", name, parsed.error().message));
    return parsed.value_or(Duration{});
  };
  return {.framework_id = {variable(spec, "MESOS_FRAMEWORK_ID")},
          .executor_id = {variable(spec, "MESOS_EXECUTOR_ID")},
          .container_id = {variable(spec, "MESOS_CONTAINER_ID")},
          .build = "sim",
          .checkpoint = variable(spec, "MESOS_CHECKPOINT") == "1",
          .recovery_timeout = duration("MESOS_RECOVERY_TIMEOUT"),
          .shutdown_grace = duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD")};
}

bool ExecutorNode::draws(uint64_t one_in) { return one_in != 0 && world_.rng().chance(1, one_in); }

void ExecutorNode::after(Duration delay, std::function<void()> action) {
  world_.after(delay, [life = std::weak_ptr<char>(life_), action = std::move(action)] {
    if (!life.expired()) action();
  });
}

// ---------------------------------------------------------------------------------- connection

void ExecutorNode::connect_later() {
  link_ = 0;
  link_up_ = false;
  after(world_.up_to(limits::kExecutorBackoffMax), [this] {
    if (link_ == 0 && !exited_) link_ = network_.connect_within(place_.node, place_.agent);
  });
}

void ExecutorNode::on_link_up(LinkNumber link) {
  if (link != link_) return;
  link_up_ = true;
  if (hang_ == Hang::kNo) executor_.on_connected(world_.now());
}

void ExecutorNode::on_payload(LinkNumber link, const Payload& payload) {
  const auto* message = std::get_if<AgentToExecutor>(&payload);
  if (link != link_ || message == nullptr) return;
  if (const auto* taken = std::get_if<UpdateTaken>(message)) {
    runners_.on_taken(framework_, container_, taken->task_id, taken->uuid);
  }
  if (std::holds_alternative<ExecutorSubscribed>(*message)) alone_ = false;
  executor_.on_message(world_.now(), *message);
}

void ExecutorNode::on_link_down(LinkNumber link, std::string_view why) {
  if (link != link_) return;
  connect_later();
  lose(why);
}

void ExecutorNode::lose(std::string_view why) {
  if (hang_ != Hang::kNo) return;
  begin_to_be_alone();
  executor_.on_lost(world_.now(), why);
}

void ExecutorNode::begin_to_be_alone() {
  if (std::exchange(alone_, true)) return;
  const Duration most = options_.recovery_timeout + options_.shutdown_grace + 1ms;
  after(most, [this, time = ++times_alone_] {
    if (!alone_ || time != times_alone_) return;
    world_.violated("executor", fmt::format("container {} lives on without an agent for {}",
                                            container_.value, to_text(options_.recovery_timeout)));
  });
}

void ExecutorNode::reconnect(std::string_view why) {
  if (link_ != 0) network_.close(link_, place_.node, why);
  begin_to_be_alone();
  connect_later();
}

void ExecutorNode::send(const ExecutorToAgent& message) {
  if (const auto* update = std::get_if<UpdateTask>(&message)) {
    runners_.on_said(framework_, update->status);
    last_said_ = update->status;
  } else if (const auto* subscribe = std::get_if<SubscribeExecutor>(&message)) {
    if (!subscribe->updates.empty()) world_.reached("executor.says_again");
    for (const TaskStatus& status : subscribe->updates) runners_.on_said(framework_, status);
  }
  if (link_up_) network_.send(link_, place_.node, message);
}

void ExecutorNode::exit(std::string_view why) {
  if (world_.tracing()) trace(fmt::format("ends: {}", why));
  if (why == "the grace period is over") world_.reached("executor.grace_was_over");
  ending_ = exited_ = true;
  after(0ns, [this] {
    if (link_ != 0) network_.close(link_, place_.node, "the executor ends");
    place_.exit({.exit_status = 0, .signal = {}, .stderr_tail = {}});
  });
}

void ExecutorNode::on_event(const Event& event) {
  world_.note(0x6500 + event.index());
  if (world_.tracing()) trace(to_line(event));
}

void ExecutorNode::trace(std::string_view line) {
  world_.trace(fmt::format("{} in {}: {}", options_.executor_id.value, container_.value, line));
}

// --------------------------------------------------------------------------------- the author's

void ExecutorNode::on_subscribed(Executor&, const ExecutorSubscribed& message) {
  world_.reached("executor.subscribed");
  if (message.framework.id != framework_ || message.executor->id != options_.executor_id) {
    world_.violated("executor",
                    fmt::format("container {} subscribed as another", container_.value));
  }
  reports_killing_ = message.framework.has(FrameworkCapability::kTaskKillingState);
}

void ExecutorNode::on_launch(Executor&, const TaskInfo& task) {
  runners_.on_received(framework_, container_, task.id);
  // Nothing new begins any more: its agent will say so.
  if (ending_) return world_.reached("executor.launch_came_too_late");
  world_.reached("executor.launch");
  running_[task.id] = false;
  after(world_.up_to(faults_.host.launch_max), [this, id = task.id] { run(id); });
}

void ExecutorNode::run(const TaskId& task) {
  if (!running_.contains(task)) return;
  Rng& rng = world_.rng();
  if (rng.chance(1, 2)) say(task, TaskState::kStarting);
  if (!rng.chance(1, 8)) say(task, TaskState::kRunning);
  const bool fails = draws(faults_.host.exit_fails_one_in);
  const Duration time = world_.up_to(faults_.host.run_max);
  if (rng.chance(1, 8)) {
    after(world_.up_to(time), [this, task] { say(task, TaskState::kRunning); });
  }
  after(time,
        [this, task, fails] { finish(task, fails ? TaskState::kFailed : TaskState::kFinished); });
}

void ExecutorNode::say(const TaskId& task, TaskState state) {
  if (running_.contains(task)) executor_.update({.task_id = task, .state = state});
}

void ExecutorNode::finish(const TaskId& task, TaskState state) {
  if (!running_.contains(task)) return;
  say(task, state);
  running_.erase(task);
  last_ended_ = task;
  rest();
}

void ExecutorNode::on_kill(Executor&, const TaskId& task, const std::optional<KillPolicy>& policy) {
  const auto at = running_.find(task);
  if (at == running_.end() || std::exchange(at->second, true)) return;
  if (draws(faults_.executors.ignores_kills_one_in)) {
    return world_.reached("executor.ignores_kill");
  }
  if (reports_killing_) say(task, TaskState::kKilling);
  const Duration grace = policy ? std::min<Duration>(policy->grace_ns, 2s) : Duration(1s);
  after(world_.up_to(grace), [this, task] { finish(task, TaskState::kKilled); });
}

void ExecutorNode::on_message(Executor& executor, std::string_view data) {
  world_.reached("executor.message");
  executor.send_message(std::string(data));
}

void ExecutorNode::on_shutdown(Executor& executor, std::string_view why) {
  world_.reached(why.starts_with("the agent did not come back") ? "executor.gave_its_agent_up"
                                                                : "executor.told_to_end");
  ending_ = true;
  if (draws(faults_.executors.ignores_end_one_in)) return world_.reached("executor.ignores_end");
  while (!running_.empty()) finish(TaskId(running_.begin()->first), TaskState::kKilled);
  executor.end();
}

// Ends some time after its last task.
void ExecutorNode::rest() {
  if (!running_.empty() || never_ends_ || hang_ != Hang::kNo) return;
  after(world_.up_to(10s), [this, number = ++rests_] {
    if (number != rests_ || !running_.empty() || ending_) return;
    if (!executor_.subscribed()) return rest();
    world_.reached("executor.has_nothing_to_do");
    ending_ = true;
    executor_.end();
  });
}

// --------------------------------------------------------------------------------------- faults

void ExecutorNode::plan_crash() {
  after(world_.up_to(faults_.host.run_max), [this] {
    if (faults_.executors.crashes_one_in == 0 || exited_) return;
    world_.reached("executor.crashed");
    ending_ = exited_ = true;
    ExitRecord record;
    if (world_.rng().chance(1, 2)) {
      record.signal = kSegmentationFault;
    } else {
      record.exit_status = static_cast<int32_t>(world_.rng().between(1, 255));
    }
    place_.exit(std::move(record));
  });
}

TaskStatus ExecutorNode::strange_status(const TaskId& task, TaskState state) {
  TaskStatus status{.task_id = task, .state = state, .source = TaskSource::kExecutor};
  status.uuid = {.high = world_.rng().next(), .low = world_.rng().next() | 1};
  status.executor_id = options_.executor_id;
  return status;
}

ExecutorToAgent ExecutorNode::strange_word() {
  const TaskId known = last_ended_.value_or(TaskId{"nobody"});
  switch (world_.rng().below(6)) {
    case 0:  // of a task that is none of its own
      return UpdateTask{strange_status({"stranger"}, TaskState::kRunning)};
    case 1:  // once more
      if (last_said_) return UpdateTask{*last_said_};
      [[fallthrough]];
    case 2:  // after its end
      return UpdateTask{strange_status(
          known, world_.rng().chance(1, 2) ? TaskState::kKilled : TaskState::kRunning)};
    case 3:  // what is not its to say
      return UpdateTask{strange_status(
          known, world_.rng().chance(1, 2) ? TaskState::kLost : TaskState::kStaging)};
    case 4: {
      TaskStatus status = strange_status(known, TaskState::kRunning);
      status.uuid = {};
      return UpdateTask{status};
    }
    default:  // it says that it is another
      return SubscribeExecutor{.framework_id = framework_,
                               .executor_id = options_.executor_id,
                               .container_id = {"another"},
                               .updates = {},
                               .tasks = {}};
  }
}

void ExecutorNode::misbehave() {
  after(world_.up_to(5s), [this] {
    if (faults_.executors.misbehaves_one_in == 0 || exited_) return;
    const ExecutorToAgent word = strange_word();
    if (const auto* update = std::get_if<UpdateTask>(&word)) {
      runners_.on_said(framework_, update->status);
    }
    world_.reached("executor.misbehaves");
    if (link_up_) network_.send(link_, place_.node, word);
    misbehave();
  });
}

}  // namespace tepui::sim
