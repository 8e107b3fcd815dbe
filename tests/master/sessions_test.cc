#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

HelloReply hello(Bench& bench, SessionId session, Hello hello) {
  bench.say(session, SchedulerToMaster(std::move(hello)));
  const auto replies = bench.take<HelloReply>(session);
  EXPECT_EQ(replies.size(), 1u);
  return replies.empty() ? HelloReply{} : replies[0];
}

TEST(Sessions, AHelloIsAnsweredWithVersionEpochAndMaster) {
  Bench bench;
  const SessionId session = bench.new_session();
  const HelloReply reply = hello(bench, session, Hello{});
  EXPECT_EQ(reply.protocol, kProtocolMax);
  EXPECT_EQ(reply.epoch, 1u);
  EXPECT_TRUE(reply.master_id.ends_with("-e1")) << reply.master_id;
  EXPECT_EQ(reply.build, "test");
}

TEST(Sessions, VersionsThatDoNotOverlapAreRefused) {
  Bench bench;
  const SessionId session = bench.new_session();
  const HelloReply reply =
      hello(bench, session, Hello{.protocol_min = kProtocolMax + 1, .protocol_max = 99});
  EXPECT_EQ(reply.protocol, 0);
  EXPECT_NE(reply.error.find("no common protocol"), std::string::npos) << reply.error;
  EXPECT_TRUE(bench.effects.closed.contains(session));
}

TEST(Sessions, BeforeElectionEveryHelloIsRefused) {
  FakeEffects effects;
  DrfAllocator allocator({}, 1);
  AllowAll allow;
  Master master({}, 1, allocator, allow, effects);
  master.on_message({}, SessionId{1}, SchedulerToMaster(Hello{}));
  const auto& reply =
      std::get<HelloReply>(std::get<MasterToScheduler>(effects.sent[SessionId{1}].at(0)));
  EXPECT_EQ(reply.protocol, 0);
  EXPECT_EQ(reply.error, "not the leader");
  EXPECT_TRUE(effects.closed.contains(SessionId{1}));
}

TEST(Sessions, APeerThatHasSeenAHigherEpochMakesTheMasterResign) {
  Bench bench;
  const SessionId session = bench.new_session();
  EXPECT_EQ(hello(bench, session, Hello{.epoch = 2}).error, "not the leader");
  ASSERT_EQ(bench.effects.resignations.size(), 1u);
  EXPECT_EQ(bench.effects.resignations[0], "a peer has seen epoch 2");
  // From now on it decides nothing.
  const SessionId other = bench.new_session();
  EXPECT_EQ(hello(bench, other, Hello{}).error, "not the leader");
}

TEST(Sessions, WhoDoesNotSayHelloFirstIsRejected) {
  Bench bench;
  const SessionId scheduler = bench.new_session();
  bench.say(scheduler, Subscribe{framework_info()});
  EXPECT_EQ(bench.take<ErrorMessage>(scheduler).size(), 1u);
  EXPECT_TRUE(bench.effects.closed.contains(scheduler));
  const SessionId agent = bench.new_session();
  bench.say(agent, RegisterAgent{});
  EXPECT_EQ(bench.take<ErrorMessage>(agent).size(), 1u);
  EXPECT_TRUE(bench.effects.closed.contains(agent));
  EXPECT_EQ(bench.events().rejected.size(), 2u);
}

TEST(Sessions, WhoActsBeforeSubscribingOrRegisteringIsRejected) {
  Bench bench;
  const SessionId scheduler = bench.new_session();
  hello(bench, scheduler, Hello{});
  bench.say(scheduler, Kill{.task_id = {"t"}});
  ASSERT_EQ(bench.take<ErrorMessage>(scheduler).size(), 1u);
  EXPECT_EQ(bench.events().rejected.back(), "kill before subscribing");
  const SessionId agent = bench.new_session();
  bench.say(agent, AgentToMaster(Hello{}));
  bench.say(agent, StatusUpdates{});
  EXPECT_EQ(bench.events().rejected.back(), "status update before registering");
  EXPECT_TRUE(bench.effects.closed.contains(agent));
}

TEST(Sessions, OneSessionSpeaksOneConversation) {
  Bench bench;
  const TestFramework framework = bench.framework();
  bench.say(framework.session, AgentToMaster(Pong{}));
  EXPECT_EQ(bench.events().rejected.back(), "a message of another conversation");
  EXPECT_TRUE(bench.effects.closed.contains(framework.session));
  EXPECT_EQ(bench.master().totals().frameworks_disconnected, 1u);
}

TEST(Sessions, ARepeatedHelloIsAnsweredAgainAndAChangedOneRejected) {
  Bench bench;
  const SessionId session = bench.new_session();
  hello(bench, session, Hello{.principal = "p"});
  EXPECT_EQ(hello(bench, session, Hello{.principal = "p"}).protocol, kProtocolMax);
  bench.say(session, SchedulerToMaster(Hello{.principal = "q"}));
  EXPECT_TRUE(bench.effects.closed.contains(session));
}

TEST(Sessions, OfAgentsWaitForMoreThanOnePing) {
  Bench bench(MasterTunables{.ping_interval = 15s, .ping_misses_max = 1});
  const SessionId session = bench.new_session();
  bench.say(session, AgentToMaster(Hello{}));
  bench.say(session, RegisterAgent{{.hostname = "h", .address = "10.0.0.1:5051"}});
  bench.master().work(bench.now);
  bench.persist_all();
  const auto registered = bench.take<Registered>(session);
  ASSERT_EQ(registered.size(), 1u);
  EXPECT_EQ(registered[0].ping_timeout, 30s) << "a ping may be late";
}

TEST(Sessions, IntervalsThatGrowDoNotBreakWhatASessionWasTold) {
  Bench bench(MasterTunables{.ping_interval = 1s, .heartbeat_interval = 1s});
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.master().on_tunables(bench.now,
                             MasterTunables{.ping_interval = 1h, .heartbeat_interval = 1h});
  bench.pass(4s);
  EXPECT_GE(bench.take<Ping>(agent.session).size(), 3u);
  EXPECT_GE(bench.take<Heartbeat>(framework.session).size(), 3u);
}

TEST(Sessions, ADeposedMasterClosesAllAndForgetsAll) {
  Bench bench;
  const TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  bench.master().on_deposed(bench.now, "another leads");
  EXPECT_TRUE(bench.effects.closed.contains(agent.session));
  EXPECT_TRUE(bench.effects.closed.contains(framework.session));
  const MasterTotals totals = bench.master().totals();
  EXPECT_EQ(totals.agents_active + totals.frameworks_active + totals.offers, 0u);
  // Elected again, it begins with what the registry says.
  bench.master().on_elected(bench.now, 5, bench.store);
  EXPECT_EQ(bench.master().totals().agents_recovered, 1u);
}

TEST(Sessions, AnOverfullAcceptIsRejected) {
  Bench bench;
  const TestFramework framework = bench.framework();
  Accept accept;
  accept.offers.resize(1025);
  bench.say(framework.session, Accepts{{accept}});
  EXPECT_TRUE(bench.effects.closed.contains(framework.session));
}

}  // namespace
}  // namespace tepui
