#include "agent/shell/isolation_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/isolators/devices.h"

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<GroundOptions> read(std::vector<const char*> flags) {
  const Program program{.name = "agent",
                        .description = "for a test",
                        .examples = "none",
                        .options = isolation_options(),
                        .commands = {}};
  flags.insert(flags.begin(), "agent");
  const auto settings = configure(program, static_cast<int>(flags.size()), flags.data());
  if (!settings) return fail(settings.error().text);
  GroundOptions ground;
  TRY(read_isolation(*settings, ground));
  return ground;
}

std::string refusal(const char* flag) {
  const Result<GroundOptions> ground = read({flag});
  return ground ? "it was accepted" : ground.error().message;
}

TEST(IsolationOptions, IsolateByEverythingAndLimitNothingMoreByDefault) {
  const GroundOptions ground = read({}).value();
  EXPECT_THAT(ground.isolators, ElementsAre("auto"));
  EXPECT_EQ(ground.capabilities, kDefaultCapabilities);
  EXPECT_THAT(ground.image_directories, ElementsAre());
  EXPECT_THAT(ground.volume_host_paths, ElementsAre());
  EXPECT_FALSE(ground.allow_unconfined);
  IsolationSettings expected;
  expected.devices = default_devices();
  EXPECT_EQ(ground.isolation, expected);
}

TEST(IsolationOptions, DivideIdsThatNobodyHas) {
  EXPECT_EQ(read({})->ids, kDefaultIds);
  EXPECT_EQ(read({"--user-namespace-ids=200000:131072"})->ids,
            (IdRange{.first = 200'000, .count = 131'072}));
  EXPECT_EQ(refusal("--user-namespace-ids=200000"),
            "--user-namespace-ids: '200000' is not FIRST:COUNT");
  EXPECT_EQ(refusal("--user-namespace-ids=1000:65536"),
            "--user-namespace-ids: 1000:65536 begins among the ids of the machine, below 65536");
}

TEST(IsolationOptions, AreReadIntoTheSettings) {
  const GroundOptions ground =
      read({"--isolation=cpu,io", "--capabilities=none", "--enforce-cpu-requests",
            "--cpu-burst-percent=20", "--revocable-cpu-idle", "--memory-high-percent=80",
            "--swap-percent=10", "--io-devices=/dev/vda,/srv", "--io-max=rbps=10MB,wiops=30",
            "--io-latency=5ms", "--pids-max=7", "--egress-max=2MB", "--devices=c 10:200 rw",
            "--image-dir=/i,/j", "--volume-host-paths=/srv", "--allow-unconfined"})
          .value();
  EXPECT_THAT(ground.isolators, ElementsAre("cpu", "io"));
  EXPECT_EQ(ground.capabilities, CapabilitySet{0});
  EXPECT_THAT(ground.io_devices, ElementsAre("/dev/vda", "/srv"));
  EXPECT_THAT(ground.image_directories, ElementsAre("/i", "/j"));
  EXPECT_THAT(ground.volume_host_paths, ElementsAre("/srv"));
  EXPECT_TRUE(ground.allow_unconfined);
  IsolationSettings expected{.cpu_max_of_requests = true,
                             .cpu_burst_percent = 20,
                             .revocable_idle = true,
                             .memory_high_percent = 80,
                             .swap_percent = 10,
                             .pids_max = 7,
                             .io_max = {.read_bytes = 10 << 20, .write_operations = 30},
                             .io_latency_us = 5000,
                             .egress_max_bytes = 2 << 20,
                             .devices = default_devices()};
  expected.devices.emplace_back("c 10:200 rw");
  EXPECT_EQ(ground.isolation, expected);
}

TEST(IsolationOptions, RefuseWhatTheyDoNotUnderstandByName) {
  EXPECT_THAT(refusal("--capabilities=CAP_FLY"), HasSubstr("--capabilities: "));
  EXPECT_THAT(refusal("--io-max=rbps"), HasSubstr("--io-max: 'rbps': expected rbps=, wbps=,"));
  EXPECT_THAT(refusal("--io-max=speed=3"), HasSubstr("'speed=3'"));
  EXPECT_THAT(refusal("--io-max=riops=1k"), HasSubstr("riops: '1k' is no number"));
  EXPECT_THAT(refusal("--io-max=wbps=fast"), HasSubstr("wbps: "));
  EXPECT_THAT(refusal("--egress-max=fast"), HasSubstr("--egress-max: "));
  EXPECT_THAT(refusal("--devices=/dev/kvm"), HasSubstr("--devices: '/dev/kvm' is no rule"));
  EXPECT_THAT(refusal("--memory-high-percent=100"), HasSubstr("memory-high-percent"));
  EXPECT_THAT(refusal("--cpu-burst-percent=101"), HasSubstr("cpu-burst-percent"));
}

}  // namespace
}  // namespace tepui
