// What a link does for those who use it well: frames of every size, order, congestion, fairness,
// goodbyes, hand-over.

#include "common/io/tcp.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/common/io/loop.h"
#include "tests/common/io/tcp_peer.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::frame;
using test::HandClock;
using test::make_reactor;
using test::Peer;
using test::Recorder;
using test::run_until;
using test::Side;
using testing::HasSubstr;

TEST(Tcp, SaysWhichAddressIsInUse) {
  auto reactor = make_reactor();
  Side first(*reactor);
  Side second(*reactor);
  const Address address = first.listen();
  const auto refused = second.transport->listen(address);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, to_text(address) + " is in use by another process");
  EXPECT_EQ(second.transport->listen(parse_address("192.0.2.1:5050").value()).error().message,
            "192.0.2.1:5050 is not an address of this machine");
}

TEST(Tcp, CarriesFramesOfEverySizeBothWays) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Side client(*reactor);
  const LinkId link = client.transport->connect(to_text(server.listen()));
  server.recorder.on_each = [&](LinkId from, std::span<const std::byte> payload) {
    server.transport->send(from, Conversation::kAgent, payload);
  };
  std::vector<std::string> sent;
  for (size_t size : {0, 1, 15, 16, 17, 63, 4095, 4096, 16384, 16385, 1 << 20, 3}) {
    sent.push_back(std::string(size, static_cast<char>('a' + sent.size())));
  }
  for (const std::string& each : sent) {
    EXPECT_NE(client.transport->send(link, Conversation::kScheduler, bytes_of(each)),
              SendResult::kClosed);
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return client.recorder.count == sent.size(); }));
  const auto& back = client.recorder.frames[link];
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(back[i].first, Conversation::kAgent);
    EXPECT_EQ(back[i].second, sent[i]);
  }
  EXPECT_EQ(server.transport->stats().frames_received, sent.size());
  EXPECT_EQ(server.transport->stats().bytes_received, client.transport->stats().bytes_sent);
}

TEST(Tcp, ListensInTheFileSystemToo) {
  const std::string path = fmt::format("{}/tepui-{}.sock", testing::TempDir(), getpid());
  const Address address = parse_address("unix:" + path).value();
  auto reactor = make_reactor();
  for (int life = 0; life < 2; ++life) {  // the second takes the place of the first
    Side server(*reactor);
    Side client(*reactor);
    ASSERT_TRUE(server.transport->listen(address).has_value());
    const LinkId link = client.transport->connect(to_text(address));
    client.transport->send(link, Conversation::kExecutor, bytes_of("hello"));
    ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == 1; }));
    EXPECT_EQ(server.recorder.frames.begin()->second[0].second, "hello");
  }
  unlink(path.c_str());
  std::ofstream(path) << "somebody's";
  Side server(*reactor);
  EXPECT_EQ(server.transport->listen(address).error().message,
            to_text(address) + " is in use by another process");
  unlink(path.c_str());
}

TEST(Tcp, CarriesTheLargestFrame) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Side client(*reactor);
  const LinkId link = client.transport->connect(to_text(server.listen()));
  std::string large(limits::kFrameBytesMax, 'x');
  large.back() = 'y';
  EXPECT_EQ(client.transport->send(link, Conversation::kAgent, bytes_of(large)),
            SendResult::kCongested);
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == 1; }));
  EXPECT_TRUE(server.recorder.frames.begin()->second[0].second == large);
  EXPECT_EQ(client.recorder.ready, std::vector<LinkId>{link});
}

// Both ways for a peer to go, at every byte of a stream of three frames: the frames that were whole
// before an orderly end have come, nothing else has, the link is down once, and the next connection
// works.
// A small socket buffer makes every send short; the peer reads a byte at a time for a while.
TEST(Tcp, SaysGoodbyeAfterWhatWasQueued) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Side client(*reactor);
  const LinkId link = client.transport->connect(to_text(server.listen()));
  ASSERT_TRUE(run_until(*reactor, [&] { return !client.recorder.up.empty(); }));
  std::string large(1 << 20, 'l');
  client.transport->send(link, Conversation::kAgent, bytes_of(large));
  client.transport->send(link, Conversation::kAgent, bytes_of("last"));
  client.transport->close(link, "done for today");
  EXPECT_EQ(client.transport->send(link, Conversation::kAgent, {}), SendResult::kClosed);
  EXPECT_TRUE(client.recorder.down.empty()) << "told inside the call";
  ASSERT_TRUE(run_until(*reactor, [&] {
    return server.recorder.down.size() == 1 && client.recorder.down.size() == 1 &&
           client.transport->links() == 0 && server.transport->links() == 0;
  }));
  EXPECT_EQ(server.recorder.count, 2u);
  EXPECT_EQ(server.recorder.down.begin()->second, "the peer said goodbye: done for today");
  EXPECT_EQ(client.recorder.down.begin()->second, "done for today");
}

TEST(Tcp, TellsWhenAPeerReadsTooSlowlyAndWhenItHasCaughtUp) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Peer peer(server.listen());
  ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.up.empty(); }));
  const LinkId link = server.recorder.up[0];
  const std::string payload(1 << 20, 'p');
  int sent = 0;
  while (server.transport->send(link, Conversation::kAgent, bytes_of(payload)) ==
         SendResult::kSent) {
    reactor->run_once(reactor->now().mono);
    ASSERT_LT(++sent, 100);
  }
  EXPECT_TRUE(server.recorder.ready.empty());
  ASSERT_TRUE(run_until(*reactor, [&] {
    peer.read_now();
    return !server.recorder.ready.empty();
  }));
  EXPECT_EQ(server.transport->send(link, Conversation::kAgent, bytes_of("x")), SendResult::kSent);
  EXPECT_EQ(server.recorder.ready.size(), 1u);
}

// A peer that floods gets its part of each turn and no more, the quiet one is heard at once, and
// what waits is bounded.
TEST(Tcp, OneBusyLinkDoesNotSilenceAnother) {
  auto reactor = make_reactor();
  Side server(*reactor);
  const Address address = server.listen();
  server.recorder.keep = false;
  Side busy(*reactor);
  const LinkId flood = busy.transport->connect(to_text(address));
  constexpr size_t kFrames = 200000;
  for (size_t i = 0; i < kFrames; ++i) {
    busy.transport->send(flood, Conversation::kAgent, bytes_of("0123456789abcdef"));
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count > 1000; }));
  Peer quiet(address);
  quiet.write(frame(0, "me too"));
  std::optional<size_t> heard_at;
  std::map<LinkId, int> in_turn;
  uint64_t turn = 0;
  server.recorder.on_each = [&](LinkId link, std::span<const std::byte> payload) {
    if (payload.size() == 6) heard_at = server.recorder.count;
    if (turn != reactor->turn()) in_turn.clear();
    turn = reactor->turn();
    EXPECT_LE(++in_turn[link], limits::kFramesPerTurn);
  };
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == kFrames + 1; }));
  ASSERT_TRUE(heard_at.has_value());
  EXPECT_LT(*heard_at, kFrames / 2);
}

// Thousands of agents that come back at once are heard after the few who wait for offers.
TEST(Tcp, HearsSchedulersBeforeAgents) {
  auto reactor = make_reactor();
  Side server(*reactor);
  const Address address = server.listen();
  std::vector<std::unique_ptr<Peer>> agents;
  for (int i = 0; i < 8; ++i) agents.push_back(std::make_unique<Peer>(address));
  Peer scheduler(address);
  // Who speaks is known once they have spoken.
  for (auto& agent : agents)
    agent->write(frame(0, "agent", {.type = uint8_t(Conversation::kAgent)}));
  scheduler.write(frame(0, "scheduler", {.type = uint8_t(Conversation::kScheduler)}));
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == 9; }));
  std::vector<size_t> order;
  server.recorder.on_each = [&](LinkId, std::span<const std::byte> payload) {
    order.push_back(payload.size());
  };
  for (auto& agent : agents)
    agent->write(frame(1, "again", {.type = uint8_t(Conversation::kAgent)}));
  scheduler.write(frame(1, "scheduler again", {.type = uint8_t(Conversation::kScheduler)}));
  ASSERT_TRUE(run_until(*reactor, [&] { return order.size() == 9; }));
  EXPECT_EQ(order.front(), std::string_view("scheduler again").size());
}

TEST(Tcp, TellsAFailedConnectInALaterTurn) {
  auto reactor = make_reactor();
  Side client(*reactor);
  Address unused;
  {
    Side gone(*reactor);
    unused = gone.listen();
  }
  const LinkId refused = client.transport->connect(to_text(unused));
  const LinkId nonsense = client.transport->connect("nowhere");
  const LinkId given_up = client.transport->connect(to_text(unused));
  client.transport->close(given_up, "changed my mind");
  EXPECT_TRUE(client.recorder.down.empty());
  ASSERT_TRUE(run_until(*reactor, [&] { return client.recorder.down.size() == 3; }));
  EXPECT_THAT(client.recorder.down[refused], HasSubstr("Connection refused"));
  EXPECT_THAT(client.recorder.down[nonsense], HasSubstr("'nowhere' is not an address"));
  EXPECT_EQ(client.recorder.down[given_up], "changed my mind");
  EXPECT_TRUE(client.recorder.up.empty());
  ASSERT_TRUE(run_until(*reactor, [&] { return client.transport->links() == 0; }));
}

TEST(Tcp, NeverUsesALinkIdAgain) {
  auto reactor = make_reactor();
  Side client(*reactor);
  std::set<LinkId> seen;
  for (int i = 0; i < 20; ++i) {
    const LinkId link = client.transport->connect("nowhere");
    EXPECT_TRUE(seen.insert(link).second);
    EXPECT_NE(link, LinkId{});
    ASSERT_TRUE(run_until(*reactor, [&] { return client.recorder.down.contains(link); }));
    EXPECT_EQ(client.transport->send(link, Conversation::kAgent, {}), SendResult::kClosed);
  }
}

TEST(Tcp, AHandlerMayCloseTheLinkThatItIsToldAbout) {
  auto reactor = make_reactor();
  Side server(*reactor);
  server.recorder.on_each = [&](LinkId link, std::span<const std::byte>) {
    server.transport->close(link, "one is enough");
  };
  Peer peer(server.listen());
  peer.write(frame(0, "one") + frame(1, "two"));
  ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.down.empty(); }));
  EXPECT_EQ(server.recorder.count, 1u);
  peer.finish();
  ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->links() == 0; }));
  EXPECT_THAT(peer.read_all(), HasSubstr("one is enough"));
}

TEST(Tcp, HandsAConnectionToAnotherTransportWithoutLosingAByte) {
  auto reactor = make_reactor();
  Side front(*reactor);
  Side reader(*reactor);
  struct Handover : ReleaseClient {
    void on_link_released(LinkId link, Fd socket, std::vector<std::byte> received) override {
      EXPECT_EQ(link, expected);
      adopted = reader->transport->adopt(std::move(socket), std::move(received));
    }
    Side* reader;
    LinkId expected;
    LinkId adopted;
  } handover;
  handover.reader = &reader;
  front.recorder.on_each = [&](LinkId link, std::span<const std::byte>) {
    handover.expected = link;
    front.transport->release(link, handover);
  };
  reader.recorder.on_each = [&](LinkId link, std::span<const std::byte> payload) {
    reader.transport->send(link, Conversation::kOperator, payload);
  };
  Side client(*reactor);
  const LinkId link = client.transport->connect(to_text(front.listen()));
  for (int i = 0; i < 100; ++i) {
    client.transport->send(link, Conversation::kOperator, bytes_of(fmt::format("request {}", i)));
    reactor->run_once(reactor->now().mono);
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return client.recorder.count == 100; }));
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(client.recorder.frames[link][i].second, fmt::format("request {}", i));
  }
  EXPECT_EQ(front.recorder.count, 1u);
  EXPECT_TRUE(front.recorder.down.empty());
  EXPECT_EQ(front.transport->links(), 0u);
  EXPECT_EQ(reader.recorder.up, std::vector<LinkId>{handover.adopted});
}

TEST(Tcp, TakesNoMoreLinksThanItsLimit) {
  auto reactor = make_reactor();
  Side server(*reactor, {.links_max = 2});
  const Address address = server.listen();
  Peer first(address);
  Peer second(address);
  Peer third(address);
  ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->stats().accepts_failed == 1; }));
  EXPECT_EQ(server.transport->links(), 2u);
}

}  // namespace
}  // namespace tepui
