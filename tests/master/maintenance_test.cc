// The maintenance schedule: what offers say, inverse offers, machines that go down and up, windows
// that drain by themselves.
#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

UpdateMaintenanceSchedule schedule(const Bench& bench, std::vector<std::string> hosts,
                                   Duration in = 1h, bool drain = false) {
  return {.windows = {{.hostnames = std::move(hosts),
                       .unavailability = {.start = bench.now.wall + in, .duration = 1h},
                       .drain = drain}}};
}
OperateMachines start(std::string host) {
  return {.action = OperateMachines::Action::kStart, .hostnames = {std::move(host)}};
}
OperateMachines stop(std::string host) {
  return {.action = OperateMachines::Action::kStop, .hostnames = {std::move(host)}};
}

TEST(Maintenance, OffersSayWhenTheirAgentGoes) {
  Bench bench;
  bench.agent(machine(), "h1");
  const TestFramework framework = bench.framework();
  const auto before = bench.take<OfferBatch>(framework.session);
  ASSERT_EQ(before.size(), 1u);
  EXPECT_FALSE(before[0].agents.at(0).unavailability);
  const UpdateMaintenanceSchedule plan = schedule(bench, {"h1"});
  EXPECT_EQ(bench.command(plan), "");
  EXPECT_EQ(bench.take<Rescind>(framework.session).size(), 1u);
  const auto after = bench.take<OfferBatch>(framework.session);
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].agents.at(0).unavailability, plan.windows[0].unavailability);
  // The same again changes nothing.
  EXPECT_EQ(bench.command(plan), "");
  EXPECT_TRUE(bench.take<Rescind>(framework.session).empty());
}

TEST(Maintenance, WhoHoldsSomethingIsAskedOnceAndAgainAfterItsFilter) {
  Bench bench;
  const TestAgent agent = bench.agent(machine(), "h1");
  bench.answer_pings(agent.session);
  const TestFramework framework = bench.framework();
  bench.launch(framework, "t");
  EXPECT_EQ(bench.command(schedule(bench, {"h1"})), "");
  bench.pass(2s);
  const auto asked = bench.take<InverseOfferBatch>(framework.session);
  ASSERT_EQ(asked.size(), 1u);
  ASSERT_EQ(asked[0].offers.size(), 1u);
  EXPECT_EQ(asked[0].offers[0].agent_id, agent.info.id);
  bench.say(framework.session,
            DeclineInverseOffers{.offers = {asked[0].offers[0].id}, .filters = {Duration(10s)}});
  EXPECT_EQ(bench.events().count<event::InverseOfferAnswered>(), 1);
  const auto answers_told_again = [&bench] {
    EventCounts counter;
    ReplayCursor cursor;
    EXPECT_TRUE(bench.master().replay_state(counter, cursor, 1000));
    return counter.count<event::InverseOfferAnswered>();
  };
  EXPECT_EQ(answers_told_again(), 1) << "a reader that fell behind sees it too";
  bench.pass(5s);
  EXPECT_TRUE(bench.take<InverseOfferBatch>(framework.session).empty());
  bench.pass(10s);
  EXPECT_EQ(bench.take<InverseOfferBatch>(framework.session).size(), 1u);
  // Its machine leaves the schedule.
  EXPECT_EQ(bench.command(UpdateMaintenanceSchedule{}), "");
  EXPECT_EQ(bench.take<RescindInverseOffers>(framework.session).size(), 1u);
}

TEST(Maintenance, AMachineThatIsDownHasNoAgents) {
  Bench bench;
  TestAgent agent = bench.agent(machine(), "h1");
  const TestFramework framework = bench.framework();
  bench.launch(framework, "t");
  EXPECT_EQ(bench.command(start("h1")), "machine 'h1' is not in the maintenance schedule");
  EXPECT_EQ(bench.command(schedule(bench, {"h1"})), "");
  EXPECT_EQ(bench.command(stop("h1")), "machine 'h1' is not down");
  EXPECT_EQ(bench.command(start("h1")), "");
  bench.settle();
  EXPECT_EQ(bench.master().totals().agents_active, 0u);
  EXPECT_EQ(bench.updates(framework).size(), 1u);
  EXPECT_EQ(bench.command(start("h1")), "machine 'h1' is already down");
  EXPECT_EQ(bench.command(UpdateMaintenanceSchedule{}),
            "machine 'h1' is down: stop its maintenance before it leaves the schedule");

  // Also under the next leader.
  bench.restart();
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{{.hostname = "h1", .resources = machine()}});
  bench.settle();
  const auto refused = bench.take<ShutdownAgent>(session);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].message, "the machine is down for maintenance");

  EXPECT_EQ(bench.command(stop("h1")), "");
  EXPECT_FALSE(bench.store.contains("maintenance/h1"));
  bench.agent(machine(), "h1");
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
}

TEST(Maintenance, AWindowDrainsByItselfWhenItBegins) {
  Bench bench;
  const TestAgent agent = bench.agent(machine(), "h1");
  const TestAgent other = bench.agent(machine(), "h2");
  bench.answer_pings(agent.session);
  bench.answer_pings(other.session);
  EXPECT_EQ(bench.command(schedule(bench, {"h1"}, 20min, true)), "");
  bench.pass(19min);
  EXPECT_TRUE(bench.take<DrainAgent>(agent.session).empty());
  bench.pass(2min);
  EXPECT_EQ(bench.take<DrainAgent>(agent.session).size(), 1u);
  EXPECT_TRUE(bench.take<DrainAgent>(other.session).empty());
  // Once: whom the operator reactivates then stays.
  EXPECT_EQ(bench.command(OperateAgent{.agent_id = agent.info.id,
                                       .action = OperateAgent::Action::kReactivate}),
            "");
  bench.pass(30min);
  EXPECT_TRUE(bench.take<DrainAgent>(agent.session).empty());
}

TEST(Maintenance, AWindowThatBeginsUnderTheNextLeaderDrainsToo) {
  Bench bench;
  TestAgent agent = bench.agent(machine(), "h1");
  EXPECT_EQ(bench.command(schedule(bench, {"h1"}, 5min, true)), "");
  bench.restart();
  bench.reregister(agent);
  bench.answer_pings(agent.session);
  bench.pass(6min);
  EXPECT_EQ(bench.take<DrainAgent>(agent.session).size(), 1u);
}

TEST(Maintenance, SchedulesThatMakeNoSenseAreRefusedWithTheReason) {
  Bench bench;
  EXPECT_EQ(bench.command(schedule(bench, {})), "a window names no machine");
  EXPECT_EQ(bench.command(schedule(bench, {"h1", "h1"})), "machine 'h1' is in two windows");
  EXPECT_EQ(bench.command(schedule(bench, {"a b"})), "'a b' is not a hostname");
  UpdateMaintenanceSchedule backwards = schedule(bench, {"h1"});
  backwards.windows[0].unavailability.duration = -1h;
  EXPECT_EQ(bench.command(backwards), "the duration of a window is negative");
  EXPECT_EQ(bench.command(OperateMachines{}), "no machine is named");
}

TEST(Maintenance, AnAgentThatComesBackWithOtherAttributesIsOfferedAnew) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  bench.decline(framework, offers[0].id, 1h);
  bench.lose(agent.session);
  agent.info.attributes = {{.name = "rack", .value = std::string("r2")}};
  bench.reregister(agent);
  EXPECT_EQ(bench.offers(framework).size(), 1u) << "the filter was for the old agent";
}

}  // namespace
}  // namespace tepui
