#include "agent/launch_spec.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

struct Given {
  AgentConfig config = bench_config();
  FrameworkInfo framework;
  Task task;
  TaskSpec spec = Bench::spec();
  ExecutorId executor{"t"};

  Given() {
    config.info.id = AgentId{"a"};
    task.id = TaskId{"t"};
    task.framework_id = FrameworkId{"f"};
    task.agent_id = AgentId{"a"};
    task.container_id = ContainerId{"c"};
    task.kind = TaskKind{.role = "eng/search", .user = "worker"};
  }
  LaunchSpec make() const {
    return make_launch_spec({.config = config,
                             .framework = framework,
                             .task = task,
                             .spec = spec,
                             .executor_id = executor});
  }
  std::map<std::string, std::string> environment() const {
    std::map<std::string, std::string> variables;
    for (const EnvironmentVariable& variable : make().environment) {
      EXPECT_TRUE(variables.emplace(variable.name, variable.value).second) << variable.name;
    }
    return variables;
  }
};

TEST(LaunchSpec, PutsTheSandboxWhereLogShippersLook) {
  EXPECT_EQ(Given().make().sandbox, "agents/a/frameworks/f/executors/t/runs/c");
}

TEST(LaunchSpec, TellsTheCommandWhoAndWhereItIs) {
  const auto variables = Given().environment();
  const std::string sandbox = "/var/lib/tepui/agents/a/frameworks/f/executors/t/runs/c";
  EXPECT_EQ(variables.at("MESOS_SANDBOX"), sandbox);
  EXPECT_EQ(variables.at("MESOS_DIRECTORY"), sandbox);
  EXPECT_EQ(variables.at("MESOS_FRAMEWORK_ID"), "f");
  EXPECT_EQ(variables.at("MESOS_EXECUTOR_ID"), "t");
  EXPECT_EQ(variables.at("MESOS_SLAVE_ID"), "a");
  EXPECT_EQ(variables.at("MESOS_AGENT_ID"), "a");
  EXPECT_EQ(variables.at("MESOS_AGENT_ENDPOINT"), "127.0.0.1:5051");
  EXPECT_EQ(variables.at("MESOS_CONTAINER_ID"), "c");
  EXPECT_EQ(variables.at("MESOS_ALLOCATION_ROLE"), "eng/search");
  EXPECT_EQ(variables.at("TEPUI_TASK_ID"), "t");
  EXPECT_TRUE(variables.contains("PATH"));
  EXPECT_EQ(variables.size(), 11u);
}

TEST(LaunchSpec, LetsTheCommandOverrideEveryVariable) {
  Given given;
  given.spec.command.environment = {{"PATH", "/opt/bin"}, {"MESOS_SANDBOX", "x"}, {"OWN", "1"}};
  const auto variables = given.environment();
  EXPECT_EQ(variables.at("PATH"), "/opt/bin");
  EXPECT_EQ(variables.at("MESOS_SANDBOX"), "x");
  EXPECT_EQ(variables.at("OWN"), "1");
}

TEST(LaunchSpec, WorksInTheSandboxUnlessToldOtherwise) {
  Given given;
  const std::string sandbox = "/var/lib/tepui/agents/a/frameworks/f/executors/t/runs/c";
  EXPECT_EQ(given.make().command.working_directory, sandbox);
  given.spec.command.working_directory = "data/in";
  EXPECT_EQ(given.make().command.working_directory, sandbox + "/data/in");
  given.spec.command.working_directory = "/srv";
  EXPECT_EQ(given.make().command.working_directory, "/srv");
  given.spec.command.working_directory = "";
  given.config.work_dir = "/var/lib/tepui/";
  EXPECT_EQ(given.make().command.working_directory, sandbox);
}

TEST(LaunchSpec, SpeaksOfTheSandboxAsItIsSeenInARootOfItsOwn) {
  Given given;
  put(given.config.confinement.isolators, Isolator::kMountNamespace);
  given.config.confinement.image_directories = {"/images"};
  given.spec.container = ContainerInfo{};
  given.spec.container->rootfs = RootFilesystem{.path = "/images/debian"};
  given.spec.command.working_directory = "data";
  LaunchSpec spec = given.make();
  const auto variables = given.environment();
  EXPECT_EQ(variables.at("MESOS_SANDBOX"), "/mnt/mesos/sandbox");
  EXPECT_EQ(variables.at("MESOS_DIRECTORY"), "/var/lib/tepui/" + spec.sandbox);
  EXPECT_EQ(spec.command.working_directory, "/mnt/mesos/sandbox/data");
  ASSERT_TRUE(spec.confinement.root.has_value());
  EXPECT_EQ(spec.confinement.root->layers, std::vector<std::string>{"/images/debian"});
  EXPECT_EQ(spec.confinement.root->upper, "/var/lib/tepui/roots/c");
  // A command beside it is in the same root, which it does not make.
  make_probe_spec(spec, CommandInfo{.value = "true"}, ContainerId{"p"});
  EXPECT_EQ(spec.command.working_directory, "/mnt/mesos/sandbox");
  ASSERT_TRUE(spec.confinement.root.has_value());
  EXPECT_EQ(spec.confinement.root->upper, "");
  // What an image consists of is found out later.
  given.spec.container->rootfs->type = RootFilesystem::Type::kOciLayout;
  given.spec.container->rootfs->read_only = true;
  spec = given.make();
  EXPECT_TRUE(spec.confinement.root->layers.empty());
  EXPECT_EQ(spec.confinement.root->upper, "");
}

TEST(LaunchSpec, ResolvesUserAndPlan) {
  const LaunchSpec spec = Given().make();
  EXPECT_EQ(spec.command.user, "worker");
  EXPECT_EQ(spec.command.value, "true");
  EXPECT_EQ(spec.plan.size(), 6u);
  EXPECT_EQ(spec.plan.back(),
            (ControlWrite{.controller = "pids", .file = "pids.max", .value = "4096"}));
}

TEST(LaunchSpec, PrefersTheUserOfTheCommandToThatOfTheFramework) {
  Bench bench;
  bench.enlist();
  TaskSpec own = Bench::spec();
  own.command.user = "other";
  bench.launch("own", own);
  bench.launch("inherited");
  EXPECT_EQ(bench.effects.launches[0].command.user, "other");
  EXPECT_EQ(bench.effects.launches[1].command.user, "worker");
}

TEST(LaunchSpec, RefusesAContainerThatTheAgentDoesNotGrant) {
  Given given;
  EXPECT_EQ(given.make().refusal, "");
  given.spec.container = ContainerInfo{};
  given.spec.container->capabilities = CapabilitySet{1} << 21;
  put(given.config.confinement.isolators, Isolator::kCapabilities);
  EXPECT_EQ(given.make().refusal, "the agent does not grant CAP_SYS_ADMIN (its --capabilities)");
  given.config.confinement.capabilities |= CapabilitySet{1} << 21;
  EXPECT_EQ(given.make().refusal, "");
  EXPECT_EQ(given.make().confinement.capabilities->bounding, CapabilitySet{1} << 21);
}

}  // namespace
}  // namespace tepui
