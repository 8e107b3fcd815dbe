// What a valid task is, as far as the task alone can tell.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/executors.h"
#include "common/limits.h"
#include "common/tasks.h"

namespace tepui {

namespace {

Result<void> check_times(const TaskSpec& spec) {
  if (spec.kill_policy && spec.kill_policy->grace_ns < Duration::zero()) {
    return fail("kill policy: the grace period is negative");
  }
  if (spec.max_completion_time && *spec.max_completion_time < Duration::zero()) {
    return fail("max completion time is negative");
  }
  return {};
}

Result<void> check_resources(const Resources& resources) {
  if (resources.empty()) return fail("task uses no resources");
  const std::span<const Resource> items = resources.items();
  for (size_t i = 1; i < items.size(); ++i) {
    if (items[i].name() == items[i - 1].name() &&
        items[i].kind->revocable != items[i - 1].kind->revocable) {
      return fail(fmt::format("task mixes revocable and regular '{}'", items[i].name()));
    }
  }
  std::vector<std::pair<std::string_view, std::string_view>> volumes;  // role, persistence id
  for (const Resource& item : items) {
    if (!item.kind->disk || item.kind->disk->persistence_id.empty()) continue;
    volumes.emplace_back(item.kind->reservation_role(), item.kind->disk->persistence_id);
  }
  std::sort(volumes.begin(), volumes.end());
  const auto twice = std::adjacent_find(volumes.begin(), volumes.end());
  if (twice != volumes.end()) {
    return fail(fmt::format("task uses two volumes with the persistence id '{}'", twice->second));
  }
  return {};
}

Result<void> check_limit(std::string_view name, std::optional<int64_t> limit,
                         const Resources& requests) {
  if (!limit || *limit == kUnlimited) return {};
  if (*limit <= 0 || *limit > limits::kScalarMilliMax) {
    return fail(fmt::format("limit of '{}' is {}, expected a positive amount up to {}", name,
                            milli_to_text(*limit), milli_to_text(limits::kScalarMilliMax)));
  }
  if (const int64_t request = requests.total_milli(name); *limit < request) {
    return fail(fmt::format("limit of '{}' is {}, below the request of {}", name,
                            milli_to_text(*limit), milli_to_text(request)));
  }
  return {};
}

// Exactly one of command and executor.
Result<void> check_runner(const TaskSpec& spec) {
  if (spec.executor == nullptr) {
    return has_image(spec.container) ? validate_in_image(spec.command) : validate(spec.command);
  }
  if (spec.command != CommandInfo{}) return fail("task has both a command and an executor");
  if (spec.executor->type == ExecutorInfo::Type::kDefault) {
    return fail(fmt::format("executor '{}' is the default one, which only runs groups of tasks",
                            spec.executor->id.value));
  }
  return validate(*spec.executor);
}

// What is around a custom executor is the executor's to say.
Result<void> check_container(const TaskSpec& spec) {
  if (spec.executor != nullptr) return fail("container: the task runs in that of its executor");
  Result<void> valid = validate(*spec.container);
  if (!valid.has_value()) return std::unexpected(std::move(valid.error()).in("container"));
  return {};
}

Result<void> check_discovery(const std::optional<DiscoveryInfo>& discovery) {
  if (!discovery) return {};
  const std::string_view visibility = discovery->visibility;
  if (!visibility.empty() && visibility != "framework" && visibility != "cluster" &&
      visibility != "external") {
    return fail(fmt::format("discovery: visibility '{}', expected framework, cluster or external",
                            visibility));
  }
  for (const Port& port : discovery->ports) {
    if (port.number > 65535)
      return fail(fmt::format("discovery: port {} is above 65535", port.number));
  }
  return {};
}

}  // namespace

Result<void> validate(const TaskInfo& task) {
  TRY(validate_id(task.id.value, "task id"));
  if (task.spec == nullptr) return fail("task has no spec");
  const TaskSpec& spec = *task.spec;
  TRY(check_times(spec));
  if (spec.container) TRY(check_container(spec));
  if (spec.check) TRY(validate(*spec.check));
  if (spec.health_check) TRY(validate(*spec.health_check));
  TRY(check_resources(spec.resources));
  TRY(check_runner(spec));
  TRY(check_limit("cpus", spec.limits.cpus_milli, spec.resources));
  TRY(check_limit("mem", spec.limits.mem_milli, spec.resources));
  TRY(check_discovery(spec.discovery));
  if (!spec.group.empty()) TRY(validate_id(spec.group, "task group"));
  if (spec.data.size() > limits::kTaskDataBytesMax) {
    return fail(fmt::format("data has {} bytes, at most {} are allowed", spec.data.size(),
                            limits::kTaskDataBytesMax));
  }
  return {};
}

}  // namespace tepui
