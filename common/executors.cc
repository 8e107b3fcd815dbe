#include "common/executors.h"

#include <fmt/format.h>

#include <set>
#include <string_view>
#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

// What Mesos asks of an executor that it provides itself.
constexpr int64_t kDefaultCpusMilliMin = 10;
constexpr int64_t kDefaultMemMilliMin = 32'000;

Result<void> check_command(const ExecutorInfo& executor) {
  if (executor.type == ExecutorInfo::Type::kCustom) {
    return has_image(executor.container) ? validate_in_image(executor.command)
                                         : validate(executor.command);
  }
  if (executor.command == CommandInfo{}) return {};
  return fail("it is the default one, which takes no command");
}

Result<void> check_resources(const ExecutorInfo& executor) {
  const std::span<const Resource> items = executor.resources.items();
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].kind->shared) return fail(fmt::format("it uses shared '{}'", items[i].name()));
    if (i > 0 && items[i].name() == items[i - 1].name() &&
        items[i].kind->revocable != items[i - 1].kind->revocable) {
      return fail(fmt::format("it mixes revocable and regular '{}'", items[i].name()));
    }
  }
  if (executor.type == ExecutorInfo::Type::kCustom) return {};
  const auto at_least = [&executor](std::string_view name, int64_t milli) -> Result<void> {
    const int64_t has = executor.resources.total_milli(name);
    if (has >= milli) return {};
    return fail(fmt::format("the default executor needs {} of '{}', this one has {}",
                            milli_to_text(milli), name, milli_to_text(has)));
  };
  TRY(at_least("cpus", kDefaultCpusMilliMin));
  TRY(at_least("mem", kDefaultMemMilliMin));
  return at_least("disk", 1);
}

Result<void> check_container(const ExecutorInfo& executor) {
  if (executor.type == ExecutorInfo::Type::kDefault) {
    return fail("it is the default one: each of its tasks says what its own container is");
  }
  Result<void> valid = validate(*executor.container);
  if (!valid.has_value()) return std::unexpected(std::move(valid.error()).in("container"));
  return {};
}

Result<void> check_fields(const ExecutorInfo& executor) {
  TRY(check_command(executor));
  if (executor.shutdown_grace && *executor.shutdown_grace < Duration::zero()) {
    return fail("the shutdown grace period is negative");
  }
  TRY(check_resources(executor));
  if (executor.container) TRY(check_container(executor));
  if (executor.data.size() <= limits::kTaskDataBytesMax) return {};
  return fail(fmt::format("data has {} bytes, at most {} are allowed", executor.data.size(),
                          limits::kTaskDataBytesMax));
}

}  // namespace

Result<void> validate(const ExecutorInfo& executor) {
  TRY(validate_id(executor.id.value, "executor id"));
  Result<void> fields = check_fields(executor);
  if (fields.has_value()) return {};
  return std::unexpected(
      std::move(fields.error()).in(fmt::format("executor '{}'", executor.id.value)));
}

Result<void> validate_group(const ExecutorInfo& executor, std::span<const TaskInfo> tasks) {
  TRY(validate(executor));
  if (tasks.empty()) return fail("the group has no tasks");
  std::set<std::string_view> ids;
  for (const TaskInfo& task : tasks) {
    const auto invalid = [&task](std::string_view why) {
      return fail(fmt::format("task '{}' of the group: {}", task.id.value, why));
    };
    if (task.spec != nullptr && task.spec->executor != nullptr) {
      return invalid("it has an executor of its own");
    }
    if (const Result<void> valid = validate(task); !valid.has_value()) {
      return invalid(valid.error().message);
    }
    if (!ids.insert(task.id.value).second) return invalid("its id is there twice");
  }
  return {};
}

}  // namespace tepui
