// The simulated framework runs some of its tasks by executors, its own or the default one.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/executors.h"
#include "sdk/operations.h"
#include "tests/sim/framework.h"

namespace tepui::sim {

using namespace std::chrono_literals;

bool SimFramework::Runner::is_own() const {
  return executor != nullptr && executor->type == ExecutorInfo::Type::kCustom;
}

SimFramework::Runner SimFramework::runner_within(const Resources& left) {
  if (plain_) return {};
  if (sometimes(4)) {
    std::shared_ptr<const ExecutorInfo> pod = pod_within(left);
    const bool is_group = pod != nullptr;
    return {.executor = std::move(pod), .group = is_group};
  }
  if (!has_executors_ || !sometimes(2)) return {};
  std::shared_ptr<const ExecutorInfo> own = executor_within(left);
  const bool is_group = own != nullptr && sometimes(3);
  return {.executor = std::move(own), .group = is_group};
}

// One of few executors, so that groups share them; null where not even that fits.
std::shared_ptr<const ExecutorInfo> SimFramework::pod_within(const Resources& left) {
  auto pod = std::make_shared<ExecutorInfo>();
  pod->id = {fmt::format("pod{}", world_.rng().below(2))};
  pod->type = ExecutorInfo::Type::kDefault;
  pod->resources = Resources::scalars({{"cpus", 100}, {"mem", 32000}, {"disk", 1000}});
  return left.contains(pod->resources) ? pod : nullptr;
}

// Likewise.
std::shared_ptr<const ExecutorInfo> SimFramework::executor_within(const Resources& left) {
  const uint64_t number = world_.rng().below(2);
  auto own = std::make_shared<ExecutorInfo>();
  own->id = {fmt::format("executor{}", number)};
  own->command.value = "executor";
  own->resources = Resources::scalars({{"cpus", 100}, {"mem", 32000}});
  if (number == 1) own->shutdown_grace = 500ms;
  // Not what was said of it before: refused where that one lives.
  if (sometimes(20)) own->data = "another";
  return left.contains(own->resources) ? own : nullptr;
}

void SimFramework::launch(Runner runner, std::vector<TaskInfo> tasks,
                          std::vector<OfferOperation>& operations) {
  if (runner.is_own()) {
    world_.reached("framework.executor");
    executors_.emplace(attempts_.at(tasks.front().id).agent, runner.executor->id);
    fates_.on_intended(options_.info.id, runner.executor->id, runner.executor->resources);
  }
  if (!runner.group) return operations.push_back(launch_tasks(std::move(tasks)));
  world_.reached("framework.group");
  std::vector<TaskId> ids;
  for (const TaskInfo& task : tasks) ids.push_back(task.id);
  fates_.groups().on_intended(options_.info.id, ids);
  operations.push_back({.type = OfferOperation::Type::kLaunchGroup,
                        .tasks = std::move(tasks),
                        .operation = {},
                        .executor = std::move(runner.executor)});
}

void SimFramework::tend_executors() {
  const std::set<std::pair<AgentId, ExecutorId>> all = executors_;
  for (const auto& [agent, executor] : all) {
    if (sometimes(20)) scheduler_->send_message(agent, executor, options_.info.id.value);
    const bool is_used = std::ranges::any_of(attempts_, [&](const auto& entry) {
      const Attempt& attempt = entry.second;
      return attempt.agent == agent && attempt.executor == executor && !attempt.abandoned &&
             !is_terminal(attempt.state);
    });
    // In peace again and again, for the wish may be lost.
    const bool ends_idle = !is_used && (calm_ ? world_.rng().chance(1, 4) : sometimes(20));
    if (!ends_idle && !sometimes(100)) continue;
    world_.reached("framework.ends_executor");
    scheduler_->shutdown_executor(agent, executor);
  }
}

void SimFramework::on_executor_lost(Scheduler&, const Failure&) {
  world_.reached("framework.executor_lost");
}

void SimFramework::on_executor_message(Scheduler&, const ExecutorMessage& message) {
  world_.reached("framework.executor_message");
  if (message.data == options_.info.id.value) return;
  world_.violated("executor",
                  fmt::format("framework {} hears '{}' of an executor", number_, message.data));
}

}  // namespace tepui::sim
