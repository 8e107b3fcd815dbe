// How fast the reactor with its tcp transport answers small frames, against the plain way to write
// such a server: one epoll loop of read, parse, write. Both parse and build the same frames of 64
// bytes, both have a thread of their own, and the same client asks both: a blocking socket that
// keeps 1 or 64 frames in flight.

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/frame.h"
#include "common/io/address.h"
#include "common/io/clock.h"
#include "common/io/fd.h"
#include "common/io/tcp.h"
#include "perf/report.h"

namespace tepui {
namespace {

constexpr size_t kPayloadBytes = 64 - sizeof(FrameHeader);

void append_frame(std::vector<std::byte>& out, uint32_t sequence,
                  std::span<const std::byte> payload) {
  const FrameHeader header{.type = static_cast<uint8_t>(Conversation::kAgent),
                           .length = static_cast<uint32_t>(payload.size()),
                           .sequence = sequence};
  const auto head = std::as_bytes(std::span(&header, 1));
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), payload.begin(), payload.end());
  out.resize(out.size() + padded(payload.size()) - payload.size());
}

void send_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    CHECK(sent > 0);
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

void set_no_delay(int socket) {
  const int on = 1;
  CHECK(setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

// Echoes until told to stop, on a thread of its own.
class Server {
 public:
  virtual ~Server() = default;
  Address address() const { return address_; }

 protected:
  void start() {
    thread_ = std::thread([this] { serve(); });
    while (!listening_.load(std::memory_order_acquire)) std::this_thread::yield();
  }
  void stop() {
    stopping_.store(true, std::memory_order_release);
    // A connection wakes a loop that waits.
    const Fd wake(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::connect(wake.get(), address_.get(), address_.size());
    thread_.join();
  }
  void listens_on(const Address& address) {
    address_ = address;
    listening_.store(true, std::memory_order_release);
  }
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

 private:
  virtual void serve() = 0;

  Address address_;
  std::atomic<bool> listening_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class ReactorServer final : public Server, private LinkHandler {
 public:
  ReactorServer() { start(); }
  ~ReactorServer() override { stop(); }

 private:
  void serve() override {
    auto reactor = Reactor::create();
    CHECK(reactor.has_value());
    auto transport = TcpTransport::create(**reactor, *this);
    CHECK(transport.has_value());
    transport_ = transport->get();
    const auto bound = transport_->listen(*parse_address("127.0.0.1:0"));
    CHECK(bound.has_value());
    listens_on(*bound);
    while (!stopping()) (*reactor)->run_once(kNever);
  }

  void on_link_up(LinkId, std::string_view) override {}
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override {
    transport_->send(link, conversation, payload);
  }
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId, std::string_view) override {}

  TcpTransport* transport_ = nullptr;
};

class EpollServer final : public Server {
 public:
  EpollServer() { start(); }
  ~EpollServer() override { stop(); }

 private:
  struct Connection {
    Fd socket;
    FrameParser parser;
    uint32_t sequence = 0;
    std::vector<std::byte> out;
  };

  void serve() override {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address any = *parse_address("127.0.0.1:0");
    CHECK(bind(listener.get(), any.get(), any.size()) == 0);
    CHECK(listen(listener.get(), 16) == 0);
    const Fd poll(epoll_create1(EPOLL_CLOEXEC));
    watch(poll.get(), listener.get(), nullptr);
    listens_on(local_address(listener.get()));
    std::vector<std::unique_ptr<Connection>> connections;
    epoll_event events[64];
    while (!stopping()) {
      const int count = epoll_wait(poll.get(), events, 64, -1);
      for (int i = 0; i < count; ++i) {
        if (auto* connection = static_cast<Connection*>(events[i].data.ptr)) {
          answer(*connection);
          continue;
        }
        connections.push_back(std::make_unique<Connection>());
        connections.back()->socket = Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        set_no_delay(connections.back()->socket.get());
        watch(poll.get(), connections.back()->socket.get(), connections.back().get());
      }
    }
  }

  static void watch(int poll, int fd, Connection* connection) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    CHECK(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0);
  }

  static void answer(Connection& connection) {
    std::byte part[16384];
    const ssize_t got = ::recv(connection.socket.get(), part, sizeof part, 0);
    if (got <= 0) return connection.socket.reset();
    connection.parser.feed(std::span(part, static_cast<size_t>(got)));
    connection.out.clear();
    while (true) {
      const auto next = connection.parser.next();
      CHECK(next.has_value());
      if (!next->has_value()) break;
      append_frame(connection.out, connection.sequence++, (*next)->payload);
    }
    send_all(connection.socket.get(), connection.out);
  }
};

class Client {
 public:
  explicit Client(const Address& server)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    CHECK(connect(socket_.get(), server.get(), server.size()) == 0);
    set_no_delay(socket_.get());
  }

  // Sends `frames` frames, `window` at a time, and waits for each window's answers.
  void exchange(size_t frames, size_t window) {
    const std::byte payload[kPayloadBytes] = {};
    std::byte part[16384];
    for (size_t done = 0; done < frames; done += window) {
      out_.clear();
      for (size_t i = 0; i < window; ++i) append_frame(out_, sequence_++, payload);
      send_all(socket_.get(), out_);
      for (size_t received = 0; received < out_.size();) {
        const ssize_t got = ::recv(socket_.get(), part, sizeof part, 0);
        CHECK(got > 0);
        received += static_cast<size_t>(got);
      }
    }
  }

 private:
  Fd socket_;
  uint32_t sequence_ = 0;
  std::vector<std::byte> out_;
};

double seconds_of(Client& client, size_t frames, size_t window) {
  const Instant start = now().mono;
  client.exchange(frames, window);
  return to_secs(now().mono - start);
}

constexpr size_t kSingleFrames = 5000;
constexpr size_t kPipelinedFrames = 64 * 3000;
constexpr uint32_t kRounds = 10;

int run() {
  perf::Report report("echo");
  const ReactorServer ours;
  const EpollServer plain;
  Client to_ours(ours.address());
  Client to_plain(plain.address());
  const auto single = [](Client& client) {
    return [&client] { return seconds_of(client, kSingleFrames, 1) / kSingleFrames * 1e6; };
  };
  const auto pipelined = [](Client& client) {
    return [&client] { return kPipelinedFrames / seconds_of(client, kPipelinedFrames, 64); };
  };
  report.compare({.unit = "us", .better = perf::Better::kLower},
                 {.name = "reactor/echo", .measure = single(to_ours)},
                 {.name = "epoll/echo", .measure = single(to_plain)}, kRounds);
  report.compare({.unit = "frames/s", .better = perf::Better::kHigher},
                 {.name = "reactor/echo_pipelined", .measure = pipelined(to_ours)},
                 {.name = "epoll/echo_pipelined", .measure = pipelined(to_plain)}, kRounds);
  return report.finish();
}

}  // namespace
}  // namespace tepui

int main() { return tepui::run(); }
