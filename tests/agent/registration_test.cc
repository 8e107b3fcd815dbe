// The agent and its master: greeting, registration, loss and return.

#include "agent/registration.h"

#include <gtest/gtest.h>

#include "common/fingerprint.h"
#include "common/limits.h"
#include "common/loans.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

TEST(Registration, BeginsWithHello) {
  Bench bench;
  bench.connect();
  ASSERT_EQ(bench.effects.sent.size(), 1u);
  const auto hello = bench.effects.take<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_EQ(hello[0].build, "test");
  EXPECT_EQ(hello[0].epoch, 0u);
}

TEST(Registration, TellsWhatIsRevocableAndHowItChanges) {
  const auto revocable = [](int64_t milli) {
    return as_revocable(Resources::scalars({{"cpus", milli}}));
  };
  Bench bench;
  bench.turn([&](Now now) { bench.agent.on_revocable(now, revocable(2000)); });
  bench.connect();
  bench.greet();
  bench.advance(1s);
  EXPECT_EQ(bench.effects.take<RegisterAgent>().at(0).info.resources.revocable(), revocable(2000));
  bench.turn([&](Now now) { bench.agent.on_revocable(now, revocable(1000)); });
  EXPECT_TRUE(bench.effects.take<UpdateAgent>().empty()) << "it is not registered yet";
  bench.receive(bench.registered());
  EXPECT_EQ(bench.effects.take<UpdateAgent>().at(0).revocable, revocable(1000));
  bench.turn([&](Now now) { bench.agent.on_revocable(now, {}); });
  EXPECT_TRUE(bench.effects.take<UpdateAgent>().at(0).revocable.empty());
  EXPECT_TRUE(bench.agent.info().resources.revocable().empty());
}

TEST(Registration, WaitsARandomWhileBeforeItAsks) {
  std::set<Instant> moments;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Bench bench(bench_config(), seed);
    bench.connect();
    bench.greet();
    EXPECT_LE(bench.effects.wake, bench.clock + 1s);
    moments.insert(bench.effects.wake);
  }
  EXPECT_GT(moments.size(), 15u);
}

TEST(Registration, AsksAgainWithAWaitThatDoublesToItsMaximum) {
  Bench bench;
  bench.connect();
  bench.greet();
  const Instant from = bench.clock;
  std::vector<Instant> asked;
  while (asked.size() < 200) {
    const Instant next = bench.effects.wake;
    bench.advance(next - bench.clock);
    for (size_t n = bench.effects.take<RegisterAgent>().size(); n > 0; --n) asked.push_back(next);
  }
  Duration bound = 1s;
  Instant last = from;
  Duration longest{};
  for (const Instant at : asked) {
    EXPECT_LE(at - last, bound);
    longest = std::max(longest, at - last);
    bound = std::min<Duration>(bound * 2, 1min);
    last = at;
  }
  EXPECT_GT(longest, 30s);
}

TEST(Registration, EndsWithTheMastersAnswer) {
  Bench bench;
  bench.enlist();
  EXPECT_TRUE(bench.agent.totals().registered);
  EXPECT_EQ(bench.agent.info().id.value, "agent-1");
  EXPECT_EQ(bench.effects.registrations, 1);
  bench.advance(30s);
  EXPECT_TRUE(bench.effects.take<RegisterAgent>().empty());
  // The answer to a repeated request changes nothing.
  bench.receive(bench.registered());
  EXPECT_EQ(bench.effects.registrations, 1);
  EXPECT_TRUE(bench.effects.reconnects.empty());
}

TEST(Registration, LeavesAMasterThatRefusesTheGreeting) {
  Bench bench;
  bench.connect();
  HelloReply reply{.error = "protocol 9 only"};
  bench.receive(reply);
  EXPECT_EQ(bench.effects.reconnects,
            std::vector<std::string>{"the master refuses us: protocol 9 only"});
}

TEST(Registration, LeavesAMasterThatDoesNotLead) {
  Bench bench;
  bench.connect();
  bench.greet(0);
  EXPECT_EQ(bench.effects.reconnects, std::vector<std::string>{"the master does not lead"});
}

TEST(Registration, LeavesAMasterThatDoesNotAnswer) {
  Bench bench;
  bench.connect();
  bench.advance(limits::kGreetingTimeout - 1ns);
  EXPECT_TRUE(bench.effects.reconnects.empty());
  bench.advance(1ns);
  EXPECT_EQ(bench.effects.reconnects.size(), 1u);
  bench.advance(1h);
  EXPECT_EQ(bench.effects.reconnects.size(), 1u);
}

TEST(Registration, RefusesAnEpochBelowTheHighestSeen) {
  Bench bench;
  bench.enlist(5);
  bench.disconnect();
  bench.connect();
  EXPECT_EQ(bench.effects.take<Hello>()[0].epoch, 5u);
  bench.greet(4);
  EXPECT_EQ(bench.effects.reconnects,
            std::vector<std::string>{"the master's epoch 4 is over, 5 was seen"});
  // What the old master says after that is not heard.
  bench.launch("t");
  EXPECT_TRUE(bench.effects.launches.empty());
  bench.connect();
  bench.greet(6);
  bench.advance(1s);
  bench.receive(bench.registered("agent-1", 5));
  EXPECT_EQ(bench.effects.reconnects.back(), "registered by epoch 5, but 6 was seen");
}

TEST(Registration, RefusesTheNameOfAnotherAgent) {
  Bench bench;
  bench.enlist();
  bench.disconnect();
  bench.connect();
  bench.greet();
  bench.advance(1s);
  bench.receive(bench.registered("agent-2"));
  EXPECT_EQ(bench.effects.reconnects,
            std::vector<std::string>{"registered as agent 'agent-2', but this is 'agent-1'"});
  EXPECT_EQ(bench.agent.info().id.value, "agent-1");
}

TEST(Registration, RefusesAnAnswerBeforeTheGreeting) {
  Bench bench;
  bench.connect();
  bench.receive(bench.registered());
  EXPECT_EQ(bench.effects.reconnects.size(), 1u);
  EXPECT_TRUE(bench.agent.info().id.empty());
}

TEST(Registration, AnswersPings) {
  Bench bench;
  bench.enlist();
  bench.receive(Ping{});
  EXPECT_EQ(bench.effects.take<Pong>().size(), 1u);
}

TEST(Registration, LeavesAMasterThatStopsPinging) {
  Bench bench;
  bench.enlist();
  bench.advance(70s);
  bench.receive(Ping{});
  bench.advance(75s - 1ns);
  EXPECT_TRUE(bench.effects.reconnects.empty());
  bench.advance(1ns);
  EXPECT_EQ(bench.effects.reconnects,
            std::vector<std::string>{"no ping from the master for 1.25mins"});
  EXPECT_FALSE(bench.agent.totals().registered);
}

TEST(Registration, IsRepeatedWhenTheMasterHoldsTheAgentForDisconnected) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.effects.take<StatusUpdates>();
  bench.receive(Ping{.connected = false});
  EXPECT_FALSE(bench.agent.totals().registered);
  bench.exits("t", 0);
  bench.advance(1s);
  const auto again = bench.effects.take<ReregisterAgent>();
  ASSERT_GE(again.size(), 1u);
  EXPECT_EQ(again[0].info.id.value, "agent-1");
  EXPECT_TRUE(bench.effects.take<StatusUpdates>().empty());
  bench.receive(bench.registered());
  bench.advance(limits::kResumeSpread);
  EXPECT_EQ(bench.effects.take<StatusUpdates>().size(), 1u);
  EXPECT_TRUE(bench.effects.reconnects.empty());
}

TEST(Registration, AfterALossNamesEverythingThatIsNotSettled) {
  Bench bench;
  bench.enlist();
  bench.run("running");
  bench.settle("running");
  bench.run("ended");
  bench.run("settled");
  bench.exits("settled", 0);
  bench.settle("settled");
  bench.exits("ended", 1);  // only RUNNING and what was before it is acknowledged
  bench.launch("failed");
  bench.disconnect();
  EXPECT_EQ(bench.effects.masters_lost, std::vector<std::string>{"test"});
  bench.connect();
  bench.greet(2);
  bench.advance(1s);
  const auto messages = bench.effects.take<ReregisterAgent>();
  ASSERT_GE(messages.size(), 1u);
  const ReregisterAgent& message = messages[0];
  ASSERT_EQ(message.frameworks.size(), 1u);
  EXPECT_EQ(message.frameworks[0].id.value, "f");
  ASSERT_EQ(message.tasks.size(), 3u);
  EXPECT_EQ(message.tasks[0].id.value, "ended");
  EXPECT_EQ(message.tasks[0].state, TaskState::kFailed);
  EXPECT_EQ(message.tasks[0].update_state, TaskState::kFailed);
  EXPECT_FALSE(message.tasks[0].update_uuid.is_nil());
  EXPECT_EQ(message.tasks[1].id.value, "failed");
  EXPECT_EQ(message.tasks[1].state, TaskState::kStarting);
  EXPECT_EQ(message.tasks[2].id.value, "running");
  EXPECT_EQ(message.tasks[2].state, TaskState::kRunning);
  EXPECT_EQ(message.tasks[2].update_state, TaskState::kRunning);
  EXPECT_TRUE(message.tasks[2].update_uuid.is_nil());
  EXPECT_EQ(message.tasks[2].kind->role, "eng");
  EXPECT_EQ(message.tasks[2].agent_id.value, "agent-1");
}

// An agent that has a task and is about to register again with a master that takes it short.
class CompactRegistration : public ::testing::Test {
 protected:
  CompactRegistration() {
    bench.enlist();
    bench.run("t");
    bench.disconnect();
    bench.connect();
    bench.greet(2, {"SOMETHING_ELSE", "COMPACT_REREGISTRATION"});
  }
  std::vector<ReregisterCompactly> asked() { return bench.effects.take<ReregisterCompactly>(); }

  Bench bench;
};

TEST_F(CompactRegistration, SaysWhatTheMasterCannotKnow) {
  bench.advance(1s);
  const auto messages = asked();
  ASSERT_GE(messages.size(), 1u);
  EXPECT_TRUE(bench.effects.take<ReregisterAgent>().empty());
  EXPECT_EQ(messages[0].id.value, "agent-1");
  EXPECT_EQ(messages[0].info_hash, fingerprint(bench.agent.info()));
  EXPECT_FALSE(messages[0].repeated);
  EXPECT_EQ(messages[0].frameworks, std::vector<FrameworkId>{{"f"}});
  ASSERT_EQ(messages[0].framework_infos.size(), 1u);
  EXPECT_EQ(messages[0].framework_infos[0].id.value, "f");
  ASSERT_EQ(messages[0].tasks.size(), 1u);
  EXPECT_EQ(messages[0].tasks[0].state, TaskState::kRunning);
}

TEST_F(CompactRegistration, IsRepeatedWithoutWords) {
  bench.advance(10s);
  const auto messages = asked();
  ASSERT_GE(messages.size(), 2u);
  for (size_t i = 1; i < messages.size(); ++i) {
    EXPECT_TRUE(messages[i].repeated);
    EXPECT_EQ(messages[i].id.value, "agent-1");
    EXPECT_TRUE(messages[i].tasks.empty());
    EXPECT_TRUE(messages[i].frameworks.empty());
    EXPECT_TRUE(messages[i].framework_infos.empty());
  }
}

TEST_F(CompactRegistration, IsFollowedByTheWholeWhereTheMasterAsks) {
  bench.advance(1s);
  ASSERT_GE(asked().size(), 1u);
  bench.receive(ReregisterFully{});
  auto whole = bench.effects.take<ReregisterAgent>();
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].info.hostname, bench.agent.info().hostname);
  ASSERT_EQ(whole[0].frameworks.size(), 1u);
  EXPECT_EQ(whole[0].tasks.size(), 1u);
  bench.advance(30s);
  for (const ReregisterCompactly& message : asked()) EXPECT_TRUE(message.repeated);
  bench.receive(ReregisterFully{});  // what was said is lost
  EXPECT_EQ(bench.effects.take<ReregisterAgent>().size(), 1u);
  bench.receive(bench.registered("agent-1", 2));
  bench.receive(ReregisterFully{});  // late
  EXPECT_TRUE(bench.effects.take<ReregisterAgent>().empty());
  EXPECT_TRUE(bench.agent.totals().registered);
}

TEST_F(CompactRegistration, StartsOverWithTheNextMaster) {
  bench.advance(1s);
  bench.receive(ReregisterFully{});
  bench.disconnect();
  asked();
  bench.effects.take<ReregisterAgent>();
  bench.connect();
  bench.greet(3);
  bench.advance(1s);
  EXPECT_GE(bench.effects.take<ReregisterAgent>().size(), 1u)
      << "this master has never heard of it";
  EXPECT_TRUE(asked().empty());
  bench.disconnect();
  bench.connect();
  bench.greet(4, {"COMPACT_REREGISTRATION"});
  bench.advance(1s);
  const auto messages = asked();
  ASSERT_GE(messages.size(), 1u);
  EXPECT_FALSE(messages[0].repeated);
}

TEST_F(CompactRegistration, SaysAllAgainWhereTheMasterHoldsItForDisconnected) {
  bench.advance(1s);
  bench.receive(bench.registered("agent-1", 2));
  asked();
  bench.receive(Ping{.connected = false});
  bench.advance(1s);
  const auto messages = asked();
  ASSERT_GE(messages.size(), 1u);
  EXPECT_FALSE(messages[0].repeated);
  EXPECT_EQ(messages[0].tasks.size(), 1u);
}

TEST(Registration, LossLeavesRunningTasksAlone) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.disconnect();
  bench.advance(24h);
  EXPECT_TRUE(bench.effects.signals.empty());
  EXPECT_TRUE(bench.effects.kills.empty());
  EXPECT_EQ(bench.newest("t").state, TaskState::kRunning);
}

TEST(Registration, ReturnsTheUpdatesThatWaited) {
  Bench bench;
  bench.enlist();
  bench.run("t");
  bench.disconnect();
  bench.effects.take<StatusUpdates>();
  bench.exits("t", 0);
  bench.advance(1h);
  EXPECT_TRUE(bench.effects.take<StatusUpdates>().empty());
  bench.connect();
  bench.greet(2);
  bench.advance(1s);
  bench.receive(bench.registered("agent-1", 2));
  bench.advance(limits::kResumeSpread);
  EXPECT_EQ(bench.settle("t").state, TaskState::kFinished);
}

TEST(Registration, IgnoresWhatComesAfterTheConnectionIsGone) {
  Bench bench;
  bench.enlist();
  bench.disconnect();
  bench.launch("t");
  EXPECT_TRUE(bench.effects.launches.empty());
  EXPECT_EQ(bench.effects.dropped_, std::vector<std::string>{"no master is connected"});
}

TEST(Registration, ANewConnectionTakesThePlaceOfTheOld) {
  Bench bench;
  bench.enlist();
  bench.connect();
  EXPECT_EQ(bench.effects.masters_lost.size(), 1u);
  EXPECT_EQ(bench.effects.take<Hello>().size(), 1u);
  EXPECT_FALSE(bench.agent.totals().registered);
}

TEST(Registration, AnErrorOrAGoodbyeEndsTheSession) {
  Bench bench;
  bench.enlist();
  bench.receive(ErrorMessage{.message = "not now"});
  EXPECT_EQ(bench.effects.reconnects.back(), "the master ended the session: not now");
  bench.connect();
  bench.receive(Goodbye{.why = "restart"});
  EXPECT_EQ(bench.effects.reconnects.back(), "the master said goodbye: restart");
}

}  // namespace
}  // namespace tepui
