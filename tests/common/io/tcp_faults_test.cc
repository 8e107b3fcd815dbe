// Goal: a link carries whole frames in order, or ends with a reason that is told once, whatever the
// bytes, their sizes, and the moment at which the peer goes.
//
// Method: a transport on a real socket against a peer that is a plain blocking socket written by
// hand (one-byte writes, resets, garbage). Time is injected where silence is tested.

#include "common/io/tcp.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

TEST(Tcp, TakesBytesOneByOne) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Peer peer(server.listen());
  const std::string stream = frame(0, "first") + frame(1, "") + frame(2, "third of seventeen");
  for (const char& each : stream) {
    peer.write({&each, 1});
    reactor->run_once(reactor->now().mono);
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == 3; }));
  const auto& frames = server.recorder.frames.begin()->second;
  EXPECT_EQ(frames[0].second, "first");
  EXPECT_EQ(frames[1].second, "");
  EXPECT_EQ(frames[2].second, "third of seventeen");
}

TEST(Tcp, SurvivesAnEndAndAResetAtEveryByte) {
  auto reactor = make_reactor();
  Side server(*reactor);
  const Address address = server.listen();
  const std::string first = frame(0, "one");
  const std::string second = frame(1, std::string(40, '2'));
  const std::string stream = first + second + frame(2, "three");
  for (const bool orderly : {true, false}) {
    for (size_t cut = 0; cut <= stream.size(); ++cut) {
      server.recorder = Recorder{};
      Peer peer(address);
      peer.write(std::string_view(stream).substr(0, cut));
      ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.up.empty(); }));
      if (orderly) {
        peer.hang_up();
      } else {
        peer.reset();
      }
      ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.down.empty(); })) << cut;
      const size_t whole = (cut >= first.size() ? 1u : 0u) +
                           (cut >= first.size() + second.size() ? 1u : 0u) +
                           (cut == stream.size() ? 1u : 0u);
      if (orderly) {
        EXPECT_EQ(server.recorder.count, whole) << cut;
        EXPECT_EQ(server.recorder.down.begin()->second, "the peer closed the connection");
      } else {
        EXPECT_LE(server.recorder.count, whole) << cut;
      }
    }
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->links() == 0; }));
  server.recorder = Recorder{};
  Peer peer(address);
  peer.write(stream);
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == 3; }));
}

TEST(Tcp, SendsWholeFramesThroughShortWrites) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Peer peer(server.listen());
  ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.up.empty(); }));
  std::string payload(3000000, 'p');
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 31);
  for (int i = 0; i < 5; ++i) {
    server.transport->send(server.recorder.up[0], Conversation::kAgent, bytes_of(payload));
  }
  Fd raw = peer.take();
  std::string received;
  const size_t all = 5 * (16 + padded(payload.size()));
  ASSERT_TRUE(run_until(*reactor, [&] {
    char part[262144];
    const size_t size = received.size() < 200 ? 1 : sizeof part;
    const ssize_t got = ::recv(raw.get(), part, size, MSG_DONTWAIT);
    if (got > 0) received.append(part, size_t(got));
    return received.size() == all;
  }));
  FrameParser parser;
  parser.feed(bytes_of(received));
  for (int i = 0; i < 5; ++i) {
    const auto next = parser.next();
    ASSERT_TRUE(next.has_value() && next->has_value());
    EXPECT_TRUE(std::ranges::equal((*next)->payload, bytes_of(payload)));
  }
}

struct BadStream {
  const char* name;
  std::string bytes;
  FrameError error;
};

TEST(Tcp, ClosesWithANamedReasonAndOtherLinksGoOn) {
  std::string dirty = frame(0, "abc");
  dirty.back() = 1;
  const std::vector<BadStream> streams = {
      {"magic later", frame(0, "x") + std::string(16, 'z'), FrameError::kBadMagic},
      {"version", frame(0, "x", {.version = 9, .type = 1}), FrameError::kBadVersion},
      {"type", frame(0, "x", {.type = 99}), FrameError::kUnknownType},
      {"flags", frame(0, "x", {.type = 1, .flags = 8}), FrameError::kBadFlags},
      {"sequence", frame(0, "x") + frame(2, "x"), FrameError::kOutOfSequence},
      {"padding", dirty, FrameError::kBadPadding},
      {"oversized",
       [] {
         FrameHeader header{.type = 1, .length = limits::kFrameBytesMax + 1};
         return std::string(reinterpret_cast<const char*>(&header), sizeof header);
       }(),
       FrameError::kOversized},
  };
  auto reactor = make_reactor();
  Side server(*reactor);
  Side client(*reactor);
  const Address address = server.listen();
  const LinkId good = client.transport->connect(to_text(address));
  ASSERT_TRUE(run_until(*reactor, [&] { return client.recorder.up.size() == 1; }));
  for (const BadStream& each : streams) {
    SCOPED_TRACE(each.name);
    server.recorder.down.clear();
    Peer peer(address);
    peer.write(each.bytes);
    ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.down.empty(); }));
    EXPECT_THAT(server.recorder.down.begin()->second, HasSubstr("refused a frame"));
    EXPECT_THAT(server.recorder.down.begin()->second, HasSubstr(to_text(each.error)));
    EXPECT_EQ(server.transport->stats().refused[size_t(each.error)], 1u);
    // The peer is told, and then the stream ends.
    peer.finish();
    ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->links() == 1; }));
    EXPECT_THAT(peer.read_all(), HasSubstr(to_text(each.error)));
    const size_t before = server.recorder.count;
    EXPECT_EQ(client.transport->send(good, Conversation::kAgent, bytes_of("still")),
              SendResult::kSent);
    ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.count == before + 1; }));
  }
  EXPECT_TRUE(client.recorder.down.empty());
}

TEST(Tcp, RefusesWhatDoesNotSpeakItsProtocolAtTheFirstWrongByte) {
  auto reactor = make_reactor();
  Side server(*reactor);
  const Address address = server.listen();
  for (const std::string_view start : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "TEPX", "T E"}) {
    server.recorder.down.clear();
    Peer peer(address);
    peer.write(start);
    ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.down.empty(); })) << start;
    EXPECT_THAT(server.recorder.down.begin()->second, HasSubstr("does not speak our protocol"));
    ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->links() == 0; }));
    EXPECT_EQ(peer.read_all(), "");
  }
  EXPECT_EQ(server.transport->stats().peers_foreign, 4u);
}

TEST(Tcp, GivesUpOnAPeerThatNeverReadsItsGoodbye) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Peer peer(server.listen());
  ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.up.empty(); }));
  server.transport->close_all("ending");
  // The peer neither reads nor closes.
  ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->links() == 0; }));
}

TEST(Tcp, ClosesALinkWhoseQueueOverflows) {
  auto reactor = make_reactor();
  Side server(*reactor);
  const Address address = server.listen();
  Peer slow(address);
  Peer other(address);
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.up.size() == 2; }));
  const std::string payload(8 << 20, 'p');
  SendResult result = SendResult::kSent;
  for (int i = 0; i < 40 && result != SendResult::kClosed; ++i) {
    result = server.transport->send(server.recorder.up[0], Conversation::kAgent, bytes_of(payload));
    reactor->run_once(reactor->now().mono);
  }
  EXPECT_EQ(result, SendResult::kClosed);
  ASSERT_TRUE(run_until(*reactor, [&] { return server.recorder.down.size() == 1; }));
  EXPECT_THAT(server.recorder.down[server.recorder.up[0]], HasSubstr("reads too slowly"));
  EXPECT_EQ(server.transport->stats().queues_overflowed, 1u);
  EXPECT_EQ(server.transport->send(server.recorder.up[1], Conversation::kAgent, {}),
            SendResult::kSent);
}

TEST(Tcp, AsksASilentPeerAndDropsADeadOne) {
  HandClock clock;
  auto reactor = Reactor::create({.clock = &clock}).value();
  Side server(*reactor);
  const Address address = server.listen();
  Peer dead(address);
  Side alive(*reactor);
  alive.transport->connect(to_text(address));
  while (server.recorder.up.size() < 2 || alive.recorder.up.empty()) {
    reactor->run_once(clock.value.mono);
  }
  const auto pass = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += 500ms) {
      clock.value.mono += 500ms;
      // What one side sends, the other has some turns to hear.
      for (int i = 0; i < 20; ++i) reactor->run_once(clock.value.mono);
    }
  };
  pass(limits::kLinkIdlePing - 1s);
  EXPECT_EQ(dead.read_now(), "");
  pass(2s);
  FrameParser parser;
  const std::string asked = dead.read_now();
  parser.feed(bytes_of(asked));
  const auto ping = parser.next();
  ASSERT_TRUE(ping.has_value() && ping->has_value());
  EXPECT_EQ((*ping)->header.flags, kFramePing);
  EXPECT_TRUE(server.recorder.down.empty());
  pass(limits::kLinkDead - limits::kLinkIdlePing);
  ASSERT_EQ(server.recorder.down.size(), 1u);
  EXPECT_THAT(server.recorder.down.begin()->second, HasSubstr("has been silent for 15 s"));
  pass(5 * limits::kLinkDead);
  EXPECT_EQ(server.recorder.down.size(), 1u);
  EXPECT_TRUE(alive.recorder.down.empty());
  EXPECT_EQ(server.recorder.count, 0u) << "control frames are the link's own";
}

TEST(Tcp, BlamesNobodyForSilenceWhileItWasStoppedItself) {
  HandClock clock;
  auto reactor = Reactor::create({.clock = &clock}).value();
  Side server(*reactor);
  Peer peer(server.listen());
  while (server.recorder.up.empty()) reactor->run_once(clock.value.mono);
  clock.value.mono += 10min;
  for (int i = 0; i < 5; ++i) reactor->run_once(clock.value.mono);
  EXPECT_TRUE(server.recorder.down.empty());
}

}  // namespace
}  // namespace tepui
