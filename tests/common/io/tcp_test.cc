// Goal: a link carries whole frames in order, or ends with a reason that is told once, whatever the
// bytes, their sizes, and the moment at which the peer goes.
//
// Method: a transport on a real socket against a peer that is a plain blocking socket written by
// hand (one-byte writes, resets, garbage), and against a second transport. Time is injected where
// silence is tested.

#include "common/io/tcp.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/socket.h>

#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "common/io/connector.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::make_reactor;
using test::run_until;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Remembers everything; a test may add what it does on a frame.
struct Recorder : LinkHandler {
  void on_link_up(LinkId link, std::string_view) override { up.push_back(link); }
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(payload.data()) % kFrameAlign, 0u);
    EXPECT_FALSE(down.contains(link));
    std::string text(reinterpret_cast<const char*>(payload.data()), payload.size());
    received += text.size();
    if (keep) frames[link].emplace_back(conversation, std::move(text));
    ++count;
    if (on_each) on_each(link, payload);
  }
  void on_link_ready(LinkId link) override { ready.push_back(link); }
  void on_link_down(LinkId link, std::string_view why) override {
    EXPECT_TRUE(down.emplace(link, why).second) << "told twice";
  }

  std::vector<LinkId> up;
  std::map<LinkId, std::vector<std::pair<Conversation, std::string>>> frames;
  std::vector<LinkId> ready;
  std::map<LinkId, std::string> down;
  bool keep = true;
  size_t count = 0;
  size_t received = 0;
  std::function<void(LinkId, std::span<const std::byte>)> on_each;
};

struct Side {
  explicit Side(Reactor& reactor, TcpTransport::Options options = {})
      : transport(TcpTransport::create(reactor, recorder, options).value()) {}
  Address listen() { return transport->listen(parse_address("127.0.0.1:0").value()).value(); }

  Recorder recorder;
  std::unique_ptr<TcpTransport> transport;
};

// A stream as a correct peer would send it.
std::string frame(uint32_t sequence, std::string_view payload, FrameHeader header = {.type = 1}) {
  header.length = static_cast<uint32_t>(payload.size());
  header.sequence = sequence;
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  text += payload;
  text.resize(sizeof header + padded(payload.size()));
  return text;
}

// A peer made by hand.
class Peer {
 public:
  explicit Peer(const Address& address)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(::connect(socket_.get(), address.get(), address.size()), 0) << strerror(errno);
  }
  void write(std::string_view text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  // What has come and what still comes, up to the end of the stream.
  std::string read_all() {
    std::string text;
    char part[4096];
    ssize_t got = 0;
    while ((got = ::recv(socket_.get(), part, sizeof part, 0)) > 0) text.append(part, size_t(got));
    return text;
  }
  std::string read_now() {
    char part[65536];
    const ssize_t got = ::recv(socket_.get(), part, sizeof part, MSG_DONTWAIT);
    return got > 0 ? std::string(part, size_t(got)) : std::string();
  }
  void finish() { ::shutdown(socket_.get(), SHUT_WR); }
  void hang_up() { socket_.reset(); }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket_.reset();
  }
  Fd take() { return std::move(socket_); }

 private:
  Fd socket_;
};

TEST(Address, ReadsWhatItShowsAndSaysWhatIsWrong) {
  for (const char* text : {"127.0.0.1:5050", "0.0.0.0:0", "[::1]:65535"}) {
    EXPECT_EQ(to_text(parse_address(text).value()), text);
  }
  EXPECT_EQ(to_text(parse_address("localhost:5050").value()), "127.0.0.1:5050");
  EXPECT_TRUE(parse_address("127.9.9.9:1")->is_loopback());
  EXPECT_TRUE(parse_address("[::1]:1")->is_loopback());
  EXPECT_FALSE(parse_address("10.0.0.1:1")->is_loopback());
  for (const char* text : {"", "5050", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", ":5050",
                           "127.0.0.1:50x", "::1:5050", "300.0.0.1:1", "master:5050", "[]:1"}) {
    const auto refused = parse_address(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_THAT(refused.error().message, HasSubstr("expected one like 127.0.0.1:5050"));
  }
  EXPECT_EQ(to_text(resolve_address("localhost:1").value()), "127.0.0.1:1");
  EXPECT_FALSE(resolve_address("no-such-host.invalid:1").has_value());
}

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

// Both ways for a peer to go, at every byte of a stream of three frames: the frames that were whole
// before an orderly end have come, nothing else has, the link is down once, and the next connection
// works.
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

// A small socket buffer makes every send short; the peer reads a byte at a time for a while.
TEST(Tcp, SendsWholeFramesThroughShortWrites) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Peer peer(server.listen());
  ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.up.empty(); }));
  std::string payload(300000, 'p');
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 31);
  for (int i = 0; i < 5; ++i) {
    server.transport->send(server.recorder.up[0], Conversation::kAgent, bytes_of(payload));
  }
  Fd raw = peer.take();
  std::string received;
  const size_t all = 5 * (16 + padded(payload.size()));
  ASSERT_TRUE(run_until(*reactor, [&] {
    char part[4096];
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

TEST(Tcp, GivesUpOnAPeerThatNeverReadsItsGoodbye) {
  auto reactor = make_reactor();
  Side server(*reactor);
  Peer peer(server.listen());
  ASSERT_TRUE(run_until(*reactor, [&] { return !server.recorder.up.empty(); }));
  server.transport->close_all("ending");
  // The peer neither reads nor closes.
  ASSERT_TRUE(run_until(*reactor, [&] { return server.transport->links() == 0; }));
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

class HandClock final : public Clock {
 public:
  Now read() override { return value; }
  Now value{.mono = Instant(1h), .wall = WallTime(1h)};
};

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

struct Caller : ConnectorOwner {
  void on_connected(LinkId) override { ++connected; }
  void on_disconnected(LinkId, std::string_view why) override { reasons.emplace_back(why); }
  int connected = 0;
  std::vector<std::string> reasons;
};

struct Forwarder : LinkHandler {
  void on_link_up(LinkId link, std::string_view) override {
    EXPECT_TRUE(connector->on_link_up(link));
  }
  void on_frame(LinkId, Conversation, std::span<const std::byte>) override {}
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override {
    connector->on_link_down(link, why);
  }
  Connector* connector = nullptr;
};

TEST(Connector, ComesBackAfterEveryLossWithGrowingWaits) {
  HandClock clock;
  auto reactor = Reactor::create({.clock = &clock}).value();
  Forwarder forwarder;
  auto transport = TcpTransport::create(*reactor, forwarder).value();
  Caller caller;
  Connector connector(*reactor, *transport, caller, Rng(7));
  forwarder.connector = &connector;
  Address address;
  {
    Side gone(*reactor);
    address = gone.listen();
  }
  connector.start(to_text(address));
  Instant before = clock.value.mono;
  std::vector<Duration> waits;
  for (size_t attempt = 1; attempt <= 12; ++attempt) {
    const Instant limit = later(clock.value.mono, limits::kConnectBackoffMax + 1s);
    while (caller.reasons.size() < attempt) {
      reactor->run_once(clock.value.mono);
      if (connector.link() == LinkId{}) clock.value.mono += 5ms;
      ASSERT_LT(clock.value.mono, limit);
    }
    waits.push_back(clock.value.mono - before);
    before = clock.value.mono;
  }
  EXPECT_LE(waits[1], limits::kConnectBackoffMin + 10ms);
  EXPECT_GE(waits[11], limits::kConnectBackoffMax / 4);
  EXPECT_LE(waits[11], limits::kConnectBackoffMax + 10ms);
  EXPECT_THAT(caller.reasons[0], HasSubstr("Connection refused"));

  Side server(*reactor);
  ASSERT_TRUE(server.transport->listen(address).has_value());
  while (caller.connected == 0) {
    reactor->run_once(clock.value.mono);
    clock.value.mono += 5ms;
  }
  EXPECT_TRUE(connector.connected());
  connector.stop("enough");
  for (int i = 0; i < 2000; ++i) {
    clock.value.mono += 10ms;
    reactor->run_once(clock.value.mono);
  }
  EXPECT_EQ(caller.connected, 1);
  EXPECT_EQ(caller.reasons.size(), 12u);
}

}  // namespace
}  // namespace tepui
