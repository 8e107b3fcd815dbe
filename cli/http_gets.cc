#include "cli/http_gets.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include "common/io/address.h"
#include "common/io/fd.h"

namespace tepui::cli {

namespace {

// An agent with all its containers, and a history of each, says less.
constexpr size_t kAnswerBytesMax = size_t{256} << 20;
constexpr size_t kPieceBytes = 64 << 10;

}  // namespace

class HttpGets::Get {
 public:
  Get(HttpGets& gets, const HttpGet& what)
      : gets_(gets),
        address_text_(what.address),
        out_(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", what.target,
                         what.address)),
        in_(kPieceBytes) {}

  void start() {
    const Result<Address> address = resolve_address(address_text_);
    if (!address) return end(fail(address.error().message));
    address_ = *address;
    socket_ = Fd(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return end(fail(fmt::format("cannot create a socket: {}", strerror(errno))));
    gets_.reactor_.connect(connect_, socket_.get(), address_.get(), address_.size());
  }

  bool ended() const { return answer_.has_value(); }
  void give_up(std::string_view why) {
    if (!ended()) answer_ = fail(std::string(why));
  }
  Result<std::string> take() { return *std::move(answer_); }

 private:
  void end(Result<std::string> answer) {
    if (ended()) return;
    answer_ = std::move(answer);
    gets_.on_ended();
  }

  bool failed(const Completion& completion, const char* what) {
    if (ended()) return true;
    if (completion.result >= 0) return false;
    end(fail(fmt::format("cannot {}: {}", what, strerror(-completion.result))));
    return true;
  }

  void on_connected(const Completion& completion) {
    if (failed(completion, "connect")) return;
    send();
  }
  void send() {
    gets_.reactor_.send(send_, socket_.get(), std::as_bytes(std::span(out_)).subspan(sent_));
  }
  void on_sent(const Completion& completion) {
    if (failed(completion, "send")) return;
    sent_ += static_cast<size_t>(completion.result);
    if (sent_ < out_.size()) return send();
    receive();
  }
  void receive() {
    gets_.reactor_.read(receive_, socket_.get(), std::as_writable_bytes(std::span(in_)), -1);
  }
  void on_received(const Completion& completion) {
    if (failed(completion, "receive")) return;
    if (completion.result == 0) return end(http_body(received_));
    received_.append(in_.data(), static_cast<size_t>(completion.result));
    if (received_.size() > kAnswerBytesMax) return end(fail("the answer is too long"));
    receive();
  }

  HttpGets& gets_;
  const std::string address_text_;
  const std::string out_;
  std::vector<char> in_;
  Address address_;
  Fd socket_;
  size_t sent_ = 0;
  std::string received_;
  std::optional<Result<std::string>> answer_;
  Op<&Get::on_connected> connect_{*this};
  Op<&Get::on_sent> send_{*this};
  Op<&Get::on_received> receive_{*this};
};

HttpGets::HttpGets(Reactor& reactor, HttpGetsOwner& owner) : reactor_(reactor), owner_(owner) {}

HttpGets::~HttpGets() = default;

void HttpGets::start(const std::vector<HttpGet>& gets, Duration timeout) {
  gets_.clear();
  open_ = gets.size();
  reactor_.set(timeout_, later(reactor_.now().mono, timeout));
  for (const HttpGet& get : gets) gets_.push_back(std::make_unique<Get>(*this, get));
  for (const auto& get : gets_) get->start();
  if (gets.empty()) reactor_.next_turn(done_);
}

void HttpGets::on_ended() {
  if (--open_ == 0) reactor_.next_turn(done_);
}

void HttpGets::on_timeout() {
  for (const auto& get : gets_) get->give_up("it does not answer in time");
  open_ = 0;
  reactor_.next_turn(done_);
}

void HttpGets::on_done() {
  reactor_.cancel(timeout_);
  std::vector<Result<std::string>> answers;
  for (const auto& get : gets_) answers.push_back(get->take());
  gets_.clear();
  owner_.on_answers(std::move(answers));
}

Result<std::string> http_body(std::string_view answer) {
  const size_t head_end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || head_end == std::string_view::npos) {
    return fail("the answer is no HTTP");
  }
  const std::string_view head = answer.substr(0, head_end + 2);
  const std::string_view body = answer.substr(head_end + 4);
  const std::string_view status = head.substr(0, head.find("\r\n"));
  if (!status.substr(8).starts_with(" 200")) {
    return fail(fmt::format("the answer is '{}': {}", status, body.substr(0, 200)));
  }
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t at = head.find(kLength);
  size_t length = 0;
  const char* end = head.data() + head.size();
  if (at == std::string_view::npos ||
      std::from_chars(head.data() + at + kLength.size(), end, length).ec != std::errc()) {
    return fail("the answer has no length");
  }
  if (body.size() != length) {
    return fail(fmt::format("the answer ends after {} of {} bytes", body.size(), length));
  }
  return std::string(body);
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace tepui::cli
