#pragma once
// HttpServer answers GET on connections that somebody else accepted: one request and one answer
// each, then it closes.
//
// Bounded in connections, in the bytes of a request and in time; what is beyond the first is closed
// at once, what breaks the others too. A request that cannot be understood, or is no GET, is
// answered here.
//
// One thread, the loop's.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/fd.h"
#include "common/io/reactor.h"

namespace tepui {

class HttpServerOwner {
 public:
  virtual ~HttpServerOwner() = default;
  // `target` is path and query as they were sent. answer() follows, now or in a later turn.
  virtual void on_get(uint64_t request, std::string_view target) = 0;
};

class HttpServer {
 public:
  HttpServer(Reactor& reactor, HttpServerOwner& owner);
  ~HttpServer();

  // `received`: what the peer has sent already.
  void adopt(Fd socket, const std::vector<std::byte>& received);
  // As JSON. Nothing happens if the peer is gone.
  void answer(uint64_t request, int status, std::string body);

 private:
  class Connection;

  void end_later(uint64_t id);
  void sweep();

  Reactor& reactor_;
  HttpServerOwner& owner_;
  uint64_t next_ = 1;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<uint64_t> ended_;
  Later<&HttpServer::sweep> sweep_{*this};
};

}  // namespace tepui
