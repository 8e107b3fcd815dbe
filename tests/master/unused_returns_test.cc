// Frameworks that give back all they are offered, without a filter, again and again.

#include <gtest/gtest.h>

#include <chrono>

#include "master/allocator/unused_returns.h"
#include "tests/master/allocator_fixture.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

constexpr UnusedReturns::Client kClient = {1, 2};
constexpr Instant kNow = Instant(Duration(1h));

Resources cpus(int64_t milli) { return Resources::scalars({{"cpus", milli}}); }

TEST(UnusedReturns, AreFreeUpToTheirNumberAndThenRefuseTwiceAsLongEachTime) {
  UnusedReturns returns(2);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 5s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 10s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(3000), {}), 20s);  // others took some
  for (int i = 0; i < 100; ++i) returns.on_returned(kNow, kClient, 7, cpus(3000), {});
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(3000), {}), 5min);
}

TEST(UnusedReturns, CountEachAgentAndEachClientApart) {
  UnusedReturns returns(1);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 8, cpus(4000), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, {1, 3}, 7, cpus(4000), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, {2, 2}, 7, cpus(4000), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 5s);
}

TEST(UnusedReturns, BeginAnewWhenMoreIsFreeOrSomethingWasTaken) {
  UnusedReturns returns(1);
  returns.on_returned(kNow, kClient, 7, cpus(4000), {});
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4001), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(3001), cpus(1000)), 0s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(3001), cpus(1000)), 5s);
}

TEST(UnusedReturns, AreForgottenWithTheClientAndWithTheAgent) {
  UnusedReturns returns(1);
  returns.on_returned(kNow, kClient, 7, cpus(4000), {});
  returns.remove_client(kClient);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 0s);
  returns.remove_agent(7);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 0s);
  returns.remove_agent(8);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(4000), {}), 5s);
}

TEST(UnusedReturns, AreNoRefusalsWhereTheyMayBeAsManyAsTheyLike) {
  UnusedReturns returns(0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(returns.on_returned(kNow, kClient, 7, cpus(1), {}), 0s);
}

TEST(UnusedReturns, AreNotCountedWithoutRoomAndThoseThatAreCountedGiveWay) {
  UnusedReturns returns(1, 2);
  returns.on_returned(kNow, kClient, 1, cpus(1), {});
  returns.on_returned(kNow, kClient, 2, cpus(1), {});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(returns.on_returned(kNow, {9, 9}, 1, cpus(1), {}), 0s) << "there is no room";
    EXPECT_EQ(returns.size(), 2u);
  }
  EXPECT_EQ(returns.on_returned(kNow, kClient, 1, cpus(1), {}), 5s);
  EXPECT_EQ(returns.on_returned(kNow, kClient, 2, cpus(1), {}), 5s);
  // Room comes free with an agent, and with a client.
  returns.remove_agent(2);
  EXPECT_EQ(returns.size(), 1u);
  EXPECT_EQ(returns.on_returned(kNow, {9, 9}, 1, cpus(1), {}), 0s);
  EXPECT_EQ(returns.on_returned(kNow, {9, 9}, 1, cpus(1), {}), 5s);
  returns.remove_client({9, 9});
  returns.remove_client(kClient);
  EXPECT_EQ(returns.size(), 0u);
}

TEST(UnusedReturns, GiveTheirPlaceToNewOnesWhenTheyAreLongAgo) {
  UnusedReturns returns(1, 2);
  returns.on_returned(kNow, kClient, 1, cpus(1), {});
  returns.on_returned(kNow, kClient, 2, cpus(1), {});
  const Instant once_more = kNow + UnusedReturns::kKept;
  EXPECT_EQ(returns.on_returned(once_more, kClient, 1, cpus(1), {}), 5s);
  EXPECT_EQ(returns.on_returned(once_more, {9, 9}, 1, cpus(1), {}), 0s) << "not yet";
  EXPECT_EQ(returns.on_returned(once_more + 1ns, {9, 9}, 1, cpus(1), {}), 0s);
  EXPECT_EQ(returns.on_returned(once_more + 1ns, {9, 9}, 1, cpus(1), {}), 5s) << "now it counts";
  EXPECT_EQ(returns.size(), 2u);
  EXPECT_EQ(returns.on_returned(once_more + 1ns, kClient, 2, cpus(1), {}), 0s) << "forgotten";
  EXPECT_EQ(returns.on_returned(once_more + 1ns, kClient, 1, cpus(1), {}), 10s) << "kept";
}

// f1 holds less and comes first by share, f2 wants the rest.
class FrameworksThatReturnEverything : public AllocatorTest {
 protected:
  void begin(uint32_t max) {
    start({.unused_returns_max = max});
    framework("f1", "role1");
    framework("f2", "role2");
    agent("a1", "cpus:10");
    agent("a2", "cpus:4");
    allocator_->allocate(frameworks_["f2"], agents_["a2"], "role2",
                         Resources::parse("cpus:4").value());
  }
  // Who is offered a1, and gives it back without a filter.
  std::string turn() {
    const Round given = round();
    if (given.size() != 1) return "nobody";
    recover(given[0], 0s);
    return given[0].framework;
  }
};

TEST_F(FrameworksThatReturnEverything, KeepTheirPlaceForSoManyTurnsAndThenLetOthersPass) {
  begin(3);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(turn(), "f1");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(turn(), "f2");
  EXPECT_EQ(turn(), "nobody");
  // As a refusal for the default time: after that both are asked again, and the first gives way
  // at once.
  pass(5s);
  EXPECT_EQ(turn(), "f1");
  EXPECT_EQ(turn(), "f2");
  EXPECT_EQ(turn(), "nobody");
  pass(9s);
  EXPECT_EQ(turn(), "nobody");
  pass(1s);
  EXPECT_EQ(turn(), "f1");
}

TEST_F(FrameworksThatReturnEverything, AreAskedAgainWhenTheyRevive) {
  begin(1);
  EXPECT_EQ(turn(), "f1");
  EXPECT_EQ(turn(), "f1");
  EXPECT_EQ(turn(), "f2");
  allocator_->revive(frameworks_["f1"], {});
  EXPECT_EQ(turn(), "f1");
  EXPECT_EQ(turn(), "f1");
  EXPECT_EQ(turn(), "f2");
}

TEST_F(FrameworksThatReturnEverything, WinForEverWhereNothingBoundsThem) {
  begin(0);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(turn(), "f1");
}

TEST_F(FrameworksThatReturnEverything, AreNotMeantWhereResourcesComeBackByThemselves) {
  begin(1);
  for (int i = 0; i < 20; ++i) {
    const Round given = round();
    ASSERT_EQ(given.at(0).framework, "f1");
    recover(given[0]);  // a rescinded offer, a task that ended
  }
}

}  // namespace
}  // namespace tepui
