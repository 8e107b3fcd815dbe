// What isolators learn from this machine, as far as any machine has it. tests/vm has disks and
// quota.

#include "agent/linux/isolation_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/linux/disk_quota.h"
#include "agent/linux/numa.h"

namespace tepui {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// In memory wherever it is mounted.
constexpr const char* kNoDisk = "/dev";

TEST(IsolationFacts, LimitNoDiskWhereTheWorkDirectoryIsOnNone) {
  const auto devices = find_io_devices({}, kNoDisk);
  ASSERT_TRUE(devices.has_value()) << devices.error().message;
  EXPECT_TRUE(devices->empty());
}

TEST(IsolationFacts, RefuseDisksThatAreNone) {
  const auto absent = find_io_devices({"/nonesuch"}, kNoDisk);
  ASSERT_FALSE(absent.has_value());
  EXPECT_THAT(absent.error().message, HasSubstr("looking for the disk of '/nonesuch': ENOENT"));
  const auto memory = find_io_devices({kNoDisk}, kNoDisk);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().message, "'/dev' is no disk and on none");
}

TEST(IsolationFacts, NameHugePagesAsTheControllerDoes) {
  for (const std::string& size : find_hugepage_sizes()) {
    EXPECT_TRUE(size.ends_with("KB") || size.ends_with("MB") || size.ends_with("GB")) << size;
    EXPECT_THAT(size, testing::Not(StartsWith("0")));
  }
}

TEST(IsolationFacts, CountTheProcessorsOfNodes) {
  const auto nodes = read_numa_nodes();
  if (!nodes) GTEST_SKIP() << nodes.error().message;
  ASSERT_FALSE(nodes->empty());
  for (const NumaNode& node : *nodes) EXPECT_GT(node.cpus_milli, 0) << node.id;
}

TEST(DiskQuota, SaysWhyItCannotBeHad) {
  const auto quota = DiskQuota::create(kNoDisk);
  ASSERT_FALSE(quota.has_value());
  EXPECT_FALSE(quota.error().message.empty());
}

}  // namespace
}  // namespace tepui
