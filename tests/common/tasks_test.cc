#include "common/tasks.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "common/limits.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

TaskState state(int number) { return static_cast<TaskState>(number); }

TEST(TaskStates, HaveTheNamesAndNumbersOfMesos) {
  EXPECT_EQ(to_text(TaskState::kRunning), "TASK_RUNNING");
  EXPECT_EQ(to_text(state(0)), "TASK_STARTING");
  EXPECT_EQ(to_text(state(6)), "TASK_STAGING");
  EXPECT_EQ(to_text(state(12)), "TASK_GONE_BY_OPERATOR");
  EXPECT_EQ(to_text(state(14)), "");
  std::set<std::string_view> names;
  for (int i = 0; i < kTaskStateCount; ++i) {
    names.insert(to_text(state(i)));
    EXPECT_EQ(parse_task_state(to_text(state(i))), state(i));
  }
  EXPECT_EQ(names.size(), size_t{kTaskStateCount});
  EXPECT_EQ(parse_task_state("RUNNING"), std::nullopt);
}

TEST(TaskReasons, HaveTheNamesAndNumbersOfMesos) {
  EXPECT_EQ(to_text(TaskReason::kTaskInvalid), "REASON_TASK_INVALID");
  EXPECT_EQ(to_text(static_cast<TaskReason>(5)), "REASON_INVALID_FRAMEWORKID");
  EXPECT_EQ(to_text(static_cast<TaskReason>(34)), "REASON_AGENT_DRAINING");
  EXPECT_EQ(to_text(TaskReason::kNone), "");
  std::set<std::string_view> names;
  for (int i = 0; i < kTaskReasonCount; ++i) names.insert(to_text(static_cast<TaskReason>(i)));
  EXPECT_EQ(names.size(), size_t{kTaskReasonCount});
  EXPECT_EQ(to_text(TaskSource::kExecutor), "SOURCE_EXECUTOR");
}

TEST(TaskStates, FollowEachOtherAsInTheTable) {
  // Rows are the state before, columns the state after, both by number:
  // STARTING RUNNING FINISHED FAILED KILLED LOST STAGING ERROR KILLING DROPPED UNREACHABLE GONE
  // GONE_BY_OPERATOR UNKNOWN.
  constexpr const char* kLive = "xxxxxx.xxxxxx.";
  constexpr const char* kDead = "..............";
  constexpr const char* kLost = "xxxxx..xxxxxx.";
  const char* const table[kTaskStateCount] = {kLive, kLive, kDead, kDead, kDead, kLost, kLive,
                                              kDead, kLive, kDead, kLive, kDead, kDead, kLive};
  for (int from = 0; from < kTaskStateCount; ++from) {
    for (int to = 0; to < kTaskStateCount; ++to) {
      EXPECT_EQ(may_follow(state(from), state(to)), table[from][to] == 'x')
          << to_text(state(from)) << " to " << to_text(state(to));
    }
    EXPECT_EQ(is_terminal(state(from)), table[from] == kDead || table[from] == kLost)
        << to_text(state(from));
  }
}

Resources parsed(std::string_view text) { return Resources::parse(text).value(); }

TaskInfo task(const std::function<void(TaskSpec&)>& change) {
  auto spec = std::make_shared<TaskSpec>();
  spec->resources = parsed("cpus:1;mem:64");
  spec->command.value = "true";
  change(*spec);
  return {.id = {"t1"}, .name = "t", .spec = spec};
}

std::string refusal(const std::function<void(TaskSpec&)>& change) {
  const Result<void> result = validate(task(change));
  return result ? "accepted" : result.error().message;
}

Resources one(ResourceKind kind) {
  return Resources::create({{make_kind(std::move(kind)), Amount{1000}}}).value();
}

TEST(TaskValidation, AcceptsWhatCanRun) {
  EXPECT_EQ(refusal([](TaskSpec&) {}), "accepted");
  EXPECT_EQ(refusal([](TaskSpec& spec) {
              spec.kill_policy = KillPolicy{0s};
              spec.max_completion_time = 1h;
              spec.limits = {.cpus_milli = kUnlimited, .mem_milli = 64000};
              spec.command.environment = {{"A", "b=c"}, {"EMPTY", ""}};
              spec.discovery = DiscoveryInfo{.visibility = "cluster", .ports = {{.number = 80}}};
            }),
            "accepted");
  EXPECT_EQ(refusal([](TaskSpec& spec) {
              spec.command = {.shell = false, .value = "/bin/ls", .arguments = {"ls", "-l"}};
            }),
            "accepted");
}

TEST(TaskValidation, RefusesIdsAndTimes) {
  TaskInfo nameless = task([](TaskSpec&) {});
  nameless.id.value = "a/b";
  EXPECT_EQ(validate(nameless).error().message, "task id 'a/b' contains '/'");
  EXPECT_EQ(validate({.id = {"t"}, .name = "", .spec = nullptr}).error().message,
            "task has no spec");
  EXPECT_EQ(refusal([](TaskSpec& spec) { spec.kill_policy = KillPolicy{-1ns}; }),
            "kill policy: the grace period is negative");
  EXPECT_EQ(refusal([](TaskSpec& spec) { spec.max_completion_time = -1ns; }),
            "max completion time is negative");
}

TEST(TaskValidation, RefusesResourcesThatDoNotGoTogether) {
  EXPECT_EQ(refusal([](TaskSpec& spec) { spec.resources = {}; }), "task uses no resources");
  EXPECT_EQ(
      refusal([](TaskSpec& spec) { spec.resources += one({.name = "cpus", .revocable = true}); }),
      "task mixes revocable and regular 'cpus'");
  EXPECT_EQ(refusal([](TaskSpec& spec) {
              spec.resources = one({.name = "cpus", .revocable = true}) + parsed("mem:64");
            }),
            "accepted");
  EXPECT_EQ(refusal([](TaskSpec& spec) {
              ResourceKind volume{.name = "disk", .disk = Disk{.persistence_id = "v"}};
              spec.resources += one(volume);
              volume.disk->container_path = "other";
              spec.resources += one(volume);
            }),
            "task uses two volumes with the persistence id 'v'");
}

TEST(TaskValidation, RefusesCommandsThatCannotRun) {
  const auto command = [](CommandInfo info) {
    return refusal([&info](TaskSpec& spec) { spec.command = info; });
  };
  EXPECT_EQ(command({}), "command is empty");
  EXPECT_EQ(command({.shell = false}), "command names no program");
  EXPECT_EQ(command({.value = "ls", .arguments = {"-l"}}),
            "command has arguments, which a shell command does not take");
  EXPECT_EQ(command({.shell = false, .value = "ls", .arguments = {std::string("a\0b", 3)}}),
            "command contains a zero byte");
  EXPECT_EQ(command({.value = "ls", .environment = {{"", "x"}}}),
            "environment: a variable has no name");
  EXPECT_EQ(command({.value = "ls", .environment = {{"A=B", "x"}}}),
            "environment: the name 'A=B' contains '=' or a zero byte");
  EXPECT_EQ(command({.value = "ls", .uris = {{.value = "http://x/y"}}}), "accepted");
}

TEST(TaskValidation, RefusesUrisThatCannotBeFetched) {
  const auto uri = [](Uri one) {
    return refusal([&one](TaskSpec& spec) { spec.command.uris = {one}; });
  };
  const std::string digits(64, 'a');
  EXPECT_EQ(uri({.value = "HTTPS://x/y?z#a", .checksum = "sha256:" + digits}), "accepted");
  EXPECT_EQ(uri({.value = "file:///etc/hosts", .output_file = "a/b"}), "accepted");
  EXPECT_EQ(uri({.value = "/etc/hosts"}), "accepted");
  const std::string scheme = "is neither file:, http: nor https:, nor an absolute path";
  EXPECT_EQ(uri({.value = "ftp://x/y"}), "URI 'ftp://x/y': " + scheme);
  EXPECT_EQ(uri({.value = "a/b"}), "URI 'a/b': " + scheme);
  EXPECT_EQ(uri({.value = "file://far/etc/hosts"}), "URI 'file://far/etc/hosts': " + scheme);
  EXPECT_EQ(uri({.value = "http://x/a b"}), "URI 'http://x/a b': is not a URL");
  const std::string name = "has no file name at its end, and there is no output file";
  EXPECT_EQ(uri({.value = "http://me:secret@x/"}), "URI 'http://***@x/': " + name);
  EXPECT_EQ(uri({.value = "http://x"}), "URI 'http://x': " + name);
  EXPECT_EQ(uri({.value = "http://x/.."}), "URI 'http://x/..': " + name);
  for (const char* output : {"../a", "/a", "a/../b", "a//b", "a/", "."}) {
    EXPECT_EQ(uri({.value = "http://x/y", .output_file = output}),
              std::string("URI 'http://x/y': the output file '") + output +
                  "' is not a path below the sandbox");
  }
  for (const std::string& sum :
       {digits, "sha256:" + digits + "a", "md5:" + digits, "sha256:" + std::string(64, 'A')}) {
    EXPECT_EQ(
        uri({.value = "http://x/y", .checksum = sum}),
        "URI 'http://x/y': the checksum '" + sum + "' is not sha256: and 64 digits of 0-9a-f");
  }
}

TEST(TaskValidation, AsksForAProgramUnlessAnImageMayNameIt) {
  const auto run = [](std::optional<RootFilesystem> rootfs, CommandInfo command) {
    return refusal([&](TaskSpec& spec) {
      spec.command = command;
      spec.container = ContainerInfo{.rootfs = rootfs};
    });
  };
  const RootFilesystem image{.type = RootFilesystem::Type::kOciLayout, .path = "/img"};
  EXPECT_EQ(run(image, {.shell = false}), "accepted");
  EXPECT_EQ(run(image, {.shell = true}), "command is empty");
  EXPECT_EQ(run(RootFilesystem{.path = "/tree"}, {.shell = false}), "command names no program");
}

TEST(TaskValidation, RefusesLimitsBelowTheRequest) {
  const auto limits = [](ResourceLimits limits) {
    return refusal([&limits](TaskSpec& spec) { spec.limits = limits; });
  };
  EXPECT_EQ(limits({.cpus_milli = 999}), "limit of 'cpus' is 0.999, below the request of 1");
  EXPECT_EQ(limits({.mem_milli = 63999}), "limit of 'mem' is 63.999, below the request of 64");
  EXPECT_EQ(limits({.mem_milli = -1}),
            "limit of 'mem' is -0.001, expected a positive amount up to 100000000000");
  EXPECT_EQ(limits({.cpus_milli = 1000, .mem_milli = 64000}), "accepted");
}

TEST(TaskValidation, RefusesTheRestInTheOrderOfMesos) {
  EXPECT_EQ(refusal([](TaskSpec& spec) { spec.discovery = DiscoveryInfo{.visibility = "world"}; }),
            "discovery: visibility 'world', expected framework, cluster or external");
  EXPECT_EQ(
      refusal([](TaskSpec& spec) { spec.discovery = DiscoveryInfo{.ports = {{.number = 70000}}}; }),
      "discovery: port 70000 is above 65535");
  EXPECT_EQ(refusal([](TaskSpec& spec) { spec.group = ".."; }), "task group '..' is reserved");
  EXPECT_EQ(refusal([](TaskSpec& spec) { spec.data.resize(limits::kTaskDataBytesMax + 1); }),
            "data has 1048577 bytes, at most 1048576 are allowed");
  // Several faults: the first in the order is the one that is named.
  EXPECT_EQ(refusal([](TaskSpec& spec) {
              spec.limits.cpus_milli = 1;
              spec.command.value.clear();
              spec.resources = {};
            }),
            "task uses no resources");
}

}  // namespace
}  // namespace tepui
