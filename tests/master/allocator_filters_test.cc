// Filters, suppress and revive, frameworks that pause: by the names of Mesos' cases, and our own.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

TEST_F(AllocatorTest, OfferFilter) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, 1000s);
  EXPECT_EQ(round(), Round{});
  EXPECT_EQ(allocator_->stats().rounds, 2u);
  for (int i = 0; i < 3; ++i) {
    pass(300s);
    EXPECT_EQ(timer_round(), Round{});
  }
  EXPECT_EQ(allocator_->next_deadline(), now_.mono + 100s);
  pass(100s);
  EXPECT_TRUE(allocator_->wants_round());
  EXPECT_EQ(round(), Round{given});
}

TEST_F(AllocatorTest, SmallOfferFilterTimeout) {
  framework("f1", "role1");
  framework("f2", "role2");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  ASSERT_EQ(given.framework, "f1");
  recover(given, 1ms);
  // The filter is over before the round comes, and still acts on it.
  pass(500ms);
  EXPECT_EQ(allocator_->next_deadline(), kNever);
  EXPECT_EQ(round().at(0).framework, "f2");
  // After that it is gone.
  recover({"f2", "role2", "a1", "cpus:2; mem:1024"}, 1000s);
  EXPECT_EQ(round().at(0).framework, "f1");
}

TEST_F(AllocatorTest, AFilterThatEndedBeforeItsRoundAsksForAnother) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, 1ms);
  pass(1s);
  EXPECT_EQ(round(), Round{});
  EXPECT_TRUE(allocator_->wants_round());
  EXPECT_EQ(round(), Round{given});
  EXPECT_FALSE(allocator_->wants_round());
}

TEST_F(AllocatorTest, AFilterDoesNotHideMoreThanWasRefused) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, Resources::parse("cpus:1;mem:512").value(), 1000s);
  EXPECT_EQ(round(), Round{});
  recover(given, Resources::parse("cpus:1").value());
  EXPECT_EQ(round(), (Round{{"f1", "role1", "a1", "cpus:2; mem:512"}}));
}

TEST_F(AllocatorTest, RefusingForNoTimeMakesNoFilter) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, 0s);
  EXPECT_EQ(round(), Round{given});
}

TEST_F(AllocatorTest, ReviveOffers) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, 10000s);
  EXPECT_EQ(round(), Round{});
  allocator_->revive(frameworks_["f1"], {});
  EXPECT_TRUE(allocator_->wants_round());
  EXPECT_EQ(round(), Round{given});
}

TEST_F(AllocatorTest, SuppressAndReviveOffers) {
  agent("a1", "cpus:2;mem:1024");
  framework("f1", "role1");
  const Given given = round().at(0);
  const std::vector<std::string> roles = {"role1"};
  for (const std::vector<std::string>& named : {std::vector<std::string>{}, roles}) {
    allocator_->suppress(frameworks_["f1"], named);
    recover(given);
    EXPECT_FALSE(allocator_->wants_round());
    EXPECT_EQ(round(), Round{});
    allocator_->revive(frameworks_["f1"], named);
    EXPECT_TRUE(allocator_->wants_round());
    EXPECT_EQ(round(), Round{given});
  }
}

TEST_F(AllocatorTest, SuppressAndReviveOffersWithMultiRole) {
  framework("f1", {.roles = {"role1", "role2"}});
  const std::vector<std::string> role1 = {"role1"};
  const std::vector<std::string> role2 = {"role2"};
  allocator_->suppress(frameworks_["f1"], role1);
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  EXPECT_EQ(given.role, "role2");

  // A filter of one role is none of the other.
  recover(given, 1000s);
  EXPECT_EQ(round(), Round{});
  allocator_->revive(frameworks_["f1"], role1);
  EXPECT_EQ(round().at(0).role, "role1");

  recover({"f1", "role1", "a1", "cpus:2; mem:1024"}, 1000s);
  EXPECT_EQ(round(), Round{});
  allocator_->revive(frameworks_["f1"], role2);
  EXPECT_EQ(round(), Round{given});
}

TEST_F(AllocatorTest, DeactivateAndReactivateFramework) {
  framework("f1", "role1");
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, 1000s);
  allocator_->set_framework_active(frameworks_["f1"], false);
  EXPECT_EQ(allocator_->next_deadline(), kNever);  // its filters are gone
  EXPECT_EQ(timer_round(), Round{});
  allocator_->set_framework_active(frameworks_["f1"], true);
  EXPECT_EQ(round(), Round{given});
}

TEST_F(AllocatorTest, LeavingARoleDropsItsFiltersAndKeepsItsShare) {
  framework("f1", {.roles = {"role1", "role2"}, .suppressed = {"role2"}});
  agent("a1", "cpus:2;mem:1024");
  const Given given = round().at(0);
  recover(given, Resources::parse("cpus:1").value(), 1000s);
  allocator_->update_framework(frameworks_["f1"], {.roles = {"role2"}, .suppressed = {"role2"}});
  EXPECT_EQ(allocator_->next_deadline(), kNever);
  EXPECT_EQ(share_ppm("role1"), 1'000'000);
  recover(given, Resources::parse("cpus:1;mem:1024").value());
  EXPECT_EQ(share_ppm("role1"), -1);
}

}  // namespace
}  // namespace tepui
