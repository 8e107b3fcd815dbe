#include "common/io/tcp.h"

#include <utility>

#include "common/check.h"

namespace tepui {

namespace {
// How late a ping or a drop may be.
constexpr Duration kSweepInterval = limits::kLinkIdlePing / 5;

uint32_t index_of(LinkId link) { return static_cast<uint32_t>(link.value) - 1; }
uint32_t generation_of(LinkId link) { return static_cast<uint32_t>(link.value >> 32); }
}  // namespace

Result<std::unique_ptr<TcpTransport>> TcpTransport::create(Reactor& reactor, LinkHandler& handler) {
  return create(reactor, handler, Options{});
}

Result<std::unique_ptr<TcpTransport>> TcpTransport::create(Reactor& reactor, LinkHandler& handler,
                                                           Options options) {
  std::unique_ptr<ReceiveBuffers> buffers = TRY(ReceiveBuffers::create(reactor, options.buffers));
  return std::unique_ptr<TcpTransport>(
      new TcpTransport(reactor, handler, options, std::move(buffers)));
}

TcpTransport::TcpTransport(Reactor& reactor, LinkHandler& handler, Options options,
                           std::unique_ptr<ReceiveBuffers> buffers)
    : reactor_(reactor),
      handler_(handler),
      options_(options),
      buffers_(std::move(buffers)),
      shared_{.reactor = reactor,
              .buffers = *buffers_,
              .handler = handler,
              .owner = *this,
              .stats = stats_} {
  sweep_due_ = later(reactor.now().mono, kSweepInterval);
  reactor.set(sweep_, sweep_due_);
}

TcpTransport::~TcpTransport() = default;

Result<Address> TcpTransport::listen(const Address& address) {
  listeners_.push_back(TRY(TcpListener::create(reactor_, *this, address)));
  return listeners_.back()->address();
}

TcpLink& TcpTransport::add() {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  const LinkId id{(uint64_t{slot.generation} << 32) | (index + 1)};
  slot.link = std::make_unique<TcpLink>(shared_, id);
  ++live_;
  return *slot.link;
}

TcpLink* TcpTransport::find(LinkId link) {
  const uint32_t index = index_of(link);
  if (index >= slots_.size() || slots_[index].generation != generation_of(link)) return nullptr;
  return slots_[index].link.get();
}

LinkId TcpTransport::connect(std::string_view address) {
  TcpLink& link = add();
  link.connect(address);
  return link.id();
}

LinkId TcpTransport::adopt(Fd socket, std::vector<std::byte> received) {
  TcpLink& link = add();
  link.adopt(std::move(socket), std::move(received));
  return link.id();
}

SendResult TcpTransport::send(LinkId link, Conversation conversation,
                              std::span<const std::byte> payload) {
  TcpLink* found = find(link);
  return found == nullptr ? SendResult::kClosed : found->send(conversation, payload);
}

void TcpTransport::close(LinkId link, std::string_view why) {
  if (TcpLink* found = find(link); found != nullptr) found->close(why);
}

void TcpTransport::close_all(std::string_view why) {
  stop_listening();
  for (Slot& slot : slots_) {
    if (slot.link != nullptr) slot.link->close(why);
  }
}

void TcpTransport::cut_all(std::string_view why) {
  for (Slot& slot : slots_) {
    if (slot.link != nullptr) slot.link->cut(why);
  }
}

void TcpTransport::release(LinkId link, ReleaseClient& client) {
  TcpLink* found = find(link);
  CHECK(found != nullptr);
  found->release(client);
}

void TcpTransport::on_accepted(Fd socket) {
  if (live_ >= options_.links_max) {
    ++stats_.accepts_failed;
    return reactor_.close(std::move(socket));
  }
  add().accept(std::move(socket));
}

void TcpTransport::on_accept_failed(int) { ++stats_.accepts_failed; }

void TcpTransport::on_ended(TcpLink& link, std::string_view why) {
  ended_.push_back({.link = link.id(), .why = std::string(why)});
  reactor_.next_turn(tell_);
}

void TcpTransport::on_finished(TcpLink& link) {
  finished_.push_back(link.id());
  reactor_.next_turn(tell_);
}

void TcpTransport::tell() {
  // The handler may end more links; they are told in the next turn.
  std::vector<Ended> ended;
  std::vector<LinkId> finished;
  ended.swap(ended_);
  finished.swap(finished_);
  for (const Ended& each : ended) handler_.on_link_down(each.link, each.why);
  for (const LinkId link : finished) {
    Slot& slot = slots_[index_of(link)];
    CHECK(slot.generation == generation_of(link));
    slot.link.reset();
    ++slot.generation;
    free_.push_back(index_of(link));
    --live_;
  }
}

void TcpTransport::sweep() {
  const Instant now = reactor_.now().mono;
  // Very late: this process was stopped or starved, and has not listened. Nobody is to blame.
  const bool stopped = now - sweep_due_ > limits::kLinkIdlePing;
  for (Slot& slot : slots_) {
    if (slot.link == nullptr) continue;
    if (stopped) slot.link->forgive_silence();
    slot.link->check_silence();
  }
  sweep_due_ = later(now, kSweepInterval);
  reactor_.set(sweep_, sweep_due_);
}

}  // namespace tepui
