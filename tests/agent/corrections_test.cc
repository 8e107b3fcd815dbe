#include "agent/corrections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace tepui {
namespace {

constexpr int64_t kMb = 1 << 20;

Resources revocable(std::string name, int64_t milli) {
  Resource item{.kind = make_kind({.name = std::move(name), .revocable = true}), .amount = milli};
  return Resources::create({item}).value();
}

IsolationInput batch(std::vector<std::string> controllers = isolator_names()) {
  return {.resources = revocable("cpus", 2000) + revocable("mem", 512'000),
          .limits = {},
          .labels = {},
          .settings = {.io_devices = {"254:0"}},
          .controllers = std::move(controllers)};
}

std::map<std::string, std::string> files(const IsolationInput& input,
                                         const Corrections& corrections) {
  std::map<std::string, std::string> result;
  for (const ControlWrite& write : plan_corrected(input, corrections)) {
    // Of io.max the later write is for other keys.
    result[write.file.empty() ? write.controller : write.file] = write.value;
  }
  return result;
}

TEST(Corrections, WithoutAnyTheFilesSayWhatThePlanSays) {
  const auto all = files(batch(), {});
  EXPECT_EQ(all.at("cpu.idle"), "0");
  EXPECT_EQ(all.at("cpu.weight"), "2");
  EXPECT_EQ(all.at("cpu.max"), "max 100000");
  EXPECT_EQ(all.at("memory.high"), "max");
  EXPECT_EQ(all.at("memory.max"), std::to_string(512 * kMb));
  EXPECT_EQ(all.at("io.max"), "254:0 rbps=max wbps=max");
  EXPECT_EQ(all.at("cpuset.cpus"), "");
  EXPECT_EQ(all.at("cgroup.freeze"), "0");
  EXPECT_FALSE(all.contains("sched/idle"));
  EXPECT_EQ(all.at("network.egress.max"), "80000000000") << "as much as there is, but with a limit";
}

TEST(Corrections, EachHasItsFile) {
  const auto all = files(batch(), {.idle = true,
                                 .cpu_max_milli = 250,
                                 .cpu_time_permille = 125,
                                 .cpuset_cpus = 2,
                                 .memory_high_bytes = 100 * kMb + 5,
                                 .io_max_bytes = 7 * kMb,
                                 .egress_max_bytes = 9 * kMb,
                                 .frozen = true});
  EXPECT_EQ(all.at("cpu.idle"), "1");
  EXPECT_FALSE(all.contains("cpu.weight")) << "the kernel refuses it beside cpu.idle";
  EXPECT_EQ(all.at("cpu.max"), "25000 100000");
  EXPECT_EQ(all.at("cpuset.cpus"), "last 2");
  EXPECT_EQ(all.at("memory.high"), std::to_string(100 * kMb));
  EXPECT_EQ(all.at("io.max"), "254:0 rbps=7340032 wbps=7340032");
  EXPECT_EQ(all.at("network.egress.max"), std::to_string(9 * kMb));
  EXPECT_EQ(all.at("cgroup.freeze"), "1");
}

TEST(Corrections, ThePlanHoldsWhereItIsStricter) {
  IsolationInput input = batch();
  input.limits.cpus_milli = 200;
  input.settings.memory_high_percent = 10;
  input.settings.io_max = {.read_bytes = 1000, .write_bytes = 0, .read_operations = 7};
  input.settings.egress_max_bytes = 5000;
  const auto all = files(input, {.cpu_max_milli = 1000,
                                 .memory_high_bytes = 500 * kMb,
                                 .io_max_bytes = 2000,
                                 .egress_max_bytes = 6000});
  EXPECT_EQ(all.at("cpu.max"), "20000 100000");
  EXPECT_EQ(std::stoll(all.at("memory.high")), (512 * kMb / 10) & ~4095LL);
  EXPECT_EQ(all.at("io.max"), "254:0 rbps=1000 wbps=2000");
  EXPECT_EQ(all.at("network.egress.max"), "5000");
}

TEST(Corrections, ABurstIsNeverAboveItsQuota) {
  IsolationInput input = batch();
  input.limits.cpus_milli = 2000;
  input.settings.cpu_burst_percent = 50;
  const auto order = [&input](const Corrections& corrections) {
    std::vector<std::string> writes;
    for (const ControlWrite& write : plan_corrected(input, corrections)) {
      if (write.file.starts_with("cpu.max")) writes.push_back(write.file + "=" + write.value);
    }
    return writes;
  };
  EXPECT_EQ(order({.cpu_max_milli = 500}),
            (std::vector<std::string>{"cpu.max.burst=0", "cpu.max=50000 100000"}));
  EXPECT_EQ(order({}), (std::vector<std::string>{"cpu.max.burst=0", "cpu.max=200000 100000",
                                                 "cpu.max.burst=100000"}));
}

TEST(Corrections, WithoutTheCpuControllerTheSchedulerAndTheFreezerStandIn) {
  const auto all =
      files(batch({"pids"}), {.idle = true, .cpu_max_milli = 5, .cpu_time_permille = 250});
  EXPECT_EQ(all.at("sched/idle"), "1");
  EXPECT_EQ(all.at("freeze/duty"), "250");
  EXPECT_EQ(all.at("cgroup.freeze"), "0");
  EXPECT_FALSE(all.contains("cpu.max"));
  const auto none = files(batch({"pids"}), {});
  EXPECT_EQ(none.at("sched/idle"), "0");
  EXPECT_EQ(none.at("freeze/duty"), "1000");
}

TEST(Corrections, AnOldKernelGetsTheLowestWeightForTheIdleClass) {
  IsolationInput input = batch();
  input.settings.missing_files = {"cpu.idle"};
  EXPECT_EQ(files(input, {.idle = true}).at("cpu.weight"), "1");
  EXPECT_FALSE(files(input, {.idle = true}).contains("cpu.idle"));
  EXPECT_EQ(files(input, {}).at("cpu.weight"), "2");
}

TEST(Corrections, WhatStartsIdleStaysSo) {
  IsolationInput input = batch();
  input.settings.revocable_idle = true;
  EXPECT_EQ(files(input, {}).at("cpu.idle"), "1");
  EXPECT_FALSE(files(input, {}).contains("cpu.weight"));
}

TEST(Corrections, AreOnlyForWhatIsRevocable) {
  const Corrections all{.idle = true, .memory_high_bytes = 1, .frozen = true};
  EXPECT_EQ(allowed(all, Resources::scalars({{"cpus", 1000}})), Corrections{});
  EXPECT_EQ(allowed(all, revocable("cpus", 1000) + Resources::scalars({{"cpus", 1000}})),
            Corrections{});
  EXPECT_EQ(allowed(all, Resources()), Corrections{});
  EXPECT_EQ(allowed(all, revocable("cpus", 1000) + revocable("mem", 1000)), all);
  // Its own memory stays with it.
  const Corrections kept =
      allowed(all, revocable("cpus", 1000) + Resources::scalars({{"mem", 1000}}));
  EXPECT_EQ(kept.memory_high_bytes, 0);
  EXPECT_TRUE(kept.frozen);
}

TEST(Corrections, CanBeRead) {
  EXPECT_EQ(to_text(Corrections{}), "");
  EXPECT_EQ(to_text({.idle = true, .cpu_max_milli = 250, .frozen = true}),
            "idle class, at most 0.25 cpus, frozen");
  EXPECT_EQ(to_text({.cpuset_cpus = 1, .memory_high_bytes = 64 * kMb, .io_max_bytes = 1 << 20}),
            "on 1 processor, memory above 64 MB reclaimed, io at most 1024 kB/s");
}

}  // namespace
}  // namespace tepui
