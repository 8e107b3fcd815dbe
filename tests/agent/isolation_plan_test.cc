#include "agent/isolation_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "agent/isolators/cpuset.h"
#include "agent/isolators/devices.h"
#include "agent/isolators/disk.h"
#include "agent/isolators/network.h"

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
                                                   .labels = {},
                                                   .settings = {.pids_max = 100},
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

// One value for each file, but for io.max and devices.allow.
std::map<std::string, std::string> plan_with(const IsolationSettings& settings, Resources resources,
                                             ResourceLimits limits = {}, Labels labels = {}) {
  std::map<std::string, std::string> files;
  for (const ControlWrite& write : plan_isolation({.resources = std::move(resources),
                                                   .limits = limits,
                                                   .labels = std::move(labels),
                                                   .settings = settings,
                                                   .controllers = isolator_names()})) {
    std::string& value = files[write.file];
    if (!value.empty()) value += "; ";
    value += write.value;
  }
  return files;
}

TEST(IsolationPlan, ListsEveryFileInAFixedOrder) {
  const IsolationPlan expected = {
      {"cpu", "cpu.weight", "150"},
      {"cpu", "cpu.max", "200000 100000"},
      {"memory", "memory.low", std::to_string(512 * kMb)},
      {"memory", "memory.max", std::to_string(1024 * kMb)},
      {"memory", "memory.swap.max", "0"},
      {"memory", "memory.oom.group", "1"},
      {"io", "io.weight", "default 150"},
      {"io", "io.max", "254:0 rbps=1024"},
      {"pids", "pids.max", "64"},
      {"hugetlb", "hugetlb.2MB.max", "0"},
      {"hugetlb", "hugetlb.2MB.rsvd.max", "0"},
      {"devices", "devices.allow", "c 1:3 rwm"},
      {"network/egress", "network.egress.max", "5000"},
      {"network/ports", "network.ports.allow", "none"},
  };
  EXPECT_EQ(plan_isolation({.resources = cpus_and_mem(1500, 512000),
                            .limits = {.cpus_milli = 2000, .mem_milli = 1024000},
                            .labels = {},
                            .settings = {.pids_max = 64,
                                         .io_max = {.read_bytes = 1024},
                                         .egress_max_bytes = 5000,
                                         .io_devices = {"254:0"},
                                         .hugepage_sizes = {"2MB"},
                                         .devices = {"c 1:3 rwm"}},
                            .controllers = isolator_names()}),
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
  EXPECT_FALSE(plan_with({.pids_max = 0}, cpus_and_mem(1000, 64000)).contains("pids.max"));
}

TEST(IsolationPlan, LeavesOutFilesThatTheKernelLacks) {
  const auto files = plan_with({.cpu_burst_percent = 50,
                                .revocable_idle = true,
                                .missing_files = {"cpu.idle", "cpu.max.burst", "memory.swap.max"}},
                               revocable("cpus", 2000), {.cpus_milli = 4000, .mem_milli = {}});
  EXPECT_FALSE(files.contains("cpu.max.burst"));
  EXPECT_FALSE(files.contains("memory.swap.max"));
  // Not idle, so it must not weigh as much as anybody.
  EXPECT_EQ(files.at("cpu.weight"), "2");
}

TEST(IsolationPlan, NamesTheFilesThatNotEveryKernelHas) {
  EXPECT_EQ(optional_files({}), (std::vector<std::string>{"memory.swap.max", "io.weight"}));
  EXPECT_EQ(optional_files({.cpu_burst_percent = 1,
                            .revocable_idle = true,
                            .io_latency_us = 1,
                            .hugepage_sizes = {"2MB"}}),
            (std::vector<std::string>{"memory.swap.max", "io.weight", "cpu.max.burst", "cpu.idle",
                                      "io.latency", "hugetlb.2MB.rsvd.max"}));
}

TEST(CpuIsolator, MakesRequestsLimitsWhereThatIsConfigured) {
  const IsolationSettings enforced{.cpu_max_of_requests = true};
  EXPECT_EQ(plan_with(enforced, cpus_and_mem(500, 64000)).at("cpu.max"), "50000 100000");
  const ResourceLimits own{.cpus_milli = 700, .mem_milli = {}};
  EXPECT_EQ(plan_with(enforced, cpus_and_mem(500, 64000), own).at("cpu.max"), "70000 100000");
}

TEST(CpuIsolator, LetsAPartOfTheQuotaBeSavedUp) {
  const ResourceLimits limits{.cpus_milli = 2000, .mem_milli = {}};
  EXPECT_EQ(
      plan_with({.cpu_burst_percent = 25}, cpus_and_mem(500, 64000), limits).at("cpu.max.burst"),
      "50000");
  EXPECT_FALSE(
      plan_with({.cpu_burst_percent = 25}, cpus_and_mem(500, 64000)).contains("cpu.max.burst"));
}

TEST(CpuIsolator, MakesOnlyWhatIsWhollyRevocableIdle) {
  const IsolationSettings idle{.revocable_idle = true};
  const auto files = plan_with(idle, revocable("cpus", 2000));
  EXPECT_EQ(files.at("cpu.idle"), "1");
  EXPECT_FALSE(files.contains("cpu.weight"));
  EXPECT_FALSE(plan_with(idle, cpus_and_mem(1000, 64000)).contains("cpu.idle"));
  EXPECT_FALSE(plan_with(idle, Resources::scalars({{"mem", 64000}})).contains("cpu.idle"));
}

TEST(MemoryIsolator, ReclaimsAndSwapsFromTheConfiguredParts) {
  const auto files =
      plan_with({.memory_high_percent = 50, .swap_percent = 25}, cpus_and_mem(1000, 128'000));
  EXPECT_EQ(files.at("memory.high"), std::to_string(64 * kMb));
  EXPECT_EQ(files.at("memory.swap.max"), std::to_string(32 * kMb));
  const ResourceLimits unlimited{.cpus_milli = {}, .mem_milli = kUnlimited};
  const auto without =
      plan_with({.memory_high_percent = 50}, cpus_and_mem(1000, 128'000), unlimited);
  EXPECT_FALSE(without.contains("memory.high"));
  EXPECT_FALSE(without.contains("memory.swap.max"));
}

TEST(IoIsolator, LimitsEveryDiskToWhatIsRequestedOrConfigured) {
  const IsolationSettings settings{.io_max = {.read_bytes = 1000, .write_operations = 20},
                                   .io_devices = {"254:0", "8:16"}};
  EXPECT_EQ(plan_with(settings, cpus_and_mem(1000, 64000)).at("io.max"),
            "254:0 rbps=1000 wiops=20; 8:16 rbps=1000 wiops=20");
  const Resources requested = Resources::scalars(
      {{"io_rbps", 1500}, {"io_wbps", 2000}, {"io_riops", 100'000}, {"io_wiops", 1}});
  EXPECT_EQ(
      plan_with({.io_max = {.read_bytes = 1000}, .io_devices = {"254:0"}}, requested).at("io.max"),
      "254:0 rbps=1572864 wbps=2097152 riops=100 wiops=1");
  EXPECT_FALSE(plan_with({.io_devices = {"254:0"}}, cpus_and_mem(1, 1)).contains("io.max"));
}

TEST(IoIsolator, AimsAtALatencyForWhatIsNotRevocable) {
  const IsolationSettings settings{.io_latency_us = 5000, .io_devices = {"254:0"}};
  EXPECT_EQ(plan_with(settings, cpus_and_mem(1000, 64000)).at("io.latency"), "254:0 target=5000");
  EXPECT_FALSE(plan_with(settings, revocable("cpus", 1000)).contains("io.latency"));
}

TEST(HugetlbIsolator, GivesHugePagesToThoseWhoRequestThem) {
  const auto files =
      plan_with({.hugepage_sizes = {"1GB", "2MB"}}, Resources::scalars({{"hugetlb_2MB", 4000}}));
  EXPECT_EQ(files.at("hugetlb.2MB.max"), std::to_string(4 * kMb));
  EXPECT_EQ(files.at("hugetlb.2MB.rsvd.max"), std::to_string(4 * kMb));
  EXPECT_EQ(files.at("hugetlb.1GB.max"), "0");
}

TEST(CpusetIsolator, AsksForANodeWhereTheTaskDoes) {
  const Labels asking{{.key = "tepui.cpuset", .value = "numa"}};
  const auto files = plan_with({}, cpus_and_mem(1500, 64000), {}, asking);
  EXPECT_EQ(files.at("cpuset.mems"), "numa 1500");
  EXPECT_FALSE(plan_with({}, cpus_and_mem(1500, 64000)).contains("cpuset.mems"));
  EXPECT_EQ(numa_request({"cpuset", "cpuset.mems", "numa 1500"}), 1500);
  EXPECT_EQ(numa_request({"cpuset", "cpuset.mems", "0"}), std::nullopt);
  EXPECT_EQ(numa_request({"cpuset", "cpuset.cpus", "numa 1500"}), std::nullopt);
}

TEST(CpusetIsolator, ChoosesTheNodeWithMostLeftThatIsLargeEnough) {
  std::vector<NumaNode> nodes = {
      {.id = 0, .cpus = "0-1", .cpus_milli = 2000, .taken_milli = 0},
      {.id = 1, .cpus = "2-5", .cpus_milli = 4000, .taken_milli = 3000},
  };
  EXPECT_EQ(choose_node(nodes, 500)->id, 0);
  EXPECT_EQ(choose_node(nodes, 2500)->id, 1);
  EXPECT_EQ(choose_node(nodes, 5000), nullptr);
  nodes[0].taken_milli = 1000;
  EXPECT_EQ(choose_node(nodes, 500)->id, 0);  // of equals the first
  nodes[0].taken_milli = 1001;
  EXPECT_EQ(choose_node(nodes, 500)->id, 1);
}

TEST(CpusetIsolator, CountsListsOfProcessors) {
  EXPECT_EQ(count_cpus("0-3,8"), 5);
  EXPECT_EQ(count_cpus("7"), 1);
  EXPECT_EQ(count_cpus(""), 0);
  EXPECT_EQ(last_of_cpus("0-3,8\n", 1), "8");
  EXPECT_EQ(last_of_cpus("0-3,8\n", 3), "2-3,8");
  EXPECT_EQ(last_of_cpus("0-3,8", 9), "0-3,8");
  EXPECT_FALSE(last_of_cpus("0-x", 1).has_value());
  EXPECT_EQ(last_cpus("last 2"), 2);
  EXPECT_EQ(last_cpus("0-3"), std::nullopt);
  for (const char* bad : {"3-1", "a", "1-", ",", "-1", "1-2-3"}) {
    EXPECT_EQ(count_cpus(bad), std::nullopt) << bad;
  }
}

TEST(DevicesIsolator, ReadsRules) {
  EXPECT_EQ(
      parse_device_rule("c 1:3 rwm").value(),
      (DeviceRule{
          .block = false, .major = 1, .minor = 3, .read = true, .write = true, .make = true}));
  EXPECT_EQ(parse_device_rule("b *:* m").value(),
            (DeviceRule{.block = true, .major = {}, .minor = {}, .make = true}));
  EXPECT_EQ(parse_device_rule("c 136:* r").value().minor, std::nullopt);
  for (const char* bad :
       {"", "c", "c 1:3", "c 1:3 ", "c 1 rw", "x 1:3 r", "c 1:3 rr", "c 1:3 x", "c -1:3 r",
        "c 4096:0 r", "c 1:1048576 r", "c 1:3:4 r", "c:1 3 r", "c 1:3  r", "c1:3 r"}) {
    EXPECT_FALSE(parse_device_rule(bad).has_value()) << bad;
  }
}

TEST(DevicesIsolator, PermitsByDefaultWhatEveryProgramExpects) {
  EXPECT_EQ(default_devices().size(), 9u);
  for (const std::string& rule : default_devices()) {
    const DeviceRule read = parse_device_rule(rule).value();
    EXPECT_TRUE(!read.block && read.major && read.read && read.write && read.make) << rule;
  }
  EXPECT_EQ(plan_with({.devices = {"c 1:3 rwm", "b 8:0 r"}}, Resources()).at("devices.allow"),
            "c 1:3 rwm; b 8:0 r");
}

TEST(DiskIsolator, BoundsTheSandboxToWhatIsRequestedBesideVolumes) {
  const Resource volume{.kind = make_kind({.name = "disk", .disk = Disk{.persistence_id = "v"}}),
                        .amount = 5000};
  const Resources resources =
      Resources::scalars({{"disk", 3000}}) + Resources::create({volume}).value();
  EXPECT_EQ(plan_with({}, resources).at("disk.max"), std::to_string(3 * kMb));
  EXPECT_EQ(plan_with({}, resources).at("disk.image"), std::to_string(3 * kMb));
  EXPECT_EQ(image_size({{"disk/image", "disk.image", "8192"}}), 8192);
  EXPECT_EQ(image_size({{"disk", "disk.max", "4096"}}), std::nullopt);
  EXPECT_EQ(disk_limit({{"disk", "disk.max", "4096"}}), 4096);
  EXPECT_FALSE(plan_with({}, Resources::create({volume}).value()).contains("disk.max"));
  EXPECT_EQ(disk_limit({}), std::nullopt);
}

TEST(NetworkIsolators, LimitEgressToWhatIsRequestedOrConfigured) {
  const IsolationSettings settings{.egress_max_bytes = 3000};
  EXPECT_EQ(plan_with(settings, cpus_and_mem(1, 1)).at("network.egress.max"), "3000");
  EXPECT_EQ(
      plan_with(settings, Resources::scalars({{"network_egress", 1500}})).at("network.egress.max"),
      "1572864");
  EXPECT_EQ(plan_with({}, Resources::scalars({{"network_egress", int64_t{1} << 50}}))
                .at("network.egress.max"),
            "79999008768")
      << "bounded by what the program counts with";
  EXPECT_FALSE(plan_with({}, cpus_and_mem(1, 1)).contains("network.egress.max"));
}

TEST(NetworkIsolators, PermitThePortsThatAreRequestedWhateverTheirReservation) {
  const auto plan_ports = [](const char* resources) {
    return plan_with({}, Resources::parse(resources).value()).at("network.ports.allow");
  };
  EXPECT_EQ(plan_ports("cpus:1"), "none");
  EXPECT_EQ(plan_ports("ports:[31000-31001,31005-31005];ports(eng):[31002-31003]"),
            "31000-31003,31005-31005");
  EXPECT_EQ(plan_ports("ports:[65000-70000]"), "65000-65535");
  EXPECT_EQ(plan_ports("ports:[70000-70001]"), "none");
}

TEST(NetworkIsolators, HaveABucketOfATenthOfASecond) {
  const EgressBucket fast = parse_egress("80000000000").value();
  EXPECT_EQ(fast.burst_bytes, 8'000'000'000);
  EXPECT_EQ(fast.fill_ns, 100'000'001);
  const EgressBucket slow = parse_egress("3").value();
  EXPECT_EQ(slow.burst_bytes, 131072);
  EXPECT_EQ(slow.fill_ns, 43'690'666'666'667);
  for (const char* wrong : {"", "0", "-1", "10MB", "80000000001"}) {
    EXPECT_FALSE(parse_egress(wrong).has_value()) << wrong;
  }
}

TEST(NetworkIsolators, ReadThePortsOfAPlan) {
  EXPECT_EQ(parse_ports("none").value(), Ranges());
  EXPECT_EQ(parse_ports("7-9,1-2").value(), (Ranges{{1, 2}, {7, 9}}));
  for (const char* wrong : {"", "1", "2-1", "1-65536", "1-2,", "1-2;3-4", "a-b"}) {
    EXPECT_FALSE(parse_ports(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace tepui
