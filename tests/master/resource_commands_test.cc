// Reservations and volumes that an operator makes.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

Resources reserved(std::string_view role, int64_t cpus_milli) {
  ResourceKind kind{
      .name = "cpus",
      .reservations = {
          {.type = Reservation::Type::kDynamic, .role = std::string(role), .principal = "op"}}};
  return *Resources::create({{make_kind(std::move(kind)), Amount{cpus_milli}}});
}

TEST(OperateResources, ReservesWhatIsOfferedToOthers) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework other = bench.framework(framework_info("other"));
  ASSERT_EQ(bench.offers(other).size(), 1u);
  EXPECT_EQ(bench.command(
                OperateResources{.agent_id = agent.info.id, .resources = reserved("eng", 1000)}),
            "");
  EXPECT_EQ(bench.take<Rescind>(other.session).size(), 1u);
  bench.pass(2s);
  const auto offers = bench.offers(other);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources.total_milli("cpus"), 3000);
  const TestFramework framework = bench.framework(framework_info("eng"));
  bench.pass(2s);
  const auto own = bench.offers(framework);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].resources, reserved("eng", 1000));
}

TEST(OperateResources, PreparesAgentsThatAreOutOfUse) {
  Bench bench;
  const TestAgent agent = bench.agent();
  using Action = OperateAgent::Action;
  const OperateResources reserve{.agent_id = agent.info.id, .resources = reserved("eng", 1000)};
  for (const Action action : {Action::kDeactivate, Action::kDrain}) {
    EXPECT_EQ(bench.command(OperateAgent{.agent_id = agent.info.id, .action = action}), "");
    EXPECT_EQ(bench.command(reserve), "");
  }
  const TestFramework framework = bench.framework(framework_info("eng"));
  bench.pass(2s);
  EXPECT_TRUE(bench.offers(framework).empty()) << "it is offered to nobody for all that";
  size_t told = 0;
  for (const ApplyOperations& message : bench.take<ApplyOperations>(agent.session)) {
    told += message.items.size();
  }
  EXPECT_EQ(told, 2u);
  bench.lose(agent.session);
  EXPECT_NE(bench.command(reserve).find("is not connected: try again when it is back"),
            std::string::npos);
}

TEST(OperateResources, RefusesWithTheReason) {
  Bench bench;
  const TestAgent agent = bench.agent();
  EXPECT_EQ(
      bench.command(OperateResources{.agent_id = {"none"}, .resources = reserved("eng", 1000)}),
      "agent 'none' is not known");
  EXPECT_EQ(bench.command(OperateResources{.agent_id = agent.info.id}), "no resources are named");
  EXPECT_NE(bench.command(
                OperateResources{.agent_id = agent.info.id, .resources = reserved("eng", 99000)}),
            "");
  EXPECT_NE(bench.command(OperateResources{.type = OperateResources::Type::kUnreserve,
                                           .agent_id = agent.info.id,
                                           .resources = machine()}),
            "");
}

}  // namespace
}  // namespace tepui
