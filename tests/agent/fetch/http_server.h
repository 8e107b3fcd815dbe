#pragma once
// A small HTTP server on loopback that says exactly what a test wants, also what no server should.
// Each connection serves one request on a thread of its own.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/io/fd.h"

namespace tepui {

inline std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
inline std::string redirect(const std::string& location) {
  return "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + location +
         "\r\n\r\n";
}

class TestServer {
 public:
  TestServer() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), end_(eventfd(0, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_.get(), 64), 0);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~TestServer() {
    eventfd_write(end_.get(), 1);
    accepting_.join();
    for (std::thread& thread : serving_) thread.join();
  }

  // The bytes of the answer, its head included.
  void answers(const std::string& path, std::string bytes) {
    const std::lock_guard lock(mutex_);
    answers_[path] = {.bytes = std::move(bytes)};
  }
  // These bytes, and then nothing until the server ends.
  void stalls(const std::string& path, std::string bytes) {
    const std::lock_guard lock(mutex_);
    answers_[path] = {.bytes = std::move(bytes), .stalls = true};
  }
  // Nothing before release().
  void holds(const std::string& path, std::string bytes) {
    const std::lock_guard lock(mutex_);
    answers_[path] = {.bytes = std::move(bytes), .held = true};
  }
  void release(const std::string& path) {
    {
      const std::lock_guard lock(mutex_);
      answers_[path].held = false;
    }
    changed_.notify_all();
  }
  void wait_for_request(const std::string& path) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_[path] > 0; });
  }
  int requests(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return requests_[path];
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  struct Answer {
    std::string bytes;
    bool stalls = false;
    bool held = false;
  };

  bool readable(int fd) const {
    pollfd waits[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                      {.fd = end_.get(), .events = POLLIN, .revents = 0}};
    poll(waits, 2, -1);
    return (waits[1].revents & POLLIN) == 0;
  }

  void accept_all() {
    while (readable(socket_.get())) {
      const int peer = accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (peer >= 0) serving_.emplace_back([this, peer] { serve(Fd(peer)); });
    }
  }

  void serve(Fd peer) {
    std::string head;
    char bytes[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      if (!readable(peer.get())) return;
      const ssize_t count = read(peer.get(), bytes, sizeof bytes);
      if (count <= 0) return;
      head.append(bytes, static_cast<size_t>(count));
    }
    const size_t path_at = head.find(' ') + 1;
    const std::string path = head.substr(path_at, head.find(' ', path_at) - path_at);
    std::unique_lock lock(mutex_);
    ++requests_[path];
    changed_.notify_all();
    changed_.wait(lock, [&] { return !answers_[path].held; });
    const Answer answer = answers_[path];
    lock.unlock();
    std::string_view rest = answer.bytes;
    while (!rest.empty()) {
      const ssize_t count = send(peer.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      rest.remove_prefix(static_cast<size_t>(count));
    }
    // A client that has gone away is readable too.
    if (answer.stalls && readable(peer.get())) readable(-1);
  }

  const Fd socket_;
  const Fd end_;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, int> requests_;
  std::thread accepting_;
  std::vector<std::thread> serving_;
};

}  // namespace tepui
