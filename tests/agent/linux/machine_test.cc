#include "agent/linux/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/linux/users.h"

namespace tepui {
namespace {

using testing::HasSubstr;

TEST(Machine, KeepsSomeMemoryForTheSystem) {
  EXPECT_EQ(offered_memory_mb(8192), 7168);
  EXPECT_EQ(offered_memory_mb(2048), 1024);
  EXPECT_EQ(offered_memory_mb(2047), 1023);
  EXPECT_EQ(offered_memory_mb(0), 0);
}

TEST(Machine, KeepsSomeDiskForTheSystem) {
  EXPECT_EQ(offered_disk_mb(100'000), 94'880);
  EXPECT_EQ(offered_disk_mb(10'240), 5'120);
  EXPECT_EQ(offered_disk_mb(10'239), 5'119);
}

TEST(Machine, ReplacesOnlyWhatWasNamed) {
  Resources detected = *Resources::parse("cpus:8;mem:1000;disk:500;ports:[31000-32000]");
  EXPECT_EQ(override_resources(detected, {}), detected);
  EXPECT_EQ(override_resources(detected, *Resources::parse("mem:10;gpus:2")),
            *Resources::parse("cpus:8;mem:10;disk:500;gpus:2;ports:[31000-32000]"));
  // A reserved part counts as naming it: the operator says all there is of that name.
  EXPECT_EQ(override_resources(detected, *Resources::parse("cpus(role):2")),
            *Resources::parse("cpus(role):2;mem:1000;disk:500;ports:[31000-32000]"));
}

TEST(Machine, DetectsWhatThisOneHas) {
  Result<Machine> machine = detect_machine("/", "");
  ASSERT_TRUE(machine.has_value()) << machine.error().message;
  EXPECT_GE(machine->resources.total_milli("cpus"), 1000);
  EXPECT_GT(machine->resources.total_milli("mem"), 0);
  EXPECT_GT(machine->resources.total_milli("disk"), 0);
  EXPECT_TRUE(machine->resources.contains(*Resources::parse("ports:[31000-32000]")));
  EXPECT_FALSE(machine->hostname.empty());
  EXPECT_EQ(machine->boot_id.size(), 36u);
  Result<Machine> named = detect_machine("/", "cpus:3.5");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->resources.total_milli("cpus"), 3500);
}

TEST(Machine, TakesDisksFromJsonAndDetectsTheRest) {
  Result<Machine> machine =
      detect_machine("/tmp", R"([{"name": "disk", "type": "SCALAR", "scalar": {"value": 64},
               "disk": {"source": {"type": "PATH", "path": {"root": "/usr"}}},
               "reservations": [{"type": "STATIC", "role": "eng"}]}])");
  ASSERT_TRUE(machine.has_value()) << machine.error().message;
  EXPECT_EQ(machine->resources.total_milli("disk"), 64'000) << "all there is of that name";
  EXPECT_GE(machine->resources.total_milli("cpus"), 1000);
  Result<Machine> missing =
      detect_machine("/tmp", R"([{"name": "disk", "type": "SCALAR", "scalar": {"value": 64},
               "disk": {"source": {"type": "MOUNT", "mount": {"root": "/no/such"}}}}])");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, HasSubstr("--resources: the MOUNT disk at '/no/such'"));
}

TEST(Machine, RefusesAWrongFlagAndAMissingDirectory) {
  EXPECT_FALSE(detect_machine("/", "cpus:many").has_value());
  Result<Machine> missing = detect_machine("/no/such/directory", "");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/directory: ENOENT"));
}

TEST(Users, AreFoundByName) {
  Result<UserIds> root = find_user("root");
  ASSERT_TRUE(root.has_value()) << root.error().message;
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(root->gid, 0u);
  EXPECT_THAT(root->groups, testing::Contains(0u));
  Result<UserIds> missing = find_user("no-such-user");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, HasSubstr("no user \"no-such-user\""));
}

TEST(Users, NeedNoSwitchToTheAgentsOwn) { EXPECT_EQ(user_to_switch_to("")->has_value(), false); }

}  // namespace
}  // namespace tepui
