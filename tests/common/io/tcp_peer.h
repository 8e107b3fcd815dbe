#pragma once
// Both ends of a connection for tests of the tcp transport: a transport with a handler that
// remembers everything, and a peer that is a plain blocking socket written to by hand.

#include <errno.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/socket.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/frame.h"
#include "common/io/tcp.h"
#include "tests/common/io/loop.h"

namespace tepui::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
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
inline std::string frame(uint32_t sequence, std::string_view payload,
                         FrameHeader header = {.type = 1}) {
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

class HandClock final : public Clock {
 public:
  Now read() override { return value; }
  Now value{.mono = Instant(std::chrono::hours(1)), .wall = WallTime(std::chrono::hours(1))};
};

}  // namespace tepui::test
