#include "common/executors.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/limits.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

Resources parsed(std::string_view text) { return Resources::parse(text).value(); }

ExecutorInfo custom() {
  return {.id = {"e"}, .command = {.value = "./executor"}, .resources = parsed("cpus:0.1;mem:32")};
}
ExecutorInfo standard() {
  return {.id = {"pod"},
          .type = ExecutorInfo::Type::kDefault,
          .resources = parsed("cpus:0.1;mem:32;disk:1")};
}

std::string refusal(ExecutorInfo executor, const std::function<void(ExecutorInfo&)>& change) {
  change(executor);
  const Result<void> result = validate(executor);
  return result.has_value() ? "accepted" : result.error().message;
}

TaskInfo task(std::string id, const std::function<void(TaskSpec&)>& change = [](TaskSpec&) {}) {
  auto spec = std::make_shared<TaskSpec>();
  spec->resources = parsed("cpus:1;mem:64");
  spec->command.value = "true";
  change(*spec);
  return {.id = {std::move(id)}, .name = "", .spec = spec};
}

TEST(Executors, OfBothTypesAreAccepted) {
  EXPECT_EQ(refusal(custom(), [](ExecutorInfo&) {}), "accepted");
  EXPECT_EQ(refusal(custom(), [](ExecutorInfo& e) { e.resources = {}; }), "accepted");
  EXPECT_EQ(refusal(standard(), [](ExecutorInfo&) {}), "accepted");
}

TEST(Executors, SayWhatIsWrongWithThem) {
  EXPECT_EQ(refusal(custom(), [](ExecutorInfo& e) { e.id = {"a/b"}; }),
            "executor id 'a/b' contains '/'");
  EXPECT_EQ(refusal(custom(), [](ExecutorInfo& e) { e.command = {}; }),
            "executor 'e': command is empty");
  EXPECT_EQ(refusal(standard(), [](ExecutorInfo& e) { e.command.value = "x"; }),
            "executor 'pod': it is the default one, which takes no command");
  EXPECT_EQ(refusal(custom(), [](ExecutorInfo& e) { e.shutdown_grace = -1s; }),
            "executor 'e': the shutdown grace period is negative");
  EXPECT_EQ(refusal(standard(), [](ExecutorInfo& e) { e.resources = parsed("cpus:1;mem:31"); }),
            "executor 'pod': the default executor needs 32 of 'mem', this one has 31");
  EXPECT_EQ(refusal(standard(), [](ExecutorInfo& e) { e.resources = parsed("cpus:1;mem:32"); }),
            "executor 'pod': the default executor needs 0.001 of 'disk', this one has 0");
  EXPECT_EQ(
      refusal(custom(), [](ExecutorInfo& e) { e.data.resize(limits::kTaskDataBytesMax + 1); }),
      "executor 'e': data has 1048577 bytes, at most 1048576 are allowed");
}

TEST(Executors, OfATaskExcludeItsCommandAndGroups) {
  const auto refused = [](ExecutorInfo executor, CommandInfo command) {
    const Result<void> result = validate(task("t", [&](TaskSpec& spec) {
      spec.executor = std::make_shared<const ExecutorInfo>(std::move(executor));
      spec.command = std::move(command);
    }));
    return result.has_value() ? "accepted" : result.error().message;
  };
  EXPECT_EQ(refused(custom(), {}), "accepted");
  EXPECT_EQ(refused(custom(), {.value = "true"}), "task has both a command and an executor");
  EXPECT_EQ(refused(standard(), {}),
            "executor 'pod' is the default one, which only runs groups of tasks");
}

TEST(Executors, TakeGroupsOfValidTasksOnly) {
  const auto refused = [](const std::vector<TaskInfo>& tasks) {
    const Result<void> result = validate_group(standard(), tasks);
    return result.has_value() ? "accepted" : result.error().message;
  };
  EXPECT_EQ(refused({task("a"), task("b")}), "accepted");
  EXPECT_EQ(refused({}), "the group has no tasks");
  EXPECT_EQ(refused({task("a"), task("a")}), "task 'a' of the group: its id is there twice");
  EXPECT_EQ(refused({task("a"), task("b", [](TaskSpec& spec) { spec.command = {}; })}),
            "task 'b' of the group: command is empty");
  EXPECT_EQ(refused({task("a",
                          [](TaskSpec& spec) {
                            spec.executor = std::make_shared<const ExecutorInfo>(custom());
                          })}),
            "task 'a' of the group: it has an executor of its own");
}

}  // namespace
}  // namespace tepui
