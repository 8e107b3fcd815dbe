// Which resources go to whom, and what happens when they come and go: by the names of Mesos' cases,
// and our own.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

// ---------------------------------------------------------------- what comes and goes

TEST_F(AllocatorTest, RecoverResources) {
  agent("a1", "cpus:1;cpus(role1):1;mem:512;mem(role1):512");
  framework("f1", "role1");
  const Given given = round().at(0);
  EXPECT_EQ(round(), Round{});
  recover(given, Resources::parse("cpus(role1):1").value());
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus(role1):1"}}));
  recover(given, Resources::parse("cpus:1;mem:512").value());
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus:1; mem:512"}}));
}

TEST_F(AllocatorTest, OnlyWhatWasAllocatedCanComeBack) {
  agent("a1", "cpus:2;mem:1024");
  framework("f1", "role1");
  const Given given = round().at(0);
  recover(given, Resources::parse("cpus:7;disk:5").value());
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus:2"}}));
  allocator_->recover(now_, {.index = 9, .generation = 1}, agents_["a1"], "role1",
                      Resources::parse("cpus:1").value(), {});
  allocator_->recover(now_, frameworks_["f1"], {.index = 9, .generation = 1}, "role1",
                      Resources::parse("cpus:1").value(), {});
  recover({"f1", "other", "a1", "cpus:1"});
  EXPECT_FALSE(allocator_->wants_round());
}

TEST_F(AllocatorTest, UpdateSlaveTotalResources) {
  agent("a1", "cpus:100;mem:100");
  framework("f1", "role1");
  const Given given = round().at(0);
  total("a1", "cpus:150;mem:150");
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus:50; mem:50"}}));

  // Less than what is allocated: tolerated, and nothing is offered until enough came back.
  total("a1", "cpus:80;mem:80");
  EXPECT_EQ(timer_round(), Round{});
  recover(given, Resources::parse("cpus:60;mem:70").value());
  EXPECT_EQ(timer_round(), Round{});
  recover(given, Resources::parse("cpus:40;mem:30").value());
  EXPECT_EQ(timer_round(), (Round{{"f1", "role1", "a1", "cpus:30; mem:30"}}));
}

TEST_F(AllocatorTest, UpdateSlaveOversubscribedResources) {
  framework("f1", {.roles = {"role1"}, .suppressed = {}, .revocable_resources = true});
  agent("a1", "cpus:100;mem:100");
  EXPECT_EQ(round().size(), 1u);
  total("a1", with_revocable("cpus:100;mem:100", 10'000));
  EXPECT_EQ(round().at(0).resources, "cpus:10 revocable");
  total("a1", with_revocable("cpus:100;mem:100", 12'000));
  EXPECT_EQ(round().at(0).resources, "cpus:2 revocable");
  total("a1", with_revocable("cpus:100;mem:100", 5'000));
  EXPECT_EQ(timer_round(), Round{});
}

TEST_F(AllocatorTest, OversubscribedNotAllocated) {
  framework("f1", "role1");
  agent("a1", with_revocable("cpus:2;mem:1024", 10'000));
  EXPECT_EQ(round().at(0).resources, "cpus:2; mem:1024");
  EXPECT_EQ(timer_round(), Round{});
  allocator_->update_framework(frameworks_["f1"],
                               {.roles = {"role1"}, .suppressed = {}, .revocable_resources = true});
  EXPECT_EQ(round().at(0).resources, "cpus:10 revocable");
}

TEST_F(AllocatorTest, RecoverOversubscribedResources) {
  framework("f1", {.roles = {"role1"}, .suppressed = {}, .revocable_resources = true});
  agent("a1", with_revocable("cpus:2;mem:1024", 10'000));
  const Given given = round().at(0);
  recover(given, with_revocable("", 6'000));
  EXPECT_EQ(round().at(0).resources, "cpus:6 revocable");
  recover(given, with_revocable("cpus:1", 4'000));
  EXPECT_EQ(round().at(0).resources, "cpus:1; cpus:4 revocable");
}

TEST_F(AllocatorTest, RemoveSlaveRecoverResources) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  EXPECT_EQ(share_ppm("role1"), 1'000'000);
  allocator_->remove_agent(agents_["a1"]);
  EXPECT_EQ(share_ppm("role1"), 0);
  recover(given);  // too late, and harmless
  EXPECT_FALSE(allocator_->wants_round());
  // The same place with a new generation.
  agents_["a1"].generation = 2;
  allocator_->add_agent(agents_["a1"],
                        {.total = Resources::parse("cpus:2;mem:1024").value(), .hostname = "a1"});
  EXPECT_EQ(round(), Round{given});
}

TEST_F(AllocatorTest, RemovedFrameworksGiveBackWhatTheyHold) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  EXPECT_EQ(round().size(), 1u);
  framework("f2", "role2");
  allocator_->remove_framework(frameworks_["f1"]);
  EXPECT_TRUE(allocator_->wants_round());
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a1", "cpus:2; mem:1024"}}));
}

TEST_F(AllocatorTest, DeactivatedAgentsAreNotOffered) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  allocator_->set_agent_active(agents_["a1"], false);
  EXPECT_FALSE(allocator_->wants_round());
  EXPECT_EQ(round(), Round{});
  allocator_->set_agent_active(agents_["a1"], true);
  EXPECT_EQ(round().size(), 1u);
}

// ---------------------------------------------------------------- who may have what

TEST_F(AllocatorTest, Reservations) {
  agent("a1", "cpus(role1):2;mem(role1):1024");
  agent("a2", "cpus(role2):2;mem(role2):1024");
  agent("a3", "cpus(role3):2;mem(role3):1024");
  framework("f1", "role1");
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus(role1):2; mem(role1):1024"}}));
  framework("f2", "role2");
  EXPECT_EQ(round(), (Round{{"f2", "role2", "a2", "cpus(role2):2; mem(role2):1024"}}));
  EXPECT_FALSE(allocator_->wants_round());
}

TEST_F(AllocatorTest, OfferAncestorReservationsToDescendantChild) {
  framework("fa", "a");
  framework("fab", "a/b");
  framework("fac", "c");
  allocator_->suppress(frameworks_["fa"], {});
  agent("a1", Resources::create({reserved("cpus", 1000, {"a"})}).value());
  EXPECT_EQ(round().at(0).role, "a/b");
  // What is reserved to the child is not the parent's.
  allocator_->revive(frameworks_["fa"], {});
  allocator_->suppress(frameworks_["fab"], {});
  agent("a2", Resources::parse("cpus(a/b):1").value());
  EXPECT_EQ(round(), Round{});
}

TEST_F(AllocatorTest, ReservationRefinement) {
  framework("f1", "a/b");
  agent("a1",
        Resources::create({reserved("cpus", 1000, {"a"}), reserved("mem", 1000, {"a", "a/b"})})
            .value());
  ASSERT_EQ(round().size(), 1u);
  EXPECT_EQ(last_[0].resources.names(), std::vector<std::string>{"cpus"});
  allocator_->update_framework(
      frameworks_["f1"], {.roles = {"a/b"}, .suppressed = {}, .reservation_refinement = true});
  ASSERT_EQ(round().size(), 1u);
  EXPECT_EQ(last_[0].resources.names(), std::vector<std::string>{"mem"});
}

TEST_F(AllocatorTest, SharedResourcesCapability) {
  const Resource volume = {
      .kind = make_kind({.name = "disk", .disk = Disk{.persistence_id = "v"}, .shared = true}),
      .amount = 5000};
  const Resources shared = Resources::create({volume}).value();
  framework("f1", "role1");
  agent("a1", Resources::parse("cpus:2;mem:1024").value() + shared);
  ASSERT_EQ(round().size(), 1u);
  EXPECT_FALSE(last_[0].resources.contains(shared));
  framework("f2", {.roles = {"role2"}, .suppressed = {}, .shared_resources = true});
  ASSERT_EQ(round().size(), 1u);
  EXPECT_EQ(last_[0].resources, shared);
}

// One framework per round, again though it is in use.
TEST_F(AllocatorTest, AllocateSharedResources) {
  const Resource volume = {
      .kind = make_kind({.name = "disk", .disk = Disk{.persistence_id = "v"}, .shared = true}),
      .amount = 5000};
  const Resources shared = Resources::create({volume}).value();
  for (const char* name : {"f1", "f2"}) {
    framework(name, {.roles = {"role1"}, .suppressed = {}, .shared_resources = true});
  }
  agent("a1", shared);
  std::set<std::string> frameworks;
  for (int i = 0; i < 2; ++i) {
    const Round given = timer_round();
    ASSERT_EQ(given.size(), 1u);
    EXPECT_EQ(last_[0].resources, shared);
    frameworks.insert(given[0].framework);
  }
  EXPECT_EQ(frameworks.size(), 2u);
  EXPECT_FALSE(allocator_->wants_round());  // only the timer offers it again
}

TEST_F(AllocatorTest, GpuAgentsGoToGpuFrameworks) {
  framework("f1", "role1");
  agent("a1", "cpus:2;gpus:1");
  EXPECT_EQ(round(), Round{});
  framework("f2", {.roles = {"role2"}, .suppressed = {}, .gpu_resources = true});
  EXPECT_EQ(round().at(0).framework, "f2");

  start({.min_allocatable = {},
         .fairness_excluded = {},
         .region = "",
         .filter_gpu_resources = false});
  frameworks_.clear();
  agents_.clear();
  framework("f1", "role1");
  agent("a1", "cpus:2;gpus:1");
  EXPECT_EQ(round().at(0).framework, "f1");
}

TEST_F(AllocatorTest, RemoteRegionsGoToRegionAwareFrameworks) {
  start({.min_allocatable = {}, .fairness_excluded = {}, .region = "here"});
  framework("f1", "role1");
  agent("near", "cpus:1", "here");
  agent("unknown", "cpus:1");
  EXPECT_EQ(round().size(), 2u);
  agent("far", "cpus:1", "there");
  EXPECT_EQ(round(), Round{});
  framework("f2", {.roles = {"role2"}, .suppressed = {}, .region_aware = true});
  EXPECT_EQ(round(), (Round{{"f2", "role2", "far", "cpus:1"}}));
}

TEST_F(AllocatorTest, Allocatable) {
  AllocatorOptions options;
  options.min_allocatable.resize(2);
  options.min_allocatable[0].add("cpus", 100);
  options.min_allocatable[1].add("mem", 32'000);
  start(options);
  framework("f1", "role1");
  agent("a1", "cpus:0.099;mem:16");
  agent("a2", "cpus:0.09;mem:31");
  EXPECT_FALSE(allocator_->wants_round());
  EXPECT_EQ(round(), Round{});
  agent("a3", "cpus:0.1;mem:8");
  EXPECT_EQ(round().at(0).agent, "a3");
  agent("a4", "cpus:0.01;mem:32");
  EXPECT_EQ(round().at(0).agent, "a4");
  total("a1", "cpus:0.1;mem:16");
  EXPECT_EQ(round().at(0).agent, "a1");
}

// One that can use nothing of an agent does not end the round for others.
TEST_F(AllocatorTest, FrameworkLoopMESOS_9554) {
  framework("f1", "role1");
  framework("f2", {.roles = {"role1"}, .suppressed = {}, .revocable_resources = true});
  agent("a1", with_revocable("", 1'000));
  EXPECT_EQ(round(), (Round{{"f2", "role1", "a1", "cpus:1 revocable"}}));
}

TEST_F(AllocatorTest, NonScalarReservationTrackingMESOS_9555) {
  framework("f1", "role1");
  agent("a1", "ports(role1):[1000-2000];cpus:1");
  const Given given = round().at(0);
  EXPECT_EQ(given.resources, "cpus:1; ports(role1):[1000-2000]");
  recover(given);
  EXPECT_EQ(round(), Round{given});
}

}  // namespace
}  // namespace tepui
