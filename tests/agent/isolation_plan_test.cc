#include "agent/isolation_plan.h"

#include <gtest/gtest.h>

#include <map>

namespace tepui {
namespace {

constexpr int64_t kMb = 1 << 20;

Resources cpus_and_mem(int64_t cpus_milli, int64_t mem_milli) {
  return Resources::scalars({{"cpus", cpus_milli}, {"mem", mem_milli}});
}

std::map<std::string, std::string> plan(Resources resources, ResourceLimits limits = {},
                                        std::vector<std::string> controllers = {"cpu", "memory",
                                                                                "pids"}) {
  std::map<std::string, std::string> files;
  for (const ControlWrite& write : plan_isolation({.resources = std::move(resources),
                                                   .limits = limits,
                                                   .pids_max = 100,
                                                   .controllers = std::move(controllers)})) {
    EXPECT_TRUE(files.emplace(write.file, write.value).second) << write.file << " twice";
    EXPECT_TRUE(write.file.starts_with(write.controller + ".")) << write.file;
  }
  return files;
}

Resources revocable(std::string name, int64_t milli) {
  Resource item{.kind = make_kind({.name = std::move(name), .revocable = true}), .amount = milli};
  Result<Resources> made = Resources::create({item});
  EXPECT_TRUE(made.has_value());
  return made.value_or(Resources());
}

TEST(IsolationPlan, ListsEveryFileInAFixedOrder) {
  const IsolationPlan expected = {
      {"cpu", "cpu.weight", "150"},
      {"cpu", "cpu.max", "200000 100000"},
      {"memory", "memory.low", std::to_string(512 * kMb)},
      {"memory", "memory.max", std::to_string(1024 * kMb)},
      {"memory", "memory.oom.group", "1"},
      {"pids", "pids.max", "64"},
  };
  EXPECT_EQ(plan_isolation({.resources = cpus_and_mem(1500, 512000),
                            .limits = {.cpus_milli = 2000, .mem_milli = 1024000},
                            .pids_max = 64,
                            .controllers = {"cpu", "memory", "pids"}}),
            expected);
}

TEST(IsolationPlan, WeighsAHundredPerRequestedProcessor) {
  EXPECT_EQ(plan(cpus_and_mem(1000, 64000))["cpu.weight"], "100");
  EXPECT_EQ(plan(cpus_and_mem(250, 64000))["cpu.weight"], "25");
}

TEST(IsolationPlan, KeepsTheWeightWithinWhatTheKernelTakes) {
  EXPECT_EQ(plan(cpus_and_mem(1, 64000))["cpu.weight"], "1");
  EXPECT_EQ(plan(Resources())["cpu.weight"], "1");
  EXPECT_EQ(plan(cpus_and_mem(256'000, 64000))["cpu.weight"], "10000");
}

TEST(IsolationPlan, WeighsRevocableProcessorsAtOneEach) {
  EXPECT_EQ(plan(revocable("cpus", 8000))["cpu.weight"], "8");
  EXPECT_EQ(plan(revocable("cpus", 500))["cpu.weight"], "1");
}

TEST(IsolationPlan, CapsProcessorTimeOnlyWhereALimitIsGiven) {
  EXPECT_FALSE(plan(cpus_and_mem(1000, 64000)).contains("cpu.max"));
  EXPECT_EQ(plan(cpus_and_mem(1000, 64000), {.cpus_milli = 1500, .mem_milli = {}})["cpu.max"],
            "150000 100000");
}

TEST(IsolationPlan, NeverCapsBelowAMillisecondPerPeriod) {
  EXPECT_EQ(plan(cpus_and_mem(1, 64000), {.cpus_milli = 1, .mem_milli = {}})["cpu.max"],
            "1000 100000");
}

TEST(IsolationPlan, WritesNoMaximumForAnUnlimitedLimit) {
  const auto files =
      plan(cpus_and_mem(1000, 64000), {.cpus_milli = kUnlimited, .mem_milli = kUnlimited});
  EXPECT_FALSE(files.contains("cpu.max"));
  EXPECT_FALSE(files.contains("memory.max"));
  EXPECT_TRUE(files.contains("memory.oom.group"));
}

TEST(IsolationPlan, LimitsMemoryToTheRequestWhereNoLimitIsGiven) {
  const auto files = plan(cpus_and_mem(1000, 100000));
  EXPECT_EQ(files.at("memory.low"), std::to_string(100 * kMb));
  EXPECT_EQ(files.at("memory.max"), std::to_string(100 * kMb));
}

TEST(IsolationPlan, GivesAtLeastThirtyTwoMegabytes) {
  const auto files = plan(cpus_and_mem(1000, 1000), {.cpus_milli = {}, .mem_milli = 2000});
  EXPECT_EQ(files.at("memory.low"), std::to_string(32 * kMb));
  EXPECT_EQ(files.at("memory.max"), std::to_string(32 * kMb));
}

TEST(IsolationPlan, RoundsMemoryDownToPages) {
  // 40.001 MB are 41,944,088 bytes and some.
  EXPECT_EQ(plan(cpus_and_mem(1000, 40001))["memory.max"], std::to_string(40 * kMb));
}

TEST(IsolationPlan, DoesNotOverflowOnAbsurdAmounts) {
  const auto files =
      plan(cpus_and_mem(1000, 64000), {.cpus_milli = kUnlimited - 1, .mem_milli = kUnlimited - 1});
  EXPECT_EQ(files.at("memory.max"), std::to_string(INT64_MAX & ~int64_t{4095}));
  EXPECT_FALSE(files.contains("cpu.max"));
}

TEST(IsolationPlan, DoesNotProtectRevocableMemory) {
  const auto files = plan(revocable("mem", 64000));
  EXPECT_FALSE(files.contains("memory.low"));
  EXPECT_EQ(files.at("memory.max"), std::to_string(64 * kMb));
}

TEST(IsolationPlan, ProtectsNothingWhereNothingWasRequested) {
  const auto files = plan(Resources::scalars({{"cpus", 1000}}));
  EXPECT_FALSE(files.contains("memory.low"));
  EXPECT_EQ(files.at("memory.max"), std::to_string(32 * kMb));
}

TEST(IsolationPlan, LeavesOutControllersThatAreMissing) {
  const auto files = plan(cpus_and_mem(1000, 64000), {}, {"pids"});
  EXPECT_EQ(files, (std::map<std::string, std::string>{{"pids.max", "100"}}));
  EXPECT_TRUE(plan(cpus_and_mem(1000, 64000), {}, {}).empty());
}

TEST(IsolationPlan, LeavesProcessesUnlimitedAtZero) {
  for (const ControlWrite& write : plan_isolation({.resources = cpus_and_mem(1000, 64000),
                                                   .limits = {},
                                                   .pids_max = 0,
                                                   .controllers = {"cpu", "memory", "pids"}})) {
    EXPECT_NE(write.controller, "pids");
  }
}

}  // namespace
}  // namespace tepui
