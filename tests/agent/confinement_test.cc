#include "agent/confinement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tepui {
namespace {

ConfinementSettings everything() {
  ConfinementSettings config;
  config.isolators = parse_isolation({"auto"}).value().wanted;
  config.cgroup_mount = "/sys/fs/cgroup";
  config.private_directories = {"/var/lib/agent", "/run/agent", "/mnt/disk/volumes"};
  return config;
}

struct Planned {
  explicit Planned(const ConfinementSettings& config, std::vector<VolumeMount> mounts = {},
                   std::string shared = "", const ContainerInfo& asked = {})
      : volumes(std::move(mounts)),
        plan(plan_confinement({.config = config,
                               .sandbox = "/var/lib/agent/runs/c",
                               .volumes = volumes,
                               .shared_directory = std::move(shared),
                               .container = &asked,
                               .memory_bytes = 64 << 20})) {}

  // The place of the first such step, or -1.
  int place(StepKind kind, const std::string& target) const {
    const auto found = std::ranges::find_if(plan.steps, [&](const ConfinementStep& step) {
      return step.kind == kind && step.target == target;
    });
    return found == plan.steps.end() ? -1 : static_cast<int>(found - plan.steps.begin());
  }
  const ConfinementStep& opened(uint16_t slot) const {
    return *std::ranges::find_if(plan.steps, [slot](const ConfinementStep& step) {
      return step.kind == StepKind::kOpen && step.slot == slot;
    });
  }

  std::vector<VolumeMount> volumes;
  Confinement plan;
};

TEST(Confinement, MapsIdsOnlyWhereTheTaskHasAUserNamespaceAndOnlyOfWhatLasts) {
  ConfinementSettings config = everything();
  config.volume_host_paths = {"/srv"};
  ContainerInfo asked;
  asked.volumes = {{.container_path = "host", .source_path = "/srv"}};
  const std::vector<VolumeMount> mounts = {
      {.place = {.base = "/mnt/disk", .directory = "volumes/roles/r/v"}, .container_path = "data"}};
  const auto mapped = [&] {
    std::vector<std::string> sources;
    const Planned planned(config, mounts, "/var/lib/agent/executors", asked);
    for (const ConfinementStep& step : planned.plan.steps) {
      if ((step.flags & kMapIds) != 0) sources.push_back(step.source);
    }
    return sources;
  };
  EXPECT_TRUE(mapped().empty());
  asked.user_namespace = true;
  EXPECT_EQ(mapped(), std::vector<std::string>{"/mnt/disk/volumes/roles/r/v"});
  EXPECT_TRUE(has(Planned(config, mounts, "", asked).plan.namespaces, Isolator::kUserNamespace));
}

TEST(Confinement, WithoutIsolatorsThereIsNothingToDo) {
  const Planned planned{ConfinementSettings{}};
  EXPECT_TRUE(planned.plan.namespaces.none());
  EXPECT_TRUE(planned.plan.steps.empty());
  EXPECT_FALSE(planned.plan.capabilities.has_value());
  EXPECT_FALSE(planned.plan.filters_calls);
}

TEST(Confinement, OpensAllSourcesBeforeItCoversAnything) {
  const Planned planned(everything(),
                        {{.place = {.base = "/mnt/disk", .directory = "volumes/roles/r/v"},
                          .container_path = "data"}},
                        "/var/lib/agent/executors");
  const int first_cover = planned.place(StepKind::kMount, "/var/lib/agent");
  ASSERT_GE(first_cover, 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(planned.plan.steps[static_cast<size_t>(i)].kind, StepKind::kOpen) << i;
  }
}

TEST(Confinement, PutsBackOnlyWhatIsTheTasksOwn) {
  const Planned planned(everything(),
                        {{.place = {.base = "/mnt/disk", .directory = "volumes/roles/r/v"},
                          .container_path = "data",
                          .read_only = true}},
                        "/var/lib/agent/executors");
  const int cover = planned.place(StepKind::kMount, "/var/lib/agent");
  for (const auto& [target, source] :
       {std::pair{"/var/lib/agent/runs/c", "/var/lib/agent/runs/c"},
        {"/var/lib/agent/executors", "/var/lib/agent/executors"},
        {"/var/lib/agent/runs/c/data", "/mnt/disk/volumes/roles/r/v"}}) {
    const int attach = planned.place(StepKind::kAttach, target);
    ASSERT_GT(attach, cover) << target;
    EXPECT_EQ(planned.opened(planned.plan.steps[static_cast<size_t>(attach)].slot).source, source);
  }
  const int volume = planned.place(StepKind::kAttach, "/var/lib/agent/runs/c/data");
  EXPECT_EQ(planned.opened(planned.plan.steps[static_cast<size_t>(volume)].slot).flags, kReadOnly);
  EXPECT_GT(volume, planned.place(StepKind::kAttach, "/var/lib/agent/runs/c"));
  // What is not its own is not seen at all.
  EXPECT_GE(planned.place(StepKind::kHide, "/run/agent"), 0);
  EXPECT_GE(planned.place(StepKind::kHide, "/mnt/disk/volumes"), 0);
}

TEST(Confinement, CoversADirectoryInsideAnotherOnlyOnce) {
  ConfinementSettings config = everything();
  config.private_directories = {"/var/lib/agent/run", "/var/lib/agent"};
  const Planned planned(config);
  EXPECT_EQ(planned.place(StepKind::kHide, "/var/lib/agent/run"), -1);
  EXPECT_GE(planned.place(StepKind::kMount, "/var/lib/agent"), 0);
}

TEST(Confinement, MountsACgroupTreeBeforeAllOfSysBecomesReadOnly) {
  const Planned planned(everything());
  const int cgroups = planned.place(StepKind::kMount, "/sys/fs/cgroup");
  ASSERT_GE(cgroups, 0);
  EXPECT_GT(planned.place(StepKind::kAttributes, "/sys"), cgroups);
}

TEST(Confinement, APidNamespaceAloneMountsNothing) {
  ConfinementSettings config = everything();
  config.isolators = parse_isolation({"namespaces/pid"}).value().wanted;
  const Planned planned(config);
  EXPECT_TRUE(has(planned.plan.namespaces, Isolator::kPidNamespace));
  EXPECT_TRUE(planned.plan.steps.empty());
}

TEST(Confinement, ShowsVolumesLastAndTheOuterOnesFirst) {
  ConfinementSettings config = everything();
  config.volume_host_paths = {"/srv", "/srv/deep"};
  ContainerInfo asked;
  using Source = ContainerVolume::Source;
  asked.volumes = {
      {.source = Source::kTmpfs, .container_path = "data/./memory"},
      {.source = Source::kHostPath, .container_path = "data", .source_path = "/srv/deep//x"},
      {.source = Source::kSandboxPath,
       .container_path = "/opt/own",
       .source_path = "own",
       .read_only = true}};
  const Planned planned(config, {}, "", asked);
  const int data = planned.place(StepKind::kAttach, "/var/lib/agent/runs/c/data");
  const int memory = planned.place(StepKind::kMount, "/var/lib/agent/runs/c/data/memory");
  const int own = planned.place(StepKind::kAttach, "/opt/own");
  ASSERT_GE(own, 0);
  EXPECT_GT(data, planned.place(StepKind::kAttach, "/var/lib/agent/runs/c"));
  EXPECT_GT(memory, data);
  const auto step = [&](int place) { return planned.plan.steps[static_cast<size_t>(place)]; };
  EXPECT_EQ(step(memory).data, "mode=1777,size=33554432");
  EXPECT_EQ(planned.opened(step(data).slot).within, "/srv/deep");
  EXPECT_EQ(planned.opened(step(data).slot).source, "./x");
  EXPECT_EQ(planned.opened(step(own).slot).within, "/var/lib/agent/runs/c");
  EXPECT_EQ(planned.opened(step(own).slot).flags, kReadOnly | kNoDevices);
  EXPECT_THAT(planned.plan.directories, testing::ElementsAre("data/memory", "data", "own"));
}

TEST(Confinement, GainsNoPrivilegesWhereItReplacesFilesOfTheMachine) {
  ContainerInfo asked;
  asked.volumes = {{.source = ContainerVolume::Source::kTmpfs, .container_path = "inside"}};
  EXPECT_FALSE(Planned(everything(), {}, "", asked).plan.no_new_privileges);
  asked.volumes[0].container_path = "/etc";
  EXPECT_TRUE(Planned(everything(), {}, "", asked).plan.no_new_privileges);
}

TEST(Confinement, FindsTheNearestDirectoryAbove) {
  const std::vector<std::string> some = {"/srv", "/srv/deep"};
  EXPECT_EQ(*find_above(some, "/srv/deep/x"), "/srv/deep");
  EXPECT_EQ(*find_above(some, "/srv/deeper"), "/srv");
  EXPECT_EQ(*find_above(some, "/srv"), "/srv");
  EXPECT_EQ(find_above(some, "/srvx"), nullptr);
  EXPECT_EQ(find_above({}, "/"), nullptr);
  EXPECT_EQ(*find_above({"/"}, "/x"), "/");
  EXPECT_EQ(plain_path("//a/./b//"), "/a/b");
  EXPECT_EQ(plain_path("a/./b"), "a/b");
  EXPECT_EQ(plain_path("/"), "/");
}

TEST(Confinement, OpensAllSourcesBeforeItEntersARoot) {
  ConfinementSettings config = everything();
  config.image_directories = {"/images"};
  ContainerInfo asked;
  asked.rootfs = RootFilesystem{.path = "/images/./debian", .read_only = true};
  asked.volumes = {{.source = ContainerVolume::Source::kSandboxPath,
                    .container_path = "rel",
                    .source_path = "own"}};
  const Planned planned(config, {}, "/var/lib/agent/executors", asked);
  const int root = planned.place(StepKind::kRoot, "/var/lib/agent/runs/c");
  ASSERT_GE(root, 0);
  for (const char* target : {"/mnt/mesos/sandbox", "/var/lib/agent/executors", "/dev/null",
                             "/etc/resolv.conf", "/mnt/mesos/sandbox/rel"}) {
    const int place = planned.place(StepKind::kAttach, target);
    ASSERT_GT(place, root) << target;
    const ConfinementStep& step = planned.plan.steps[static_cast<size_t>(place)];
    EXPECT_EQ(step.flags, uint32_t{kMake});
    EXPECT_LT(&planned.opened(step.slot) - planned.plan.steps.data(), root) << target;
  }
  EXPECT_EQ(planned.plan.steps[0].within, "/images");
  EXPECT_EQ(planned.plan.steps[0].source, "./debian");
  // The machine's files are gone, so nothing of them must be covered; the root is closed last.
  EXPECT_EQ(planned.place(StepKind::kMount, "/var/lib/agent"), -1);
  EXPECT_GT(planned.place(StepKind::kMount, "/"),
            planned.place(StepKind::kAttach, "/mnt/mesos/sandbox/rel"));
}

TEST(Confinement, EveryStepHasASlotOfItsOwnAndASentence) {
  const Planned planned(everything());
  std::vector<uint16_t> slots;
  for (const ConfinementStep& step : planned.plan.steps) {
    EXPECT_FALSE(describe(step).empty());
    if (step.kind == StepKind::kOpen) slots.push_back(step.slot);
  }
  std::ranges::sort(slots);
  EXPECT_TRUE(std::ranges::adjacent_find(slots) == slots.end());
}

}  // namespace
}  // namespace tepui
