#include "common/io/connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/limits.h"
#include "tests/common/io/loop.h"
#include "tests/common/io/tcp_peer.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::HandClock;
using test::Side;
using testing::HasSubstr;

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
