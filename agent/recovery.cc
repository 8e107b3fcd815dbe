#include "agent/recovery.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <utility>

namespace tepui {

namespace {

class Recall {
 public:
  Result<void> take(const AgentRecord& record) {
    return std::visit([this](const auto& one) { return on(one); }, record);
  }

  Result<RecoveredAgent> finish() {
    for (auto& [number, executor] : executors_) {
      if (!frameworks_.contains(executor.framework)) {
        return fail(fmt::format("executor {} is of a framework that is not there", number));
      }
      made_.executors.push_back(std::move(executor));
    }
    for (auto& [number, task] : tasks_) {
      TRY(check(number, task));
      made_.tasks.push_back(std::move(task));
    }
    for (auto& [number, framework] : frameworks_) {
      made_.frameworks.push_back(std::move(framework));
    }
    return std::move(made_);
  }

 private:
  Result<void> on(const record::Identity& one) {
    made_.identity = one;
    return {};
  }
  Result<void> on(const record::Framework& one) {
    frameworks_[one.number] = one;
    return {};
  }
  Result<void> on(const record::Task& one) {
    tasks_[one.number].accepted = one;
    return {};
  }
  Result<void> on(const record::Course& one) {
    tasks_[one.task].course = one;
    return {};
  }
  Result<void> on(const record::Status& one) {
    tasks_[one.task].waiting.push_back(one);
    return {};
  }
  Result<void> on(const record::Executor& one) {
    executors_[one.number] = one;
    return {};
  }
  // These take others away, and are not there themselves.
  Result<void> on(const record::IdentityForgotten&) { return fail("an identity is forgotten"); }
  Result<void> on(const record::FrameworkForgotten&) { return fail("a framework is forgotten"); }
  Result<void> on(const record::TaskForgotten&) { return fail("a task is forgotten"); }
  Result<void> on(const record::ExecutorForgotten&) { return fail("an executor is forgotten"); }
  Result<void> on(const record::TaskGroup&) { return fail("tasks are in one record"); }
  Result<void> on(const record::Acknowledged&) { return fail("a status is acknowledged"); }

  Result<void> check(uint64_t number, const RecoveredTask& task) const {
    const auto broken = [number](std::string_view what) {
      return fail(fmt::format("what is remembered of task {} {}", number, what));
    };
    if (task.accepted.number != number) return broken("does not say what it is");
    if (task.accepted.spec == nullptr) return broken("does not say what it runs");
    const auto framework = frameworks_.find(task.accepted.framework);
    if (framework == frameworks_.end()) return broken("names a framework that is not there");
    if (framework->second.info.id != task.accepted.task.framework_id) {
      return broken("names two frameworks");
    }
    for (size_t i = 0; i < task.waiting.size(); ++i) {
      const record::Status& status = task.waiting[i];
      if (status.status.task_id != task.accepted.task.id) return broken("has another's status");
      if (i > 0 && status.number != task.waiting[i - 1].number + 1) {
        return broken("lacks a status between two others");
      }
    }
    return {};
  }

  RecoveredAgent made_;
  std::map<uint64_t, record::Framework> frameworks_;
  std::map<uint64_t, RecoveredTask> tasks_;
  std::map<uint64_t, record::Executor> executors_;
};

}  // namespace

Result<RecoveredAgent> recall(std::span<const AgentRecord> records) {
  Recall recall;
  for (const AgentRecord& record : records) TRY(recall.take(record));
  return recall.finish();
}

Result<RecoveryKind> judge_recovery(const RecoveredAgent& memory, const AgentInfo& configured,
                                    const AgentGround& ground, const RecoveryTerms& terms) {
  if (!memory.identity) return RecoveryKind::kAnew;
  const AgentGround& before = memory.identity->ground;
  const bool rebooted = before.boot_id != ground.boot_id;
  if (!rebooted && before.runtime_dir != ground.runtime_dir) {
    return fail(
        fmt::format("the runtime directory '{}' became '{}', and containers that run are "
                    "found in the former only",
                    before.runtime_dir, ground.runtime_dir));
  }
  if (!rebooted && before.cgroup_root != ground.cgroup_root) {
    return fail(
        fmt::format("the cgroup root '{}' became '{}', and containers that run are found in the "
                    "former only",
                    before.cgroup_root, ground.cgroup_root));
  }
  if (terms.cleanup) return rebooted ? RecoveryKind::kRebooted : RecoveryKind::kResume;
  Result<void> may = check_reconfiguration(terms.policy, memory.identity->info, configured);
  if (may) return rebooted ? RecoveryKind::kRebooted : RecoveryKind::kResume;
  if (rebooted) return RecoveryKind::kAnew;
  return fail(fmt::format(
      "{}; --reconfiguration-policy={} allows {}", may.error().message,
      terms.policy == ReconfigurationPolicy::kEqual ? "equal" : "additive",
      terms.policy == ReconfigurationPolicy::kEqual
          ? "no change"
          : "resources and attributes to be added and to grow, and a domain to be given"));
}

std::set<ContainerId> containers_to_adopt(const RecoveredAgent& memory, RecoveryKind kind) {
  std::set<ContainerId> containers;
  if (kind != RecoveryKind::kResume) return containers;
  for (const RecoveredTask& task : memory.tasks) {
    const std::optional<TaskStatus>& last = task.course.acknowledged;
    const bool ended = task.waiting.empty() ? last && is_terminal(last->state)
                                            : is_terminal(task.waiting.back().status.state);
    if (ended) continue;
    containers.insert(task.accepted.task.container_id);
    if (!task.accepted.parent.empty()) containers.insert(task.accepted.parent);
  }
  for (const record::Executor& executor : memory.executors) {
    // The container of a group is there for its members.
    if (executor.info->type == ExecutorInfo::Type::kCustom)
      containers.insert(executor.container_id);
  }
  return containers;
}

}  // namespace tepui
