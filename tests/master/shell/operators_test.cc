#include "master/shell/operators.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/limits.h"
#include "tests/master/shell/rows.h"

// Goal: an operator gets whole answers from whole state, a watcher never misses a change without
// being told so, and nobody makes the reader keep more than a little. Method: effects that record,
// messages and feed items by hand.

namespace tepui {
namespace {

using test::agent_up;
using test::apply;

struct Recorder final : OperatorsEffects {
  std::map<SessionId, std::vector<ServerToOperator>> sent;
  std::map<SessionId, std::string> closed;
  std::vector<std::pair<std::string, OperatorRequest>> commands;
  int metrics_wanted = 0;
  Sent answer = Sent::kYes;

  Sent send(SessionId to, const ServerToOperator& message) override {
    sent[to].push_back(message);
    return answer;
  }
  void close(SessionId session, std::string_view why) override { closed.emplace(session, why); }
  void command(SessionId, const std::string& principal, const OperatorRequest& kill) override {
    commands.emplace_back(principal, kill);
  }
  void want_metrics() override { ++metrics_wanted; }

  template <class T>
  std::vector<T> take(SessionId session) {
    std::vector<T> found;
    std::erase_if(sent[session], [&](const ServerToOperator& message) {
      const T* one = std::get_if<T>(&message);
      if (one != nullptr) found.push_back(*one);
      return one != nullptr;
    });
    return found;
  }
};

struct OperatorsTest : ::testing::Test {
  Recorder out;
  Tables tables;
  Operators operators{tables, out, "test build"};
  const SessionId one{1};
  const SessionId other{2};

  void elect() {
    apply(tables, feed::Elected{.epoch = 3, .master_id = "m-e3"});
    tell();
  }
  void tell(bool fresh_metrics = false) {
    operators.on_changed(tables.take_changed(), fresh_metrics);
  }
  template <class... Items>
  void happens(Items... items) {
    apply(tables, std::move(items)...);
    tell();
  }
  void greet(SessionId session) {
    operators.on_message(session, Hello{.principal = "ann"});
    out.sent[session].clear();
  }
  // Of one watcher, everything that was sent, in short.
  std::vector<std::string> story(SessionId session) {
    std::vector<std::string> lines;
    for (const ServerToOperator& message : out.sent[session]) {
      if (const auto* list = std::get_if<ListReply>(&message)) {
        lines.push_back("list of " + std::to_string(list->rows.agents.size()));
      } else if (const auto* event = std::get_if<WatchEvent>(&message)) {
        lines.push_back(event->resync ? "resync"
                                      : "changed " + std::to_string(event->changed.agents.size()));
      }
    }
    out.sent[session].clear();
    return lines;
  }
  using Story = std::vector<std::string>;
};

TEST_F(OperatorsTest, HelloIsAnsweredWithTheLeader) {
  elect();
  operators.on_message(one, Hello{});
  const auto replies = out.take<HelloReply>(one);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].protocol, kProtocolMax);
  EXPECT_EQ(replies[0].build, "test build");
  EXPECT_EQ(replies[0].epoch, 3u);
  EXPECT_EQ(replies[0].master_id, "m-e3");
  EXPECT_TRUE(out.closed.empty());
}

TEST_F(OperatorsTest, AFollowerSendsReadersToTheLeader) {
  operators.on_leadership(false, "");
  greet(one);
  operators.on_message(one, ListRequest{.request = 4, .table = Table::kAgents});
  const auto unknown = out.take<RequestDone>(one);
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_EQ(unknown[0].request, 4u);
  EXPECT_EQ(unknown[0].error, "this master does not lead, and knows no leader yet");
  operators.on_leadership(false, "10.0.0.2:5050");
  operators.on_message(other, Hello{});
  EXPECT_EQ(out.take<HelloReply>(other).at(0).leader, "10.0.0.2:5050");
  operators.on_message(other, OperatorKill{.request = 5, .kill_policy = {}});
  EXPECT_EQ(out.take<RequestDone>(other).at(0).error,
            "this master does not lead: ask 10.0.0.2:5050");
  EXPECT_TRUE(out.commands.empty());
  // Elected, it answers by itself.
  operators.on_leadership(true, "");
  elect();
  operators.on_message(one, ListRequest{.request = 6, .table = Table::kAgents});
  EXPECT_EQ(out.take<ListReply>(one).size(), 1u);
  const SessionId third{3};
  operators.on_message(third, Hello{});
  EXPECT_EQ(out.take<HelloReply>(third).at(0).leader, "");
}

TEST_F(OperatorsTest, AMasterThatLeadsNoMoreEndsWhatWasAskedOfIt) {
  operators.on_leadership(true, "");
  elect();
  greet(one);
  operators.on_message(one, WatchRequest{.request = 1, .tables = {Table::kAgents}});
  apply(tables, agent_up("a1"), feed::Deposed{.why = "another leads"});
  operators.on_leadership(false, "10.0.0.2:5050");
  tell();
  EXPECT_EQ(out.closed[one], "this master does not lead: ask 10.0.0.2:5050");
  // What it knew is not what the next term begins with.
  operators.on_leadership(true, "");
  elect();
  greet(other);
  operators.on_message(other, ListRequest{.request = 2, .table = Table::kAgents});
  EXPECT_TRUE(out.take<ListReply>(other).at(0).rows.agents.empty());
}

TEST_F(OperatorsTest, AProtocolItDoesNotSpeakIsRefused) {
  operators.on_message(one, Hello{.protocol_min = kProtocolMax + 1, .protocol_max = 9});
  const auto replies = out.take<HelloReply>(one);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].protocol, 0);
  EXPECT_EQ(replies[0].error, "this master speaks protocol 1 to 1, the client 2 to 9");
  EXPECT_EQ(out.closed[one], replies[0].error);
  operators.on_message(other, Hello{.protocol_min = 0, .protocol_max = 0});
  EXPECT_TRUE(out.closed.contains(other));
}

TEST_F(OperatorsTest, NothingIsAnsweredBeforeHello) {
  elect();
  operators.on_message(one, ListRequest{.request = 1});
  EXPECT_TRUE(out.sent[one].empty());
  EXPECT_EQ(out.closed[one], "the first message of a conversation is Hello");
}

TEST_F(OperatorsTest, ListsAreAnsweredInParts) {
  elect();
  for (uint32_t i = 0; i <= limits::kListPartRows; ++i) {
    apply(tables, agent_up("a" + std::to_string(i)));
  }
  greet(one);
  operators.on_message(one, ListRequest{.request = 5, .table = Table::kAgents});
  const auto parts = out.take<ListReply>(one);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].more);
  EXPECT_EQ(parts[0].rows.agents.size(), limits::kListPartRows);
  EXPECT_FALSE(parts[1].more);
  EXPECT_EQ(parts[1].request, 5u);
  operators.on_message(one, ListRequest{.request = 6, .table = Table::kAgents, .key = "a7"});
  EXPECT_EQ(out.take<ListReply>(one).at(0).rows.agents.at(0).info.id.value, "a7");
  operators.on_message(one, ListRequest{.request = 7, .table = Table::kAgents, .key = "none"});
  EXPECT_TRUE(out.take<ListReply>(one).at(0).rows.agents.empty());
}

TEST_F(OperatorsTest, AListWaitsForTheStateToBeWhole) {
  greet(one);
  operators.on_message(one, ListRequest{.request = 1});
  EXPECT_TRUE(out.sent[one].empty()) << "not elected yet";
  elect();
  EXPECT_EQ(out.take<ListReply>(one).size(), 1u);
  happens(feed::Reset{}, agent_up("a1"));
  operators.on_message(one, ListRequest{.request = 2});
  EXPECT_TRUE(out.sent[one].empty()) << "half of the state is no answer";
  happens(agent_up("a2"), feed::Complete{});
  EXPECT_EQ(out.take<ListReply>(one).at(0).rows.agents.size(), 2u);
  happens(agent_up("a3"));
  EXPECT_TRUE(out.sent[one].empty()) << "answered once";
}

TEST_F(OperatorsTest, MetricsWaitForTheLoopToTellThem) {
  elect();
  greet(one);
  operators.on_message(one, ListRequest{.request = 1, .table = Table::kMetrics, .key = "k"});
  EXPECT_EQ(out.metrics_wanted, 1);
  happens(agent_up("a1"));
  EXPECT_TRUE(out.sent[one].empty());
  apply(tables, feed::MetricsSnapshot{.rows = {{.key = "k", .value = 7}}});
  tell(true);
  const auto replies = out.take<ListReply>(one);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].rows.metrics.at(0).value, 7);
}

TEST_F(OperatorsTest, MetricsThatCameDuringAResyncAreAskedForAgain) {
  elect();
  greet(one);
  operators.on_message(one, ListRequest{.request = 1, .table = Table::kMetrics});
  apply(tables, feed::Reset{}, feed::MetricsSnapshot{});
  tell(true);
  EXPECT_TRUE(out.sent[one].empty());
  happens(feed::Complete{});
  EXPECT_EQ(out.metrics_wanted, 2);
  apply(tables, feed::MetricsSnapshot{});
  tell(true);
  EXPECT_EQ(out.take<ListReply>(one).size(), 1u);
}

TEST_F(OperatorsTest, AWatcherGetsASnapshotThenEachChange) {
  elect();
  happens(agent_up("a1"));
  greet(one);
  operators.on_message(one, WatchRequest{.request = 9, .tables = {Table::kAgents}});
  EXPECT_EQ(operators.watchers(), 1u);
  happens(agent_up("a2"));
  happens(test::framework_up("f1"));
  const auto events = out.sent[one];
  EXPECT_EQ(std::get<WatchEvent>(events.at(1)).request, 9u);
  EXPECT_EQ(std::get<WatchEvent>(events.at(1)).state_version, tables.state_version() - 1);
  EXPECT_EQ(story(one), (Story{"list of 1", "changed 1"})) << "frameworks are not watched";
  happens(test::agent_down("a1", feed::AgentDown::How::kRemoved));
  EXPECT_EQ(out.take<WatchEvent>(one).at(0).removed.at(0).key, "a1");
}

TEST_F(OperatorsTest, AWatchOfEverythingBeginsWithAListOfEachTableButMetrics) {
  elect();
  greet(one);
  operators.on_message(one, WatchRequest{.request = 1});
  EXPECT_EQ(out.take<ListReply>(one).size(), size_t{kTableCount} - 1);
  EXPECT_EQ(out.metrics_wanted, 0);
}

TEST_F(OperatorsTest, AWatchBeforeTheStateIsWholeGetsItWhenItIs) {
  elect();
  happens(feed::Reset{});
  greet(one);
  operators.on_message(one, WatchRequest{.request = 1, .tables = {Table::kAgents}});
  happens(agent_up("a1"));
  EXPECT_EQ(story(one), Story{});
  happens(feed::Complete{});
  EXPECT_EQ(story(one), (Story{"resync", "list of 1"}));
  happens(agent_up("a2"));
  EXPECT_EQ(story(one), (Story{"changed 1"}));
}

TEST_F(OperatorsTest, AListGoesOutAsFastAsItIsRead) {
  elect();
  for (uint32_t i = 0; i < 2 * limits::kListPartRows + 1; ++i) {
    apply(tables, agent_up("a" + std::to_string(i)));
  }
  greet(one);
  out.answer = Recorder::Sent::kCongested;
  operators.on_message(one, ListRequest{.request = 5, .table = Table::kAgents});
  operators.on_message(one, ListRequest{.request = 6, .table = Table::kAgents, .key = "a7"});
  EXPECT_EQ(story(one), Story{"list of 1024"});
  tell();
  EXPECT_EQ(story(one), Story{}) << "not read yet";
  operators.on_ready(one);
  EXPECT_EQ(story(one), Story{"list of 1024"});
  out.answer = Recorder::Sent::kYes;
  operators.on_ready(one);
  EXPECT_EQ(story(one), (Story{"list of 1", "list of 1"})) << "the other request comes after";
}

TEST_F(OperatorsTest, AWatcherThatReadsTooSlowlyIsToldEachRowOnce) {
  elect();
  for (const SessionId session : {one, other}) {
    greet(session);
    operators.on_message(session, WatchRequest{.request = 1, .tables = {Table::kAgents}});
    story(session);
  }
  out.answer = Recorder::Sent::kCongested;
  happens(agent_up("a1"));
  EXPECT_EQ(story(one), (Story{"changed 1"})) << "taken, but no more";
  out.answer = Recorder::Sent::kYes;
  happens(agent_up("a2"));
  happens(agent_up("a2"));
  happens(agent_up("a3"));
  happens(test::agent_down("a3", feed::AgentDown::How::kRemoved));
  EXPECT_EQ(story(one), Story{});
  operators.on_ready(one);
  const auto events = out.take<WatchEvent>(one);
  ASSERT_EQ(events.size(), 1u);
  ASSERT_EQ(events[0].changed.agents.size(), 1u);
  EXPECT_EQ(events[0].changed.agents[0].info.id.value, "a2");
  ASSERT_EQ(events[0].removed.size(), 1u);
  EXPECT_EQ(events[0].removed[0].key, "a3");
  operators.on_ready(one);
  EXPECT_EQ(story(one), Story{}) << "it was not behind";
  EXPECT_EQ(story(other), (Story{"changed 1"})) << "still behind";
}

TEST_F(OperatorsTest, WhatChangesDuringAWatchersListIsToldAfterIt) {
  elect();
  for (uint32_t i = 0; i < limits::kListPartRows + 1; ++i) {
    apply(tables, agent_up(std::to_string(10'000 + i)));
  }
  tell();
  greet(one);
  out.answer = Recorder::Sent::kCongested;
  operators.on_message(one, WatchRequest{.request = 1, .tables = {Table::kAgents}});
  EXPECT_EQ(story(one), Story{"list of 1024"});
  happens(agent_up("1"), test::agent_down("10002", feed::AgentDown::How::kRemoved));
  out.answer = Recorder::Sent::kYes;
  operators.on_ready(one);
  ASSERT_EQ(out.sent[one].size(), 2u);
  EXPECT_EQ(std::get<WatchEvent>(out.sent[one][1]).removed.at(0).key, "10002");
  EXPECT_EQ(story(one), (Story{"list of 1", "changed 1"}));
}

TEST_F(OperatorsTest, AWatcherThatIsTooFarBehindBeginsAgain) {
  elect();
  greet(one);
  operators.on_message(one, WatchRequest{.request = 1, .tables = {Table::kAgents}});
  story(one);
  out.answer = Recorder::Sent::kCongested;
  happens(agent_up("a"));
  story(one);
  for (uint32_t i = 0; i < 70'000; ++i) apply(tables, agent_up("a" + std::to_string(i % 70)));
  happens(agent_up("b"));
  out.answer = Recorder::Sent::kYes;
  operators.on_ready(one);
  EXPECT_EQ(story(one), (Story{"changed 71"})) << "many changes of few rows are few";
  out.answer = Recorder::Sent::kCongested;
  happens(agent_up("a"));
  story(one);
  for (uint32_t i = 0; i < 70'000; ++i) {
    const std::string id = "c" + std::to_string(i);
    apply(tables, agent_up(id), test::agent_down(id, feed::AgentDown::How::kRemoved));
  }
  tell();
  out.answer = Recorder::Sent::kYes;
  operators.on_ready(one);
  EXPECT_EQ(story(one), (Story{"resync", "list of 72"}));
}

TEST_F(OperatorsTest, ALotThatChangesAtOnceIsToldInParts) {
  elect();
  greet(one);
  operators.on_message(one, WatchRequest{.request = 1, .tables = {Table::kAgents}});
  story(one);
  for (uint32_t i = 0; i < limits::kListPartRows + 1; ++i) {
    apply(tables, agent_up("a" + std::to_string(i)));
  }
  tell();
  EXPECT_EQ(story(one), (Story{"changed 1024", "changed 1"}));
}

TEST_F(OperatorsTest, AResyncOfTheReaderIsOneOfItsWatchers) {
  elect();
  greet(one);
  operators.on_message(one, WatchRequest{.request = 1, .tables = {Table::kAgents}});
  happens(agent_up("a1"));
  story(one);
  happens(feed::Reset{});
  happens(agent_up("a2"), feed::Complete{});
  EXPECT_EQ(story(one), (Story{"resync", "list of 1"}));
}

TEST_F(OperatorsTest, AKillGoesToTheLoopInTheNameOfWhoAsked) {
  elect();
  greet(one);
  operators.on_message(one, OperatorKill{.request = 4, .task_id = {"t1"}});
  ASSERT_EQ(out.commands.size(), 1u);
  EXPECT_EQ(out.commands[0].first, "ann");
  EXPECT_EQ(std::get<OperatorKill>(out.commands[0].second).task_id.value, "t1");
  operators.on_answer(one, RequestDone{.request = 4, .error = "no such task"});
  EXPECT_EQ(out.take<RequestDone>(one).at(0).error, "no such task");
  operators.on_lost(one);
  operators.on_answer(one, RequestDone{.request = 5});
  EXPECT_TRUE(out.sent[one].empty()) << "nobody listens any more";
}

TEST_F(OperatorsTest, WhatTheMasterCannotAnswerIsRefusedByName) {
  elect();
  greet(one);
  operators.on_message(one, ReadFile{.request = 1});
  operators.on_message(one, WatchRequest{.request = 2, .tables = {Table::kMetrics}});
  const auto done = out.take<RequestDone>(one);
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0].request, 1u);
  EXPECT_EQ(done[0].error, "the master has no sandboxes: ask the agent that runs the task");
  EXPECT_EQ(done[1].error, "metrics are listed, not watched");
  EXPECT_TRUE(out.closed.empty()) << "the conversation goes on";
}

TEST_F(OperatorsTest, WhatOneSessionMayAskForIsBounded) {
  greet(one);
  for (uint32_t i = 0; i < 65; ++i) operators.on_message(one, ListRequest{.request = i});
  auto refused = out.take<RequestDone>(one);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].request, 64u);
  elect();
  EXPECT_EQ(out.take<ListReply>(one).size(), 64u);
  for (uint32_t i = 0; i < 17; ++i) {
    operators.on_message(one, WatchRequest{.request = i, .tables = {Table::kRoles}});
  }
  refused = out.take<RequestDone>(one);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].request, 16u);
  operators.on_message(one, WatchRequest{.request = 3, .tables = {Table::kRoles}});
  EXPECT_EQ(out.take<RequestDone>(one).at(0).error, "a watch of this session has the same number");
  operators.on_lost(one);
  EXPECT_EQ(operators.watchers(), 0u);
}

}  // namespace
}  // namespace tepui
