#include "agent/shell/http_server.h"

#include <fmt/format.h>
#include <http_parser.h>

#include <array>
#include <span>
#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

class HttpServer::Connection {
 public:
  Connection(HttpServer& server, uint64_t id, Fd socket)
      : server_(server), id_(id), socket_(std::move(socket)) {
    http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
  }

  void start(const std::vector<std::byte>& received) {
    server_.reactor_.set(timeout_, later(server_.reactor_.now().mono, limits::kHttpTimeout));
    take(received);
  }

  void answer(int status, std::string_view body) {
    if (send_.active() || !out_.empty()) return;
    out_ = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n{}",
        status, reason_of(status), body.size(), body);
    send();
  }

 private:
  void take(std::span<const std::byte> bytes) {
    http_parser_settings settings{};
    settings.on_url = [](http_parser* parser, const char* at, size_t length) {
      static_cast<Connection*>(parser->data)->target_.append(at, length);
      return 0;
    };
    settings.on_headers_complete = [](http_parser* parser) {
      static_cast<Connection*>(parser->data)->whole_ = true;
      return 1;  // a body is nothing that is waited for
    };
    received_ += bytes.size();
    http_parser_execute(&parser_, &settings, reinterpret_cast<const char*>(bytes.data()),
                        bytes.size());
    if (whole_ && parser_.method != HTTP_GET) {
      return answer(405, R"({"error": "only GET is served"})");
    }
    if (whole_) return server_.owner_.on_get(id_, target_);
    if (HTTP_PARSER_ERRNO(&parser_) != HPE_OK || received_ > limits::kHttpRequestBytesMax) {
      return answer(400, R"({"error": "this is no HTTP request that is served here"})");
    }
    server_.reactor_.read(receive_, socket_.get(), std::as_writable_bytes(std::span(in_)), -1);
  }

  void on_received(const Completion& completion) {
    if (completion.result <= 0) return server_.end_later(id_);
    take(std::as_bytes(std::span(in_)).first(static_cast<size_t>(completion.result)));
  }

  void send() {
    server_.reactor_.send(send_, socket_.get(), std::as_bytes(std::span(out_)).subspan(sent_));
  }

  void on_sent(const Completion& completion) {
    if (completion.result <= 0) return server_.end_later(id_);
    sent_ += static_cast<size_t>(completion.result);
    if (sent_ < out_.size()) return send();
    server_.end_later(id_);
  }

  void on_timeout() { server_.end_later(id_); }

  HttpServer& server_;
  const uint64_t id_;
  Fd socket_;
  http_parser parser_{};
  std::string target_;
  bool whole_ = false;
  size_t received_ = 0;
  size_t sent_ = 0;
  std::array<char, 2048> in_{};
  std::string out_;
  Op<&Connection::on_received> receive_{*this};
  Op<&Connection::on_sent> send_{*this};
  Timer<&Connection::on_timeout> timeout_{*this};
};

HttpServer::HttpServer(Reactor& reactor, HttpServerOwner& owner)
    : reactor_(reactor), owner_(owner) {}

HttpServer::~HttpServer() = default;

void HttpServer::adopt(Fd socket, const std::vector<std::byte>& received) {
  if (connections_.size() >= limits::kHttpConnectionsMax) return reactor_.close(std::move(socket));
  const uint64_t id = next_++;
  const auto [added, is_new] =
      connections_.emplace(id, std::make_unique<Connection>(*this, id, std::move(socket)));
  added->second->start(received);
}

void HttpServer::answer(uint64_t request, int status, std::string body) {
  const auto found = connections_.find(request);
  if (found != connections_.end()) found->second->answer(status, body);
}

void HttpServer::end_later(uint64_t id) {
  ended_.push_back(id);
  reactor_.next_turn(sweep_);
}

void HttpServer::sweep() {
  for (const uint64_t id : std::exchange(ended_, {})) connections_.erase(id);
}

}  // namespace tepui
