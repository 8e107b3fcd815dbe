#include "agent/shell/probes.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <string>
#include <string_view>
#include <thread>

#include "agent/shell/http_status.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using test::make_reactor;
using test::run_until;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(HttpStatus, IsFoundInPiecesOfAnySize) {
  const std::string_view response = "HTTP/1.1 503 Busy\r\nServer: x\r\n\r\nbody";
  for (size_t piece = 1; piece <= response.size(); ++piece) {
    HttpStatus status;
    std::optional<int32_t> found;
    for (size_t at = 0; at < response.size() && !found; at += piece) {
      const auto fed = status.feed(bytes_of(response.substr(at, piece)));
      ASSERT_TRUE(fed.has_value());
      found = *fed;
    }
    EXPECT_EQ(found, 503);
  }
}

TEST(HttpStatus, OfWhatIsNoResponseIsAnError) {
  HttpStatus status;
  EXPECT_FALSE(status.feed(bytes_of("SSH-2.0-OpenSSH_9.2\r\n")).has_value());
}

// Listens on a port of its own; answers one connection with `answer` on a thread.
class Server {
 public:
  explicit Server(std::string answer) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_, 1), 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = accept(socket_, nullptr, nullptr);
      char byte = 0;
      while (!request_.ends_with("\r\n\r\n") && read(peer, &byte, 1) == 1) request_ += byte;
      EXPECT_EQ(write(peer, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
      close(peer);
    });
  }
  ~Server() { close(socket_); }
  std::string request() {
    thread_.join();
    return request_;
  }
  uint32_t port() const { return port_; }

 private:
  int socket_ = -1;
  uint32_t port_ = 0;
  std::string request_;
  std::thread thread_;
};

// A port that nobody listens on: it was free a moment ago.
uint32_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  close(socket);
  return ntohs(address.sin_port);
}

struct Seen final : ProbesOwner {
  std::map<uint64_t, std::optional<int32_t>> values;
  void on_probed(uint64_t id, std::optional<int32_t> value) override { values[id] = value; }
};

struct Bench {
  std::unique_ptr<Reactor> reactor = make_reactor();
  Seen seen;
  Probes probes{*reactor, seen};

  std::optional<int32_t> probe(const CheckInfo& check) {
    probes.start(7, check);
    EXPECT_TRUE(run_until(*reactor, [this] { return seen.values.contains(7); }));
    EXPECT_EQ(probes.size(), 0u);
    return seen.values[7];
  }
};

TEST(Probes, OfHttpTellTheStatusCode) {
  Server server("HTTP/1.1 204 No Content\r\n\r\n");
  Bench bench;
  EXPECT_EQ(bench.probe({.type = CheckInfo::Type::kHttp, .port = server.port(), .path = "/up?a=1"}),
            204);
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("GET /up?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
}

TEST(Probes, OfHttpSeeNothingWhereNoHttpIsSpoken) {
  Server server("hello\r\n");
  Bench bench;
  const CheckInfo check{.type = CheckInfo::Type::kHttp, .port = server.port()};
  EXPECT_EQ(bench.probe(check), std::nullopt);
  EXPECT_TRUE(server.request().starts_with("GET / HTTP/1.1\r\n"));
  Bench closed;
  EXPECT_EQ(closed.probe({.type = CheckInfo::Type::kHttp, .port = free_port()}), std::nullopt);
}

TEST(Probes, OfTcpTellWhetherSomebodyListens) {
  Bench bench;
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(socket, 1), 0);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  const uint32_t port = ntohs(address.sin_port);
  EXPECT_EQ(bench.probe({.type = CheckInfo::Type::kTcp, .port = port}), 1);
  close(socket);
  Bench closed;
  EXPECT_EQ(closed.probe({.type = CheckInfo::Type::kTcp, .port = free_port()}), 0);
}

TEST(Probes, ThatWereEndedTellNothing) {
  Bench bench;
  bench.probes.start(1, {.type = CheckInfo::Type::kTcp, .port = free_port()});
  bench.probes.end(1);
  bench.probes.start(2, {.type = CheckInfo::Type::kTcp, .port = free_port()});
  ASSERT_TRUE(run_until(*bench.reactor, [&] { return bench.seen.values.contains(2); }));
  EXPECT_FALSE(bench.seen.values.contains(1));
}

}  // namespace
}  // namespace tepui
