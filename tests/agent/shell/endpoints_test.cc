// The agent's operator conversation, frame by frame, on a transport that only records.

#include "agent/shell/endpoints.h"

#include <gtest/gtest.h>

#include <optional>

#include "common/limits.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

class FakeTransport : public Transport {
 public:
  LinkId connect(std::string_view) override { return {}; }
  SendResult send(LinkId link, Conversation conversation,
                  std::span<const std::byte> payload) override {
    EXPECT_EQ(conversation, Conversation::kOperator);
    Result<Inbound<ServerToOperator>> inbound = decode_server_to_operator(payload);
    EXPECT_TRUE(inbound.has_value()) << inbound.error().message;
    if (inbound) sent.emplace_back(link, std::move(*inbound));
    return SendResult::kSent;
  }
  void close(LinkId link, std::string_view why) override { closed.emplace_back(link, why); }

  std::vector<std::pair<LinkId, Inbound<ServerToOperator>>> sent;
  std::vector<std::pair<LinkId, std::string>> closed;
};

class Events : public EventSink {
 public:
  void on_event(const Event& event) override {
    if (const auto* refused = std::get_if<event::PeerRejected>(&event)) {
      rejected.emplace_back(refused->why);
    }
  }
  std::vector<std::string> rejected;
};

constexpr LinkId kLink{1};

class EndpointsTest : public testing::Test, public EndpointsOwner {
 protected:
  EndpointsTest() {
    endpoints.use(transport);
    endpoints.on_link_up(kLink, "127.0.0.1:9");
    bench.enlist();
  }
  std::vector<MetricRow> metrics() const override {
    return {{.key = "slave/registered", .value = 1}, {.key = "slave/uptime_secs", .value = 2}};
  }
  bool start_read(uint64_t token, SandboxRead read) override {
    if (full) return false;
    reads.emplace_back(token, std::move(read));
    return true;
  }

  void say(const OperatorToServer& message, uint32_t session = 1, LinkId link = kLink) {
    endpoints.on_frame(link, Conversation::kOperator, encoder.encode(session, message));
  }
  void greet() {
    say(Hello{});
    transport.sent.clear();
  }
  template <class Message>
  Message answer() {
    EXPECT_FALSE(transport.sent.empty());
    if (transport.sent.empty()) return {};
    ServerToOperator message = std::move(transport.sent.front().second.message);
    transport.sent.erase(transport.sent.begin());
    EXPECT_TRUE(std::holds_alternative<Message>(message));
    return std::holds_alternative<Message>(message) ? std::get<Message>(message) : Message{};
  }
  ReadFile about(std::string path) const {
    return ReadFile{.request = 5,
                    .framework_id = FrameworkId{"f"},
                    .task_id = TaskId{"t"},
                    .path = std::move(path),
                    .offset = 3,
                    .length = 100};
  }

  Bench bench;
  FakeTransport transport;
  Events events;
  Encoder encoder;
  Endpoints endpoints{bench.agent, *this, events, "build"};
  bool full = false;
  std::vector<std::pair<uint64_t, SandboxRead>> reads;
};

TEST_F(EndpointsTest, AnswersAGreeting) {
  say(Hello{}, 42);
  ASSERT_EQ(transport.sent.size(), 1u);
  EXPECT_EQ(transport.sent[0].second.session, 42u);
  const auto reply = answer<HelloReply>();
  EXPECT_EQ(reply.protocol, kProtocolMax);
  EXPECT_EQ(reply.build, "build");
}

TEST_F(EndpointsTest, RefusesAProtocolItDoesNotSpeak) {
  say(Hello{.protocol_min = 9, .protocol_max = 9});
  const auto reply = answer<HelloReply>();
  EXPECT_EQ(reply.protocol, 0);
  EXPECT_EQ(reply.error, "this agent speaks protocol 1 to 1, the client 9 to 9");
  EXPECT_EQ(transport.closed.size(), 1u);
}

TEST_F(EndpointsTest, DemandsAGreetingFirst) {
  say(ListRequest{.request = 1, .table = Table::kTasks});
  EXPECT_TRUE(transport.sent.empty());
  ASSERT_EQ(transport.closed.size(), 1u);
  EXPECT_EQ(transport.closed[0].second, "the first message of a conversation is Hello");
  EXPECT_EQ(events.rejected.size(), 1u);
  // The link is gone: what was still on its way is not heard.
  say(Hello{});
  EXPECT_TRUE(transport.sent.empty());
}

TEST_F(EndpointsTest, RefusesOtherConversationsAndBrokenFrames) {
  endpoints.on_frame(kLink, Conversation::kScheduler, {});
  EXPECT_EQ(transport.closed.size(), 1u);
  const LinkId other{2};
  endpoints.on_link_up(other, "peer");
  endpoints.on_frame(other, Conversation::kOperator, {});
  EXPECT_EQ(transport.closed.size(), 2u);
  EXPECT_EQ(events.rejected.size(), 2u);
}

TEST_F(EndpointsTest, ListsTheTasksOfThisAgent) {
  bench.run("a");
  bench.launch("b", Bench::spec(), 0, "g");
  greet();
  say(ListRequest{.request = 1, .table = Table::kTasks});
  const auto all = answer<ListReply>();
  EXPECT_EQ(all.request, 1u);
  EXPECT_FALSE(all.more);
  ASSERT_EQ(all.rows.tasks.size(), 2u);
  EXPECT_EQ(all.rows.tasks[0].task.id.value, "a");
  EXPECT_EQ(all.rows.tasks[0].task.state, TaskState::kRunning);
  say(ListRequest{.request = 2, .table = Table::kTasks, .framework_id = FrameworkId{"g"}});
  EXPECT_EQ(answer<ListReply>().rows.tasks.size(), 1u);
  say(ListRequest{.request = 3, .table = Table::kTasks, .key = "absent"});
  EXPECT_TRUE(answer<ListReply>().rows.tasks.empty());
}

TEST_F(EndpointsTest, ListsMetricsAndItself) {
  bench.run("a");
  greet();
  say(ListRequest{.request = 1, .table = Table::kMetrics});
  EXPECT_EQ(answer<ListReply>().rows.metrics.size(), 2u);
  say(ListRequest{.request = 2, .table = Table::kMetrics, .key = "slave/registered"});
  EXPECT_EQ(answer<ListReply>().rows.metrics.size(), 1u);
  say(ListRequest{.request = 3, .table = Table::kAgents});
  const auto self = answer<ListReply>();
  ASSERT_EQ(self.rows.agents.size(), 1u);
  EXPECT_EQ(self.rows.agents[0].info.id.value, "agent-1");
  EXPECT_EQ(self.rows.agents[0].state, "active");
  EXPECT_EQ(self.rows.agents[0].allocated.total_milli("cpus"), 1000);
}

TEST_F(EndpointsTest, CutsLongListsIntoParts) {
  for (uint32_t i = 0; i < limits::kListPartRows + 1; ++i) {
    const std::string task = "t" + std::to_string(i);
    bench.run(task, Bench::spec(1, 1000));
    bench.exits(task, 0);
  }
  greet();
  say(ListRequest{.request = 1, .table = Table::kTasks});
  const auto first = answer<ListReply>();
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.rows.tasks.size(), limits::kListPartRows);
  const auto last = answer<ListReply>();
  EXPECT_FALSE(last.more);
  EXPECT_EQ(last.rows.tasks.size(), 1u);
}

TEST_F(EndpointsTest, SaysWhatIsTheMasters) {
  greet();
  say(ListRequest{.request = 1, .table = Table::kOffers});
  EXPECT_EQ(answer<RequestDone>().error,
            "an agent lists agents, tasks and metrics only: ask the master");
  say(WatchRequest{.request = 2, .tables = {}});
  EXPECT_EQ(answer<RequestDone>().request, 2u);
  say(OperatorKill{.request = 3, .framework_id = FrameworkId{"f"}, .task_id = TaskId{"t"}});
  EXPECT_EQ(answer<RequestDone>().error, "an agent takes no commands: ask the master");
}

TEST_F(EndpointsTest, ReadsAFileOfATasksSandbox) {
  bench.run("t");
  greet();
  say(about("stdout"));
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].second.sandbox, bench.effects.launches[0].sandbox);
  EXPECT_EQ(reads[0].second.path, "stdout");
  EXPECT_EQ(reads[0].second.offset, 3u);
  EXPECT_EQ(reads[0].second.length, 100u);
  endpoints.on_read(reads[0].first, SandboxBytes{.offset = 3, .size = 10, .data = "abc"});
  const auto data = answer<FileData>();
  EXPECT_EQ(data.request, 5u);
  EXPECT_EQ(data.offset, 3u);
  EXPECT_EQ(data.size, 10u);
  EXPECT_EQ(data.data, "abc");
  EXPECT_FALSE(data.task_ended);
}

TEST_F(EndpointsTest, TellsWhetherMoreWillComeAsItWasBeforeTheRead) {
  bench.run("t");
  greet();
  say(about("stdout"));
  bench.exits("t", 0);
  say(about("stdout"));
  endpoints.on_read(reads[0].first, SandboxBytes{});
  EXPECT_FALSE(answer<FileData>().task_ended);
  endpoints.on_read(reads[1].first, SandboxBytes{});
  EXPECT_TRUE(answer<FileData>().task_ended);
}

TEST_F(EndpointsTest, RefusesReadsThatCannotBe) {
  greet();
  say(about("stdout"));
  EXPECT_EQ(answer<RequestDone>().error, "task 't' of framework 'f' has no sandbox here");
  bench.run("t");
  say(about("../stdout"));
  EXPECT_EQ(answer<RequestDone>().error, "'../stdout' contains '..'");
  full = true;
  say(about("stdout"));
  EXPECT_EQ(answer<RequestDone>().error, "too many reads are under way, ask again later");
  full = false;
  say(about("stdout"));
  endpoints.on_read(reads[0].first, fail("the sandbox has no file 'stdout'"));
  EXPECT_EQ(answer<RequestDone>().error, "the sandbox has no file 'stdout'");
}

TEST_F(EndpointsTest, BoundsTheReadsOfOneSession) {
  bench.run("t");
  greet();
  for (size_t i = 0; i <= limits::kSandboxReadsPerSession; ++i) say(about("stdout"));
  EXPECT_EQ(reads.size(), limits::kSandboxReadsPerSession);
  EXPECT_EQ(transport.sent.size(), 1u);
  answer<RequestDone>();
  endpoints.on_read(reads[0].first, SandboxBytes{});
  say(about("stdout"));
  EXPECT_EQ(reads.size(), limits::kSandboxReadsPerSession + 1);
}

TEST_F(EndpointsTest, DropsTheAnswerOfAReaderWhoLeft) {
  bench.run("t");
  greet();
  say(about("stdout"));
  endpoints.on_link_down(kLink);
  endpoints.on_read(reads[0].first, SandboxBytes{});
  EXPECT_TRUE(transport.sent.empty());
}

TEST_F(EndpointsTest, EndsTheLinkWithItsLastSession) {
  say(Hello{}, 1);
  say(Hello{}, 2);
  say(Goodbye{.why = "done"}, 1);
  EXPECT_TRUE(transport.closed.empty());
  say(Goodbye{.why = "done"}, 2);
  EXPECT_EQ(transport.closed.size(), 1u);
}

}  // namespace
}  // namespace tepui
