#include "cli/batch.h"

#include <gtest/gtest.h>

#include <string>

#include "common/limits.h"

// Goal: a batch file says what its author meant, or the error says where and why it does not.

namespace tepui::cli {
namespace {

Result<Batch> parse(std::string_view toml) {
  const auto document = parse_toml(toml, "jobs.toml");
  if (!document) return std::unexpected(document.error());
  return parse_batch(*document, "jobs.toml", BatchDefaults{});
}
Result<Batch> parse_as_json(std::string_view json) {
  const auto document = parse_json(json, "jobs.json");
  if (!document) return std::unexpected(document.error());
  return parse_batch(*document, "jobs.json", BatchDefaults{});
}
std::string problem(std::string_view toml) {
  const auto batch = parse(toml);
  return batch ? "no problem" : batch.error().message;
}

TEST(Batch, ATaskNeedsNoMoreThanACommand) {
  const auto batch = parse("[[task]]\ncommand = 'echo hello'\n");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->name, "batch");
  EXPECT_EQ(batch->role, "*");
  ASSERT_EQ(batch->tasks.size(), 1u);
  EXPECT_EQ(batch->tasks[0].name, "task-0");
  const TaskSpec& spec = *batch->tasks[0].spec;
  EXPECT_TRUE(spec.command.shell);
  EXPECT_EQ(spec.command.value, "echo hello");
  EXPECT_EQ(spec.resources.total_milli("cpus"), 1000);
  EXPECT_EQ(spec.resources.total_milli("mem"), 128'000);
  EXPECT_FALSE(spec.kill_policy);
}

TEST(Batch, ACommandIsTextForTheShellOrAListOfArguments) {
  const auto batch = parse_as_json(R"({"tasks": [{"command": ["ls", "-l", "a b"]}]})");
  ASSERT_TRUE(batch) << batch.error().message;
  const CommandInfo& command = batch->tasks[0].spec->command;
  EXPECT_FALSE(command.shell);
  EXPECT_EQ(command.value, "ls");
  EXPECT_EQ(command.arguments, (std::vector<std::string>{"ls", "-l", "a b"}));
}

TEST(Batch, ATaskSaysWhatItsContainerLooksLike) {
  const auto batch = parse(R"(
rootfs = "/images/debian"
[[task]]
command = "true"
read_only_rootfs = true
volumes = ["/srv/data:/data:ro", "out:/out"]
tmpfs = ["/scratch:1MB"]
rlimits = ["nofile=10:20"]
capabilities = ["none"]
hostname = "web"
network = "loopback"
)");
  ASSERT_TRUE(batch) << batch.error().message;
  const ContainerInfo& container = *batch->tasks[0].spec->container;
  EXPECT_EQ(container.rootfs->path, "/images/debian");
  EXPECT_TRUE(container.rootfs->read_only);
  EXPECT_EQ(container.volumes.size(), 3u);
  EXPECT_EQ(container.rlimits[0].hard, 20u);
  EXPECT_EQ(container.capabilities, CapabilitySet{0});
  EXPECT_EQ(problem("[[task]]\ncommand = 'x'\nvolumes = 'x'\n"),
            "jobs.toml:3: volumes is text, expected a list of texts");
  EXPECT_EQ(problem("[[task]]\ncommand = 'x'\nuser_namespace = 'x'\n"),
            "jobs.toml:3: user_namespace is text, expected true or false");
  EXPECT_EQ(problem("[[task]]\ncommand = 'x'\nread_only_rootfs = true\n"),
            "jobs.toml:1: read-only-rootfs: there is neither a rootfs nor an image");
  EXPECT_FALSE(parse("[[task]]\ncommand = 'x'\n")->tasks[0].spec->container.has_value());

  const auto image = parse("[[task]]\nimage = 'oci:/srv/app:1'\nread_only_rootfs = true\n");
  ASSERT_TRUE(image) << image.error().message;  // it may know what to run
  const RootFilesystem& root = *image->tasks[0].spec->container->rootfs;
  EXPECT_EQ(root.type, RootFilesystem::Type::kOciLayout);
  EXPECT_EQ(root.reference, "1");
  EXPECT_TRUE(root.read_only);
  EXPECT_EQ(problem("[[task]]\ncommand = 'x'\nimage = 'oci:/a'\nrootfs = '/b'\n"),
            "jobs.toml:1: image: there is a rootfs too, and a container has one root");
}

TEST(Batch, TasksInheritWhatTheyDoNotSay) {
  const auto batch = parse(R"(
name = "nightly"
role = "ops/night"
cpus = 0.5
mem = "1GB"
user = "nobody"
kill_grace = "5secs"
env = { A = "1", B = "2" }
[[task]]
name = "small"
command = "true"
[[task]]
name = "large"
command = "true"
cpus = 2
mem = 64
user = "root"
kill_grace = "1mins"
env = { B = "3", C = "4" }
)");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->name, "nightly");
  EXPECT_EQ(batch->role, "ops/night");
  const TaskSpec& small = *batch->tasks[0].spec;
  EXPECT_EQ(small.resources.total_milli("cpus"), 500);
  EXPECT_EQ(small.resources.total_milli("mem"), 1024'000);
  EXPECT_EQ(small.command.user, "nobody");
  EXPECT_EQ(small.kill_policy->grace_ns, std::chrono::seconds(5));
  EXPECT_EQ(small.command.environment, (std::vector<EnvironmentVariable>{{"A", "1"}, {"B", "2"}}));
  const TaskSpec& large = *batch->tasks[1].spec;
  EXPECT_EQ(large.resources.total_milli("cpus"), 2000);
  EXPECT_EQ(large.resources.total_milli("mem"), 64'000);
  EXPECT_EQ(large.command.user, "root");
  EXPECT_EQ(large.kill_policy->grace_ns, std::chrono::minutes(1));
  EXPECT_EQ(large.command.environment,
            (std::vector<EnvironmentVariable>{{"A", "1"}, {"B", "3"}, {"C", "4"}}));
}

TEST(Batch, WhatStandsBelowTheTasksCountsForThemToo) {
  const auto batch = parse_as_json(R"({"tasks": [{"command": "true"}], "cpus": 3})");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->tasks[0].spec->resources.total_milli("cpus"), 3000);
}

TEST(Batch, InstancesShareOneSpecUnderNumberedNames) {
  const auto batch = parse("[[task]]\nname = 'w'\ninstances = 3\ncommand = 'true'\n");
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_EQ(batch->tasks.size(), 3u);
  EXPECT_EQ(batch->tasks[0].name, "w-0");
  EXPECT_EQ(batch->tasks[2].name, "w-2");
  EXPECT_EQ(batch->tasks[0].spec, batch->tasks[2].spec) << "the same object";
}

TEST(Batch, TasksFetchAndRunInImages) {
  const auto batch = parse(
      "uris = ['http://x/all']\nimage = 'oci:/img'\n"
      "[[task]]\ncommand = 'true'\n[[task]]\nuris = ['/etc/hosts,output=h']\n");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->tasks[0].spec->command.uris, std::vector{Uri{.value = "http://x/all"}});
  EXPECT_EQ(batch->tasks[1].spec->command.uris,
            (std::vector{Uri{.value = "/etc/hosts", .output_file = "h"}}));
  ASSERT_TRUE(batch->tasks[1].spec->container.has_value());
  EXPECT_EQ(batch->tasks[1].spec->container->rootfs->path, "/img");
  EXPECT_EQ(batch->tasks[1].spec->command,
            (CommandInfo{.shell = false, .uris = {{.value = "/etc/hosts", .output_file = "h"}}}));
  EXPECT_EQ(problem("[[task]]\ncommand = 'true'\nuris = ['ftp://x/y']\n"),
            "jobs.toml:3: uris: URI 'ftp://x/y': is neither file:, http: nor https:, nor an "
            "absolute path");
}

TEST(Batch, WhatIsWrongIsNamedWithItsLine) {
  const std::string task = "[[task]]\ncommand = 'true'\n";
  EXPECT_EQ(problem(task + "color = 'red'\n"),
            "jobs.toml:3: a task has no key 'color'; it may have name, command, instances, cpus, "
            "mem, user, env, kill_grace, max_completion_time, health_check, "
            "health_check_options, uris, rootfs, image, read_only_rootfs, volumes, tmpfs, "
            "rlimits, capabilities, hostname, network, seccomp, user_namespace and shm_size");
  EXPECT_EQ(
      problem("color = 'red'\n" + task),
      "jobs.toml:1: a batch has no key 'color'; it may have name, role, cpus, mem, user, env, "
      "kill_grace, max_completion_time, health_check, health_check_options, uris, tasks, "
      "rootfs, image, read_only_rootfs, volumes, tmpfs, "
      "rlimits, capabilities, hostname, network, seccomp, user_namespace and shm_size");
  EXPECT_EQ(problem(task + "role = 'x'\n").substr(0, 33), "jobs.toml:3: a task has no key 'r");
  EXPECT_EQ(problem("[[task]]\nname = 'x'\n"), "jobs.toml:1: a task has no command");
  EXPECT_EQ(problem("[[task]]\ncommand = ''\n"), "jobs.toml:2: command is empty");
  EXPECT_EQ(problem("[[task]]\ncommand = 7\n"),
            "jobs.toml:2: command is a whole number, expected text for the shell, or a list of "
            "program and arguments");
  EXPECT_EQ(problem("[[task]]\ncommand = []\n").substr(0, 33), "jobs.toml:2: command is a list, e");
  EXPECT_EQ(problem("[[task]]\ncommand = ['ls', 7]\n"),
            "jobs.toml:2: command is a whole number, expected text");
  EXPECT_EQ(problem(task + "cpus = true\n"),
            "jobs.toml:3: cpus is true or false, expected a number");
  EXPECT_EQ(problem(task + "cpus = 0\n"),
            "jobs.toml:3: cpus: '0' cpus are too few to run anything");
  EXPECT_EQ(problem(task + "mem = '64MX'\n").substr(0, 18), "jobs.toml:3: mem: ");
  EXPECT_EQ(problem(task + "kill_grace = 'soon'\n").substr(0, 25), "jobs.toml:3: kill_grace: ");
  EXPECT_EQ(problem(task + "env = ['A=1']\n"),
            "jobs.toml:3: env is a list, expected a table of names and values");
  EXPECT_EQ(problem(task + "env = { A = 1 }\n"),
            "jobs.toml:3: env.A is a whole number, expected text");
  EXPECT_EQ(problem(task + "name = 'a/b'\n").substr(0, 19), "jobs.toml:3: name: ");
  EXPECT_EQ(problem("role = 'a b'\n" + task).substr(0, 13), "jobs.toml:1: ");
  EXPECT_EQ(problem(task + "health_check = 'tcp:x'\n"), "jobs.toml:1: port 'x' is not a number");
}

TEST(Batch, TasksCanBeCheckedAndLimitedInTime) {
  const auto batch = parse(R"(
health_check = "http:8080/up"
health_check_options = "interval=1secs,failures=5"
max_completion_time = "1hrs"
[[task]]
command = "serve"
[[task]]
command = "listen"
health_check = "tcp:9"
)");
  ASSERT_TRUE(batch) << batch.error().message;
  const TaskSpec& serve = *batch->tasks[0].spec;
  ASSERT_TRUE(serve.health_check.has_value());
  EXPECT_EQ(serve.health_check->check.port, 8080u);
  EXPECT_EQ(serve.health_check->consecutive_failures, 5u);
  EXPECT_EQ(serve.max_completion_time, std::chrono::hours(1));
  const TaskSpec& listen = *batch->tasks[1].spec;
  EXPECT_EQ(listen.health_check->check.type, CheckInfo::Type::kTcp);
  EXPECT_EQ(listen.health_check->check.interval, std::chrono::seconds(1));
}

TEST(Batch, InstancesAreBounded) {
  for (const char* count : {"0", "-1", "100001", "1.5", "'2'"}) {
    EXPECT_EQ(
        problem(std::string("[[task]]\ncommand = 'true'\ninstances = ") + count).substr(0, 26),
        "jobs.toml:3: instances is ")
        << count;
  }
}

TEST(Batch, ItIsATableWithTasksOfDifferentNames) {
  EXPECT_EQ(problem(""), "jobs.toml: there are no tasks");
  EXPECT_EQ(problem("tasks = []"), "jobs.toml: there are no tasks");
  EXPECT_EQ(problem("tasks = 'all'"), "jobs.toml:1: tasks is text, expected a list of tasks");
  EXPECT_EQ(problem("tasks = ['a']"), "jobs.toml:1: a task is text, expected a table");
  EXPECT_EQ(parse_as_json("[]").error().message, "jobs.json: the file is a list, expected a table");
  EXPECT_EQ(problem("[[task]]\nname = 'w'\ninstances = 2\ncommand = 'a'\n"
                    "[[task]]\nname = 'w-1'\ncommand = 'b'\n"),
            "jobs.toml: two tasks are named 'w-1'");
}

TEST(Batch, CpusAreDecimalsInThousandths) {
  EXPECT_EQ(*parse_cpus("1.5"), 1500);
  EXPECT_EQ(*parse_cpus("0.001"), 1);
  for (const char* bad : {"", "0", "0.0001", "-1", "many", "1 ", "1e3", "999999999999999"}) {
    EXPECT_FALSE(parse_cpus(bad)) << bad;
  }
}

TEST(Batch, MemIsInMegabytesUnlessItSaysOtherwise) {
  EXPECT_EQ(*parse_mem("64"), 64'000);
  EXPECT_EQ(*parse_mem("64.5"), 64'500);
  EXPECT_EQ(*parse_mem("64MB"), 64'000);
  EXPECT_EQ(*parse_mem("2GB"), 2'048'000);
  EXPECT_EQ(*parse_mem("1B"), 1) << "rounded up";
  for (const char* bad : {"", ".", "-64", "64M", "1.2345", "9000000TB", "9999999999999"}) {
    EXPECT_FALSE(parse_mem(bad)) << bad;
  }
}

TEST(Batch, NumbersOfAFileKeepTheirDigits) {
  const auto batch = parse("[[task]]\ncommand = 'true'\nmem = 1048576.5\ncpus = 1234.567\n");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->tasks[0].spec->resources.total_milli("mem"), 1'048'576'500);
  EXPECT_EQ(batch->tasks[0].spec->resources.total_milli("cpus"), 1'234'567);
}

TEST(Batch, EnvironmentIsNameAndValue) {
  EXPECT_EQ(parse_env("A=b=c")->value, "b=c");
  EXPECT_EQ(parse_env("A=")->value, "");
  EXPECT_EQ(parse_env("=b").error().message, "'=b' is not NAME=VALUE");
  EXPECT_FALSE(parse_env("A"));
}

}  // namespace
}  // namespace tepui::cli
