#include "master/shell/links.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Goal: whatever a peer sends, only its own link suffers, and the owner hears of each session what
// happened to it, in an order it can rely on. Method: a transport that records, frames by hand.

namespace tepui {
namespace {

struct Wire final : Transport {
  struct Sent {
    LinkId link;
    Conversation conversation;
    std::vector<std::byte> payload;
  };
  std::vector<Sent> sent;
  std::map<LinkId, std::string> closed;
  SendResult result = SendResult::kSent;

  LinkId connect(std::string_view) override { return {}; }
  SendResult send(LinkId link, Conversation conversation,
                  std::span<const std::byte> payload) override {
    sent.push_back({link, conversation, {payload.begin(), payload.end()}});
    return result;
  }
  void close(LinkId link, std::string_view why) override { closed.emplace(link, why); }
};

struct Owner final : LinksOwner {
  std::vector<std::string> calls;

  void on_message(SessionId session, const SchedulerToMaster& message) override {
    last = session;
    calls.push_back("scheduler " + std::to_string(message.index()));
  }
  void on_message(SessionId session, AgentToMaster message) override {
    last = session;
    calls.push_back("agent " + std::to_string(message.index()));
  }
  void on_lost(SessionId session, std::string_view why) override {
    last = session;
    calls.push_back("lost: " + std::string(why));
  }
  void on_congested(SessionId session) override {
    last = session;
    calls.emplace_back("congested");
  }
  void on_ready(SessionId session) override {
    last = session;
    calls.emplace_back("ready");
  }
  void on_operator_link(LinkId link) override {
    calls.push_back("operator " + std::to_string(link.value));
  }
  void on_refused(std::string_view peer, std::string_view why) override {
    calls.push_back(std::string(peer) + " refused: " + std::string(why));
  }

  std::vector<std::string> take() { return std::exchange(calls, {}); }
  SessionId last;
};

struct LinksTest : ::testing::Test {
  Wire wire;
  Owner owner;
  Links links{owner};
  Encoder encoder;
  const LinkId one{1};
  const LinkId other{2};
  using Calls = std::vector<std::string>;

  LinksTest() {
    links.use(wire);
    links.on_link_up(one, "peer-1");
    links.on_link_up(other, "peer-2");
  }

  // Answers the session that the message came in.
  SessionId hears(LinkId link, uint32_t number, const SchedulerToMaster& message) {
    links.on_frame(link, Conversation::kScheduler, encoder.encode(number, message));
    return owner.last;
  }
  SessionId hears(LinkId link, uint32_t number, const AgentToMaster& message) {
    links.on_frame(link, Conversation::kAgent, encoder.encode(number, message));
    return owner.last;
  }
  void hears_an_operator(LinkId link) {
    links.on_frame(link, Conversation::kOperator, encoder.encode(1, OperatorToServer{Hello{}}));
  }
  static SchedulerToMaster hello() { return Hello{}; }
  static AgentToMaster agent_hello() { return Hello{}; }
};

TEST_F(LinksTest, ALinkCarriesManySessionsOfBothKinds) {
  const SessionId first = hears(one, 1, hello());
  const SessionId second = hears(one, 2, hello());
  const SessionId agent = hears(one, 3, agent_hello());
  const SessionId elsewhere = hears(other, 1, hello());
  EXPECT_EQ(std::set<SessionId>({first, second, agent, elsewhere}).size(), 4u);
  EXPECT_EQ(hears(one, 2, Heartbeat{}), second);
  EXPECT_EQ(owner.take(),
            (Calls{"scheduler 0", "scheduler 0", "agent 0", "scheduler 0", "scheduler 10"}));

  links.send(second, MasterToScheduler{Heartbeat{}});
  links.send(agent, MasterToAgent{Ping{}});
  ASSERT_EQ(wire.sent.size(), 2u);
  EXPECT_EQ(wire.sent[0].link, one);
  EXPECT_EQ(wire.sent[0].conversation, Conversation::kScheduler);
  EXPECT_EQ(decode_master_to_scheduler(wire.sent[0].payload)->session, 2u);
  EXPECT_EQ(wire.sent[1].conversation, Conversation::kAgent);
  EXPECT_EQ(decode_master_to_agent(wire.sent[1].payload)->session, 3u);
}

TEST_F(LinksTest, WhatIsNoMessageEndsTheLinkWithItsName) {
  hears(one, 1, hello());
  hears(one, 2, hello());
  hears(other, 1, hello());
  owner.take();
  const std::vector<std::byte> garbage(64, std::byte{0xab});
  links.on_frame(one, Conversation::kScheduler, garbage);
  const Calls calls = owner.take();
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_TRUE(calls[0].starts_with("peer-1 refused: ")) << calls[0];
  const std::string why = calls[0].substr(calls[0].find(": ") + 2);
  EXPECT_FALSE(why.empty());
  EXPECT_EQ(calls[1], "lost: " + why);
  EXPECT_EQ(calls[2], "lost: " + why);
  EXPECT_EQ(wire.closed, (std::map<LinkId, std::string>{{one, why}}));

  hears(one, 1, hello());
  links.on_link_down(one, why);
  EXPECT_EQ(owner.take(), Calls{}) << "told already";
  hears(other, 1, Heartbeat{});
  EXPECT_EQ(owner.take(), Calls{"scheduler 10"}) << "the other link goes on";
}

TEST_F(LinksTest, ConversationsThatDoNotBelongHereAreRefused) {
  links.on_frame(one, Conversation::kExecutor, {});
  EXPECT_EQ(owner.take(),
            Calls{"peer-1 refused: executors talk to their agent, not to the master"});
  hears(other, 1, hello());
  owner.take();
  hears(other, 1, agent_hello());
  EXPECT_EQ(owner.take().at(0),
            "peer-2 refused: session 1 of this link already runs another conversation");
  EXPECT_EQ(wire.closed.size(), 2u);
}

TEST_F(LinksTest, TheFirstFrameOfAnOperatorGivesTheLinkAway) {
  hears_an_operator(one);
  EXPECT_EQ(owner.take(), Calls{"operator 1"});
  hears_an_operator(one);
  links.on_link_down(one, "gone");
  EXPECT_EQ(owner.take(), Calls{});
  EXPECT_TRUE(wire.closed.empty()) << "it is the reader's";
}

TEST_F(LinksTest, AnOperatorCannotTakeOverALinkThatWasUsed) {
  hears(one, 1, hello());
  hears_an_operator(one);
  EXPECT_EQ(owner.take().at(1),
            "peer-1 refused: an operator's conversation needs a link of its own");
  // Nor when the conversation before it has ended.
  hears(other, 1, hello());
  hears(other, 1, SchedulerToMaster{Goodbye{.why = "done"}});
  owner.take();
  hears_an_operator(other);
  EXPECT_EQ(owner.take(),
            Calls{"peer-2 refused: an operator's conversation needs a link of its own"});
}

TEST_F(LinksTest, AGoodbyeEndsASessionAndNotItsLink) {
  const SessionId first = hears(one, 1, hello());
  hears(one, 2, hello());
  owner.take();
  EXPECT_EQ(hears(one, 1, SchedulerToMaster{Goodbye{.why = "done"}}), first);
  EXPECT_EQ(owner.take(), Calls{"lost: done"});
  EXPECT_TRUE(wire.closed.empty());
  links.send(first, MasterToScheduler{Heartbeat{}});
  EXPECT_TRUE(wire.sent.empty()) << "nobody is there";
  EXPECT_NE(hears(one, 1, hello()), first) << "a new session under the old number";
}

TEST_F(LinksTest, ClosingSaysGoodbyeAndTakesTheLinkWithTheLastSession) {
  const SessionId first = hears(one, 1, hello());
  const SessionId agent = hears(one, 2, agent_hello());
  owner.take();
  links.close(first, "failed over");
  ASSERT_EQ(wire.sent.size(), 1u);
  const auto goodbye = decode_master_to_scheduler(wire.sent[0].payload);
  EXPECT_EQ(std::get<Goodbye>(goodbye->message).why, "failed over");
  EXPECT_TRUE(wire.closed.empty());
  links.close(agent, "removed");
  EXPECT_EQ(std::get<Goodbye>(decode_master_to_agent(wire.sent.at(1).payload)->message).why,
            "removed");
  EXPECT_EQ(wire.closed[one], "removed");
  links.close(agent, "again");
  links.on_link_down(one, "closed");
  EXPECT_EQ(wire.sent.size(), 2u);
  EXPECT_EQ(owner.take(), Calls{}) << "who closes is not told";
}

TEST_F(LinksTest, ALostLinkLosesItsSessionsOnce) {
  hears(one, 1, hello());
  hears(one, 2, agent_hello());
  hears(other, 1, hello());
  owner.take();
  links.on_link_down(one, "reset");
  EXPECT_EQ(owner.take(), (Calls{"lost: reset", "lost: reset"}));
}

TEST_F(LinksTest, CongestionIsToldAtTheEndOfTheTurnToAllSessionsOfTheLink) {
  const SessionId first = hears(one, 1, hello());
  hears(one, 2, hello());
  hears(other, 1, hello());
  owner.take();
  wire.result = SendResult::kCongested;
  links.send(first, MasterToScheduler{Heartbeat{}});
  links.send(first, MasterToScheduler{Heartbeat{}});
  EXPECT_EQ(owner.take(), Calls{}) << "not inside send()";
  links.report();
  EXPECT_EQ(owner.take(), (Calls{"congested", "congested"}));
  links.send(first, MasterToScheduler{Heartbeat{}});
  links.report();
  EXPECT_EQ(owner.take(), Calls{}) << "known";
  links.on_link_ready(one);
  EXPECT_EQ(owner.take(), (Calls{"ready", "ready"}));
  links.on_link_ready(one);
  EXPECT_EQ(owner.take(), Calls{});
  links.send(first, MasterToScheduler{Heartbeat{}});
  links.report();
  EXPECT_EQ(owner.take(), (Calls{"congested", "congested"}));
}

TEST_F(LinksTest, ALinkThatIsReadyAgainBeforeTheReportDoesNotStayCongested) {
  const SessionId first = hears(one, 1, hello());
  owner.take();
  wire.result = SendResult::kCongested;
  links.send(first, MasterToScheduler{Heartbeat{}});
  links.on_link_ready(one);
  links.report();
  const Calls calls = owner.take();
  EXPECT_TRUE(calls.empty() || calls.back() == "ready") << "else it would get no offers any more";
}

TEST_F(LinksTest, ALinkThatGoesWhileCongestedIsForgotten) {
  const SessionId first = hears(one, 1, hello());
  wire.result = SendResult::kCongested;
  links.send(first, MasterToScheduler{Heartbeat{}});
  links.on_link_down(one, "reset");
  owner.take();
  links.report();
  EXPECT_EQ(owner.take(), Calls{});
}

}  // namespace
}  // namespace tepui
