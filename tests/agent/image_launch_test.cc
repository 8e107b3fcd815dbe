#include "agent/image_launch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace tepui {
namespace {

using Words = std::vector<std::string>;

struct Ran {
  std::string value;
  Words arguments;
  std::string error;
};

Ran run(const Words& entrypoint, const Words& command, CommandInfo task) {
  LaunchSpec spec;
  spec.command = std::move(task);
  const Result<void> applied = apply_image({.entrypoint = entrypoint, .command = command}, spec);
  return {.value = spec.command.value,
          .arguments = spec.command.arguments,
          .error = applied ? "" : applied.error().message};
}

TEST(ImageLaunch, AShellCommandIsTheTasksAlone) {
  const Ran ran = run({"/entry"}, {"cmd"}, {.shell = true, .value = "echo hello"});
  EXPECT_EQ(ran.value, "echo hello");
  EXPECT_EQ(ran.arguments, Words{});
}

TEST(ImageLaunch, AValueWinsOverTheImage) {
  const Ran ran =
      run({"/entry"}, {"cmd"}, {.shell = false, .value = "ls", .arguments = {"ls", "-l"}});
  EXPECT_EQ(ran.value, "ls");
  EXPECT_EQ(ran.arguments, (Words{"ls", "-l"}));
}

TEST(ImageLaunch, WithoutAValueTheImageSaysWhat) {
  EXPECT_EQ(run({"/entry", "-e"}, {"cmd"}, {.shell = false}).arguments,
            (Words{"/entry", "-e", "cmd"}));
  EXPECT_EQ(run({"/entry"}, {"cmd"}, {.shell = false}).value, "/entry");
  EXPECT_EQ(run({}, {"cmd", "-c"}, {.shell = false}).arguments, (Words{"cmd", "-c"}));
}

TEST(ImageLaunch, ArgumentsFollowTheEntryPointAndReplaceTheImagesOwn) {
  const CommandInfo task{.shell = false, .arguments = {"mine"}};
  EXPECT_EQ(run({"/entry", "-e"}, {"cmd"}, task).arguments, (Words{"/entry", "-e", "mine"}));
  EXPECT_EQ(run({}, {"cmd", "-c"}, task).arguments, (Words{"cmd", "mine"}));
}

TEST(ImageLaunch, SomebodyMustSayWhat) {
  EXPECT_EQ(run({}, {}, {.shell = false}).error,
            "the command names no program, and neither does the image");
}

std::string variable(const LaunchSpec& spec, const std::string& name) {
  for (const EnvironmentVariable& one : spec.environment) {
    if (one.name == name) return one.value;
  }
  return "(none)";
}

TEST(ImageLaunch, TheEnvironmentOfTheTaskWinsButForTheAgentsPath) {
  LaunchSpec spec;
  spec.command = {.value = "x", .environment = {{"A", "task"}}};
  spec.environment = {{"A", "task"}, {"MESOS_SANDBOX", "/s"}, {"PATH", "/agent"}};
  ASSERT_TRUE(apply_image(
      {.environment = {"A=image", "B=image=1", "PATH=/image", "MESOS_SANDBOX=/evil"}}, spec));
  EXPECT_EQ(variable(spec, "A"), "task");
  EXPECT_EQ(variable(spec, "B"), "image=1");
  EXPECT_EQ(variable(spec, "PATH"), "/image");
  EXPECT_EQ(variable(spec, "MESOS_SANDBOX"), "/s");
  EXPECT_TRUE(std::ranges::is_sorted(spec.environment, {}, &EnvironmentVariable::name));
  spec.command.environment = {{"PATH", "/task"}};
  spec.environment = {{"PATH", "/task"}};
  ASSERT_TRUE(apply_image({.environment = {"PATH=/image"}}, spec));
  EXPECT_EQ(variable(spec, "PATH"), "/task");
  EXPECT_FALSE(apply_image({.environment = {"=x"}}, spec));
}

TEST(ImageLaunch, TheDirectoryIsTheImagesWhereTheTaskNamesNone) {
  const auto directory = [](const std::string& of_task) {
    LaunchSpec spec;
    spec.command = {.value = "x", .working_directory = of_task};
    spec.environment = {{"MESOS_SANDBOX", "/sandbox"}};
    EXPECT_TRUE(apply_image({.working_directory = "/image"}, spec));
    return spec.command.working_directory;
  };
  EXPECT_EQ(directory("/sandbox"), "/image");
  EXPECT_EQ(directory("/sandbox/below"), "/sandbox/below");
}

TEST(ImageLaunch, TheUserIsTheImagesWhereTheTaskNamesNone) {
  const auto user = [](const std::string& of_task, const std::string& of_image) {
    LaunchSpec spec;
    spec.command = {.value = "x", .user = of_task};
    EXPECT_TRUE(apply_image({.user = of_image}, spec));
    return spec.command.user;
  };
  EXPECT_EQ(user("", "1000:100"), "1000:100");
  EXPECT_EQ(user("", "1000"), "1000");
  EXPECT_EQ(user("alice", "1000"), "alice");
  EXPECT_EQ(user("", "root"), "");
  EXPECT_EQ(user("alice", "postgres"), "alice");
  EXPECT_EQ(user("", "postgres"), "postgres");
  EXPECT_EQ(user("", "postgres:data"), "postgres:data");
  EXPECT_EQ(user("", ""), "");
}

}  // namespace
}  // namespace tepui
