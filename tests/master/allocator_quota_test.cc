// Quota in rounds: guarantees, limits and headroom, nested.
#include <gtest/gtest.h>

#include <set>

#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

TEST_F(AllocatorTest, AGuaranteeIsServedBeforeSmallerShares) {
  framework("small", "a");
  framework("promised", "b");
  agent("first", "cpus:2;mem:1024");
  recover(round().at(0));
  agent("held", "cpus:2;mem:1024");
  allocator_->allocate(frameworks_["promised"], agents_["held"], "b",
                       Resources::parse("cpus:2;mem:1024").value());
  set_quota("b", "cpus:4", "");
  // b has more than a already, but not what it is promised.
  const Round given = timer_round();
  EXPECT_EQ(given_milli(given, "b", "cpus"), 2000);
  EXPECT_EQ(given_milli(given, "a", "cpus"), 0);
}

TEST_F(AllocatorTest, ALimitBindsAllThatIsBelowTheRoleWithinOneRound) {
  framework("x", "eng/x");
  framework("y", "eng/y");
  framework("other", "eng2");
  set_quota("eng", "", "cpus:3");
  for (const char* name : {"1", "2", "3", "4"}) agent(name, "cpus:2");
  const Round given = round();
  EXPECT_EQ(given_milli(given, "eng", "cpus"), 3000);
  EXPECT_EQ(given_milli(given, "eng2", "cpus"), 5000);
}

TEST_F(AllocatorTest, ALimitOfZeroLeavesWhatItDoesNotName) {
  framework("one", "a");
  allocator_->set_quota("a", {.limits_milli = {{"cpus", 0}}});
  agent("1", "cpus:2;mem:1024");
  const Round given = round();
  ASSERT_EQ(given.size(), 1);
  EXPECT_EQ(given[0].resources, "mem:1024");
}

TEST_F(AllocatorTest, InsideALimitedRoleRoomIsKeptForWhatItsChildrenArePromised) {
  framework("greedy", "eng/b");
  set_quota("eng", "", "cpus:4");
  set_quota("eng/a", "cpus:3", "");
  agent("1", "cpus:10");
  EXPECT_EQ(given_milli(round(), "eng/b", "cpus"), 1000);
  framework("promised", "eng/a");
  EXPECT_EQ(given_milli(round(), "eng/a", "cpus"), 3000);
}

TEST_F(AllocatorTest, AGuaranteeServesWhatIsBelowTheRole) {
  framework("other", "z");
  framework("child", "eng/x");
  set_quota("eng", "cpus:3", "cpus:3");
  agent("1", "cpus:4");
  const Round given = round();
  EXPECT_EQ(given_milli(given, "eng/x", "cpus"), 3000);
  EXPECT_EQ(given_milli(given, "z", "cpus"), 1000);
}

TEST_F(AllocatorTest, AParentDoesNotUseWhatItsChildrenArePromised) {
  framework("parent", "eng");
  set_quota("eng", "cpus:4", "");
  set_quota("eng/x", "cpus:3", "");
  agent("1", "cpus:4");
  EXPECT_EQ(given_milli(round(), "eng", "cpus"), 1000);
  framework("child", "eng/x");
  EXPECT_EQ(given_milli(round(), "eng/x", "cpus"), 3000);
}

TEST_F(AllocatorTest, ChildrenMayBePromisedMoreThanTheirParent) {
  framework("other", "z");
  set_quota("eng", "cpus:1", "");
  set_quota("eng/x", "cpus:2", "");
  set_quota("eng/y", "cpus:1", "");
  agent("1", "cpus:4");
  EXPECT_EQ(given_milli(round(), "z", "cpus"), 1000);
}

TEST_F(AllocatorTest, HeadroomIsHeldBackUntilTheGuaranteeGoes) {
  framework("other", "z");
  set_quota("absent", "cpus:3;mem:512", "");
  agent("1", "cpus:4;mem:1024;ports:[1-9]");
  const Round first = round();
  ASSERT_EQ(first.size(), 1);
  EXPECT_EQ(first[0].resources, "cpus:1; mem:512; ports:[1-9]");
  EXPECT_FALSE(allocator_->wants_round());
  set_quota("absent", "", "");
  ASSERT_TRUE(allocator_->wants_round());
  const Round second = round();
  ASSERT_EQ(second.size(), 1);
  EXPECT_EQ(second[0].resources, "cpus:3; mem:512");
}

TEST_F(AllocatorTest, WhatIsFreedElsewhereLoosensWhatIsHeldBack) {
  framework("other", "z");
  set_quota("absent", "cpus:2", "");
  agent("1", "cpus:2");
  EXPECT_TRUE(round().empty());
  // The new agent alone covers the guarantee, or both do in part.
  agent("2", "cpus:2");
  EXPECT_EQ(given_milli(round(), "z", "cpus"), 2000);
}

TEST_F(AllocatorTest, HeadroomCountsOnlyAgentsThatCanBeOffered) {
  framework("other", "z");
  set_quota("absent", "cpus:2", "");
  agent("1", "cpus:2");
  agent("2", "cpus:2");
  allocator_->set_agent_active(agents_["2"], false);
  EXPECT_TRUE(round().empty());
  allocator_->set_agent_active(agents_["2"], true);
  EXPECT_EQ(given_milli(round(), "z", "cpus"), 2000);
}

TEST_F(AllocatorTest, AMountDiskIsGivenWholeOrNotAtAll) {
  const Resource mount = {
      .kind = make_kind(
          {.name = "disk", .disk = Disk{.source = Disk::Source::kMount, .source_root = "/d"}}),
      .amount = 4000};
  framework("one", "a");
  set_quota("a", "", "disk:3");
  agent("1", Resources::parse("cpus:1;disk:5").value() + Resources::create({mount}).value());
  Round given = round();
  ASSERT_EQ(given.size(), 1);
  EXPECT_EQ(given[0].resources, "cpus:1; disk:3");
  set_quota("a", "", "disk:7");
  given = round();
  ASSERT_EQ(given.size(), 1);
  // Four of room: the plain disk comes first in the order of items, and is cut.
  EXPECT_EQ(given[0].resources, "disk:2");
  set_quota("a", "", "disk:9");
  given = round();
  ASSERT_EQ(given.size(), 1);
  EXPECT_EQ(given[0].resources, "disk[/d]:4");
}

TEST_F(AllocatorTest, GraphicsProcessorsAreGivenWhole) {
  framework("one", FrameworkShape{.roles = {"a"}, .gpu_resources = true});
  allocator_->set_quota("a", {.limits_milli = {{"gpus", 2500}}});
  agent("1", "cpus:1;gpus:4");
  const Round given = round();
  ASSERT_EQ(given.size(), 1);
  EXPECT_EQ(given[0].resources, "cpus:1; gpus:2");
}

TEST_F(AllocatorTest, ReservationsCountInQuotaAndRevocableResourcesDoNot) {
  framework("one", FrameworkShape{.roles = {"a"}, .revocable_resources = true});
  set_quota("a", "", "cpus:3");
  const Resources reserved_part = Resources::create({reserved("cpus", 2000, {"a"})}).value();
  agent("1", with_revocable("cpus:4", 5000) + reserved_part);
  ASSERT_EQ(round().size(), 1);
  // The two reserved, one of the four, and all five revocable.
  EXPECT_EQ(last_[0].resources.total_milli("cpus"), 8000);
  const RoleUse use = allocator_->use("a");
  EXPECT_EQ(use.consumed.get("cpus"), 3000);
  EXPECT_EQ(use.reserved.get("cpus"), 2000);
  EXPECT_EQ(use.offered_or_allocated.get("cpus"), 8000);
}

TEST_F(AllocatorTest, ALimitLoweredBelowUseTakesNothingBackAndGivesNothingMore) {
  framework("one", "a");
  agent("1", "cpus:4");
  const Given all = round().at(0);
  set_quota("a", "", "cpus:2");
  agent("2", "cpus:4");
  EXPECT_TRUE(round().empty());
  recover(all, Resources::parse("cpus:3").value());
  EXPECT_EQ(given_milli(round(), "a", "cpus"), 1000);
}

TEST_F(AllocatorTest, AnOperationThatReservesDoesNotChangeWhatIsConsumed) {
  framework("one", "a");
  set_quota("a", "", "cpus:2");
  agent("1", "cpus:4");
  const Given given = round().at(0);
  const Resources from = Resources::parse("cpus:2").value();
  const Resources to = Resources::create({reserved("cpus", 2000, {"a"})}).value();
  ASSERT_TRUE(allocator_->convert_allocated(frameworks_["one"], agents_["1"], given.role, from, to)
                  .has_value());
  EXPECT_EQ(allocator_->use("a").consumed.get("cpus"), 2000);
  EXPECT_TRUE(timer_round().empty());
  audit();
}

TEST_F(AllocatorTest, AfterAFailoverRoundsWaitForAgentsWhileThereIsQuota) {
  framework("one", "a");
  set_quota("b", "cpus:1", "");
  allocator_->pause(now_, 5);
  for (const char* name : {"1", "2", "3"}) agent(name, "cpus:2");
  EXPECT_TRUE(allocator_->is_paused());
  EXPECT_FALSE(allocator_->wants_round());
  EXPECT_TRUE(round().empty());
  agent("4", "cpus:2");
  EXPECT_FALSE(allocator_->is_paused());
  allocator_->remove_agent(agents_["4"]);
  EXPECT_FALSE(allocator_->is_paused());
  EXPECT_FALSE(round().empty());
}

TEST_F(AllocatorTest, AfterAFailoverRoundsDoNotWaitForAgentsThatWillNotComeBack) {
  framework("one", "a");
  set_quota("b", "cpus:1", "");
  allocator_->pause(now_, 5);
  for (const char* name : {"1", "2", "3"}) agent(name, "cpus:2");
  allocator_->expect_fewer();
  EXPECT_TRUE(allocator_->is_paused());
  allocator_->expect_fewer();
  EXPECT_FALSE(allocator_->is_paused());
  EXPECT_FALSE(round().empty());
}

TEST_F(AllocatorTest, AfterAFailoverRoundsWaitTenMinutesAtMost) {
  framework("one", "a");
  set_quota("b", "cpus:1", "");
  allocator_->pause(now_, 5);
  agent("1", "cpus:2");
  EXPECT_EQ(allocator_->next_deadline(), now_.mono + 10min);
  pass(10min - 1s);
  EXPECT_TRUE(allocator_->is_paused());
  pass(1s);
  EXPECT_FALSE(allocator_->is_paused());
  EXPECT_EQ(round().size(), 1);
  EXPECT_EQ(allocator_->next_deadline(), kNever);
}

TEST_F(AllocatorTest, AfterAFailoverRoundsDoNotWaitWithoutQuota) {
  framework("one", "a");
  allocator_->pause(now_, 5);
  agent("1", "cpus:2");
  EXPECT_FALSE(allocator_->is_paused());
  EXPECT_EQ(round().size(), 1);
  // Nor for one that is set after there was a round.
  set_quota("b", "cpus:1", "");
  EXPECT_FALSE(allocator_->is_paused());
}

}  // namespace
}  // namespace tepui
