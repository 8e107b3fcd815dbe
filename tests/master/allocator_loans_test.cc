// What guarantees hold back, lent and taken back. That DrfAllocator lends and recalls as its rules
// say is for allocator_property_test.cc; here are the cases that people ask about.
#include <gtest/gtest.h>

#include "common/loans.h"
#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

class AllocatorLoans : public AllocatorTest {
 protected:
  void SetUp() override { allocator_->set_lending(true); }

  void borrower(const std::string& name, const std::string& role = "night") {
    framework(name, FrameworkShape{.roles = {role}, .revocable_resources = true});
  }
  // As text, of what was given last.
  void take_back(const Given& given, std::optional<Duration> refuse = {}) {
    for (const Grant& grant : last_) {
      if (name_of(agents_, grant.agent) != given.agent) continue;
      if (name_of(frameworks_, grant.framework) != given.framework) continue;
      allocator_->recover(now_, grant.framework, grant.agent, grant.role, grant.resources, refuse);
    }
  }
  std::string lent(const std::string& agent) { return to_text(allocator_->lent(agents_[agent])); }
};

TEST_F(AllocatorLoans, LendWhatIsHeldBackToWhoTakesRevocableResources) {
  set_quota("eng", "cpus:3", "");
  framework("plain", "day");
  borrower("borrower");
  agent("1", "cpus:4;mem:1024");
  round();
  EXPECT_EQ(lent("1"), "cpus:3 revocable");
  EXPECT_EQ(
      allocator_->use("night").consumed.get("cpus") + allocator_->use("day").consumed.get("cpus"),
      1000)
      << "what is lent is in nobody's quota";
  EXPECT_EQ(allocator_->lent_sums().offered.get("cpus"), 3000);
}

TEST_F(AllocatorLoans, NothingWhileLendingIsOff) {
  allocator_->set_lending(false);
  set_quota("eng", "cpus:4", "");
  borrower("borrower");
  agent("1", "cpus:4");
  EXPECT_TRUE(round().empty());
}

TEST_F(AllocatorLoans, AreRegularAgainWhenTheyComeBack) {
  set_quota("eng", "cpus:4", "");
  borrower("borrower");
  agent("1", "cpus:4");
  const Round given = round();
  ASSERT_EQ(given.size(), 1);
  take_back(given[0], 1h);
  EXPECT_EQ(lent("1"), "");
  EXPECT_TRUE(timer_round().empty()) << "the borrower has refused it";
  framework("promised", "eng");
  EXPECT_EQ(round(), (Round{{"promised", "eng", "1", "cpus:4"}}));
}

TEST_F(AllocatorLoans, AreNoMoreInAllThanIsHeldBack) {
  set_quota("eng", "cpus:3", "");
  borrower("borrower");
  agent("1", "cpus:2");
  agent("2", "cpus:2");
  round();
  EXPECT_EQ(allocator_->lent_sums().lent.get("cpus"), 3000);
  agent("3", "cpus:2");
  EXPECT_EQ(round(), (Round{{"borrower", "night", "3", "cpus:2"}}))
      << "regular: beyond the guarantee";
}

TEST_F(AllocatorLoans, AreRecalledFromOffersForTheGuarantee) {
  set_quota("eng", "cpus:4", "");
  borrower("borrower");
  agent("small", "cpus:1");
  agent("large", "cpus:3");
  const Round given = round();
  ASSERT_EQ(given.size(), 2);
  set_quota("eng", "cpus:2", "");
  framework("promised", "eng");
  EXPECT_TRUE(allocator_->wants_round());
  EXPECT_TRUE(round().empty());
  EXPECT_EQ(allocator_->take_recalls(), std::vector{agents_["large"]})
      << "the largest alone is enough";
  EXPECT_EQ(allocator_->stats().recalls, 1u);
}

TEST_F(AllocatorLoans, AreNotRecalledForWhoDoesNotWantThem) {
  set_quota("eng", "cpus:4", "");
  agent("1", "cpus:4");
  framework("promised", "eng");
  const Round refused = round();
  ASSERT_EQ(refused.size(), 1);
  take_back(refused[0], 1h);
  borrower("borrower");
  EXPECT_EQ(round(), (Round{{"borrower", "night", "1", "cpus:4 revocable"}}));
  timer_round();
  EXPECT_TRUE(allocator_->take_recalls().empty()) << "it has refused that agent";
  allocator_->suppress(frameworks_["promised"], {});
  set_quota("eng", "cpus:3", "");
  timer_round();
  EXPECT_TRUE(allocator_->take_recalls().empty()) << "it asks for nothing";
  allocator_->revive(frameworks_["promised"], {});
  round();
  EXPECT_EQ(allocator_->take_recalls().size(), 1);
}

TEST_F(AllocatorLoans, ThatTasksRunOnAreNotRecalledButMadeUpForElsewhere) {
  set_quota("eng", "cpus:2", "");
  borrower("borrower");
  agent("1", "cpus:2");
  ASSERT_EQ(round().size(), 1);
  allocator_->set_running(agents_["1"], as_revocable(Resources::scalars({{"cpus", 2000}})));
  framework("promised", "eng");
  round();
  EXPECT_TRUE(allocator_->take_recalls().empty());
  const OfferExplanation why = allocator_->explain(frameworks_["promised"], "eng");
  EXPECT_EQ(why.count(OfferCause::kLent), 1u);
  allocator_->suppress(frameworks_["promised"], {});
  framework("plain", "day");
  agent("2", "cpus:2");
  EXPECT_TRUE(round().empty()) << "the guarantee is now kept on the other agent";
  EXPECT_EQ(allocator_->explain(frameworks_["plain"], "day").count(OfferCause::kHeadroom), 1u);
}

TEST_F(AllocatorLoans, AreRecognisedInTasksThatComeWithTheirAgent) {
  borrower("borrower");
  agent("1", with_revocable("cpus:4", 1000));
  allocator_->allocate(frameworks_["borrower"], agents_["1"], "night",
                       as_revocable(Resources::scalars({{"cpus", 3000}})));
  EXPECT_EQ(lent("1"), "cpus:2 revocable");
  EXPECT_EQ(round(), (Round{{"borrower", "night", "1", "cpus:2"}}));
}

TEST_F(AllocatorLoans, AreAllRecalledWhenLendingIsSwitchedOff) {
  set_quota("eng", "cpus:4", "");
  borrower("borrower");
  agent("1", "cpus:2");
  agent("2", "cpus:2");
  round();
  allocator_->set_lending(false);
  EXPECT_EQ(allocator_->take_recalls().size(), 2);
}

}  // namespace
}  // namespace tepui
