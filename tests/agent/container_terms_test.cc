#include "agent/container_terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tepui {
namespace {

using testing::HasSubstr;

ConfinementSettings everything() {
  ConfinementSettings config;
  config.isolators = parse_isolation({"auto"}).value().wanted;
  return config;
}

// The refusal of what `ask` asks for; empty: it is granted.
std::string refusal(const ConfinementSettings& config,
                    const std::function<void(ContainerInfo&)>& ask) {
  ContainerInfo container;
  ask(container);
  const Result<void> granted = check_container(container, config);
  return granted ? "" : granted.error().message;
}

TEST(ContainerTerms, GrantNothingSpecialToEverybody) {
  EXPECT_EQ(refusal({}, [](ContainerInfo&) {}), "");
  EXPECT_EQ(refusal({},
                    [](ContainerInfo& asked) {
                      asked.rlimits = {{.type = RlimitType::kNofile, .soft = 1, .hard = 2}};
                    }),
            "");
}

TEST(ContainerTerms, GrantNoCapabilityBeyondTheAgents) {
  const auto ask = [](ContainerInfo& asked) {
    asked.capabilities = parse_capabilities({"CHOWN", "SYS_ADMIN", "SYS_TIME"}).value();
  };
  EXPECT_THAT(refusal(everything(), ask), HasSubstr("CAP_SYS_ADMIN, CAP_SYS_TIME (its --cap"));
  ConfinementSettings config = everything();
  config.capabilities = kAllCapabilities;
  EXPECT_EQ(refusal(config, ask), "");
  config.isolators.reset();
  EXPECT_THAT(refusal(config, ask), HasSubstr("needs the isolator capabilities"));
}

TEST(ContainerTerms, LiftTheFilterOnlyWhereThatIsAllowed) {
  const auto ask = [](ContainerInfo& asked) {
    asked.seccomp = ContainerInfo::Seccomp::kUnconfined;
  };
  ConfinementSettings config = everything();
  EXPECT_THAT(refusal(config, ask), HasSubstr("--allow-unconfined"));
  config.allow_unconfined = true;
  EXPECT_EQ(refusal(config, ask), "");
  // There is none to lift.
  EXPECT_EQ(refusal({}, ask), "");
}

TEST(ContainerTerms, ShowOnlyWhatTheOperatorAllows) {
  ConfinementSettings config = everything();
  const auto ask = [](ContainerInfo& asked) {
    asked.volumes = {{.container_path = "data", .source_path = "/srv/x"}};
  };
  EXPECT_THAT(refusal(config, ask), HasSubstr("'/srv/x' to tasks: its --volume-host-paths names"));
  config.volume_host_paths = {"/srv/y", "/data"};
  EXPECT_THAT(refusal(config, ask), HasSubstr("its --volume-host-paths are /srv/y, /data"));
  config.volume_host_paths = {"/srv"};
  EXPECT_EQ(refusal(config, ask), "");
  config.isolators.reset();
  EXPECT_THAT(refusal(config, ask), HasSubstr("a volume needs the isolator namespaces/mount"));
}

TEST(ContainerTerms, MakeRootsOnlyOfWhatTheOperatorNames) {
  ConfinementSettings config = everything();
  const auto ask = [](ContainerInfo& asked) { asked.rootfs = RootFilesystem{.path = "/images/x"}; };
  EXPECT_THAT(refusal(config, ask), HasSubstr("'/images/x': its --image-dir names nothing"));
  config.image_directories = {"/images/y"};
  EXPECT_THAT(refusal(config, ask), HasSubstr("its --image-dir is /images/y"));
  config.image_directories = {"/images"};
  EXPECT_EQ(refusal(config, ask), "");
  config.isolators.reset();
  EXPECT_THAT(refusal(config, ask), HasSubstr("a root file system needs the isolator namespaces/"));
}

TEST(ContainerTerms, NeedTheNamespacesThatTheyAreAbout) {
  const auto name = [](ContainerInfo& asked) { asked.hostname = "x"; };
  const auto network = [](ContainerInfo& asked) {
    asked.network = ContainerInfo::Network::kLoopback;
  };
  EXPECT_EQ(refusal(everything(), name), "");
  EXPECT_EQ(refusal(everything(), network), "");
  EXPECT_THAT(refusal({}, name), HasSubstr("needs the isolator namespaces/uts"));
  EXPECT_THAT(refusal({}, network), HasSubstr("needs the isolator namespaces/net"));
}

TEST(ContainerTerms, NeedMountsOfTheirOwnForUsersOfTheirOwn) {
  const auto users = [](ContainerInfo& asked) { asked.user_namespace = true; };
  EXPECT_EQ(refusal(everything(), users), "");
  EXPECT_THAT(refusal({}, users),
              HasSubstr("a user namespace needs the isolator namespaces/user, which this agent"));
  ConfinementSettings config = everything();
  config.isolators.reset(static_cast<size_t>(Isolator::kMountNamespace));
  EXPECT_THAT(refusal(config, users), HasSubstr("needs the isolator namespaces/mount"));
}

TEST(ContainerTerms, RefuseChecksThatCannotBeMade) {
  TaskSpec task;
  task.container = ContainerInfo{};
  task.container->network = ContainerInfo::Network::kLoopback;
  EXPECT_TRUE(check_container(task, everything()).has_value());
  task.check = CheckInfo{.type = CheckInfo::Type::kTcp, .port = 80};
  EXPECT_FALSE(check_container(task, everything()).has_value());
  task.check->type = CheckInfo::Type::kCommand;
  EXPECT_TRUE(check_container(task, everything()).has_value());
  task.health_check = HealthCheckInfo{};
  task.health_check->check.type = CheckInfo::Type::kHttp;
  EXPECT_FALSE(check_container(task, everything()).has_value());
  task.container->network = ContainerInfo::Network::kHost;
  EXPECT_TRUE(check_container(task, everything()).has_value());
}

}  // namespace
}  // namespace tepui
