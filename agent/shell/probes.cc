#include "agent/shell/probes.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "agent/shell/http_status.h"
#include "common/io/address.h"
#include "common/io/fd.h"

namespace tepui {

namespace {
// A header longer than this is not that of an honest answer to a check.
constexpr size_t kHeaderBytesMax = 64 << 10;
}  // namespace

class Probes::Probe {
 public:
  Probe(Probes& all, uint64_t id, const CheckInfo& check) : all_(all), id_(id), check_(check) {
    address_ = parse_address(fmt::format("127.0.0.1:{}", check.port)).value();
    socket_ = Fd(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket_) {
      all_.reactor_.connect(connect_, socket_.get(), address_.get(), address_.size());
    } else {
      all_.finish(id_, std::nullopt);
    }
  }

 private:
  void on_connected(const Completion& completion) {
    const bool connected = completion.result == 0;
    if (check_.type == CheckInfo::Type::kTcp) return all_.finish(id_, connected ? 1 : 0);
    if (!connected) return all_.finish(id_, std::nullopt);
    request_ = fmt::format(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: tepui\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n",
        check_.path.empty() ? "/" : check_.path, check_.port);
    send();
  }

  void send() {
    all_.reactor_.send(send_, socket_.get(), std::as_bytes(std::span(request_)).subspan(sent_));
  }

  void on_sent(const Completion& completion) {
    if (completion.result <= 0) return all_.finish(id_, std::nullopt);
    sent_ += static_cast<size_t>(completion.result);
    sent_ < request_.size() ? send() : receive();
  }

  void receive() { all_.reactor_.read(read_, socket_.get(), buffer_, -1); }

  void on_received(const Completion& completion) {
    if (completion.result <= 0) return all_.finish(id_, std::nullopt);
    const auto count = static_cast<size_t>(completion.result);
    received_ += count;
    const auto status = response_.feed(std::span(buffer_).first(count));
    if (!status.has_value() || received_ > kHeaderBytesMax) {
      return all_.finish(id_, std::nullopt);
    }
    if (status->has_value()) return all_.finish(id_, **status);
    receive();
  }

  Probes& all_;
  const uint64_t id_;
  const CheckInfo check_;
  Address address_;
  std::string request_;
  size_t sent_ = 0;
  size_t received_ = 0;
  HttpStatus response_;
  Fd socket_;
  std::array<std::byte, 4096> buffer_;
  Op<&Probe::on_connected> connect_{*this};
  Op<&Probe::on_sent> send_{*this};
  Op<&Probe::on_received> read_{*this};
};

Probes::Probes(Reactor& reactor, ProbesOwner& owner) : reactor_(reactor), owner_(owner) {}

Probes::~Probes() = default;

void Probes::start(uint64_t id, const CheckInfo& check) {
  probes_.emplace(id, nullptr).first->second = std::make_unique<Probe>(*this, id, check);
}

void Probes::end(uint64_t id) {
  probes_.erase(id);
  std::erase_if(done_, [id](const Done& done) { return done.id == id; });
}

void Probes::finish(uint64_t id, std::optional<int32_t> value) {
  done_.push_back({.id = id, .value = value});
  reactor_.next_turn(tell_);
}

void Probes::tell() {
  for (const Done& done : std::exchange(done_, {})) {
    if (probes_.erase(done.id) > 0) owner_.on_probed(done.id, done.value);
  }
}

}  // namespace tepui
