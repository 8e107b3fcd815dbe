#include "common/io/tcp_link.h"

#include <errno.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

// Numbers in frame headers are little endian, and are written as they lie in memory.
static_assert(std::endian::native == std::endian::little);

namespace {

// A buffer that grew beyond this for a burst is given back when it is empty.
constexpr size_t kBufferBytesKept = 1 << 20;

void empty(std::vector<std::byte>& buffer) {
  buffer.clear();
  if (buffer.capacity() > kBufferBytesKept) std::vector<std::byte>().swap(buffer);
}

// The peer's words, fit for a log line.
std::string printable(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte each : bytes.first(std::min(bytes.size(), limits::kGoodbyeBytesMax))) {
    const auto byte = static_cast<unsigned char>(each);
    text.push_back(byte < 0x20 || byte == 0x7f ? '?' : static_cast<char>(byte));
  }
  return text;
}

// Of HTTP. Our magic begins with another letter.
bool begins_a_get(std::span<const std::byte> bytes) {
  const auto get = std::as_bytes(std::span("GET ", 4));
  const size_t comparable = std::min(get.size(), bytes.size());
  return comparable > 0 && std::ranges::equal(get.first(comparable), bytes.first(comparable));
}

}  // namespace

void TcpLink::connect(std::string_view address) {
  peer_ = address;
  last_heard_ = shared_.reactor.now().mono;
  auto parsed = parse_address(address);
  if (!parsed) {
    ++shared_.stats.connects_failed;
    end(parsed.error().message);
    return abort();
  }
  address_ = *parsed;
  socket_ = Fd(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) {
    ++shared_.stats.connects_failed;
    end(fmt::format("cannot create a socket: {}", strerror(errno)));
    return abort();
  }
  shared_.reactor.connect(connect_, socket_.get(), address_.get(), address_.size());
}

void TcpLink::accept(Fd socket) {
  socket_ = std::move(socket);
  peer_ = to_text(peer_address(socket_.get()));
  keep_first_ = true;
  open();
}

void TcpLink::adopt(Fd socket, std::vector<std::byte> received) {
  socket_ = std::move(socket);
  peer_ = to_text(peer_address(socket_.get()));
  first_ = std::move(received);
  last_heard_ = shared_.reactor.now().mono;
  shared_.reactor.next_turn(start_);
}

void TcpLink::start_adopted() {
  if (state_ != State::kConnecting) return;
  open();
  if (state_ == State::kOpen) take(std::exchange(first_, {}));
  if (state_ == State::kOpen) deliver();
}

void TcpLink::on_connected(const Completion& completion) {
  if (state_ == State::kClosed) return finish_if_idle();
  if (completion.result < 0) {
    ++shared_.stats.connects_failed;
    end(fmt::format("cannot connect to {}: {}", peer_, strerror(-completion.result)));
    return abort();
  }
  open();
}

void TcpLink::open() {
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  state_ = State::kOpen;
  last_heard_ = shared_.reactor.now().mono;
  ++shared_.stats.links_opened;
  receive();
  if (!filling_.empty()) shared_.reactor.before_submit(flush_);
  shared_.handler.on_link_up(id_, peer_);
}

void TcpLink::receive() { shared_.reactor.receive(receive_, socket_.get(), shared_.buffers); }

void TcpLink::on_received(const Completion& completion) {
  const std::span<const std::byte> bytes = shared_.buffers.view(completion);
  if (!bytes.empty()) {
    shared_.stats.bytes_received += bytes.size();
    last_heard_ = shared_.reactor.now().mono;
    asked_ = false;
    if (state_ == State::kOpen || state_ == State::kReleasing) take(bytes);
  }
  shared_.buffers.give_back(completion);
  if (completion.result == 0) {
    broken_ = "the peer closed the connection";
  } else if (completion.result < 0 && completion.result != -ENOBUFS &&
             completion.result != -ECANCELED && completion.result != -EINTR) {
    broken_ = strerror(-completion.result);
  }
  if (state_ == State::kOpen) {
    if (is_of_agent_) {
      shared_.reactor.when_heard(more_);
    } else {
      deliver();
    }
    limit_backlog();
  }
  on_receive_in_end_state();
}

void TcpLink::on_receive_in_end_state() {
  switch (state_) {
    case State::kConnecting:
    case State::kOpen:
      return;
    case State::kFlushing:
    case State::kDraining:
      if (state_ == State::kDraining && !broken_.empty()) return abort();
      // What still comes is thrown away; the end of the stream is what counts.
      if (!receive_.active() && broken_.empty()) receive();
      return;
    case State::kReleasing:
      if (receive_.active()) return;
      state_ = State::kClosed;
      release_to_->on_link_released(id_, std::move(socket_), std::move(first_));
      return finish_if_idle();
    case State::kClosed:
      return finish_if_idle();
  }
}

void TcpLink::take(std::span<const std::byte> bytes) {
  if (keep_first_) first_.insert(first_.end(), bytes.begin(), bytes.end());
  if (state_ == State::kReleasing) return;
  // The first bytes decide what a connection speaks.
  if (magic_seen_ == 0 && keep_first_ && shared_.http != nullptr && begins_a_get(bytes)) {
    return release(*shared_.http);
  }
  const uint32_t magic = kFrameMagic;
  const auto expected = std::as_bytes(std::span(&magic, 1)).subspan(magic_seen_);
  const size_t comparable = std::min(expected.size(), bytes.size());
  if (!std::ranges::equal(expected.first(comparable), bytes.first(comparable))) {
    ++shared_.stats.peers_foreign;
    end(fmt::format("{} does not speak our protocol: its first bytes are '{}'", peer_,
                    printable(bytes.first(std::min<size_t>(bytes.size(), 16)))));
    return abort();
  }
  magic_seen_ += comparable;
  backlog_bytes_ += bytes.size();
  parser_.feed(bytes);
}

void TcpLink::deliver() {
  if (frames_turn_ != shared_.reactor.turn()) {
    frames_turn_ = shared_.reactor.turn();
    frames_left_ = limits::kFramesPerTurn;
  }
  while (state_ == State::kOpen) {
    if (frames_left_ == 0) return shared_.reactor.when_heard(more_);
    const auto next = parser_.next();
    if (!next) return refuse(next.error());
    if (!next->has_value()) return on_caught_up();
    --frames_left_;
    ++shared_.stats.frames_received;
    const Frame& frame = **next;
    if (frame.header.type == static_cast<uint8_t>(Conversation::kControl)) {
      on_control(frame);
    } else {
      is_of_agent_ = frame.header.type == static_cast<uint8_t>(Conversation::kAgent);
      shared_.handler.on_frame(id_, static_cast<Conversation>(frame.header.type), frame.payload);
    }
    if (keep_first_ && state_ != State::kReleasing) {
      keep_first_ = false;
      std::vector<std::byte>().swap(first_);
    }
    if (shared_.reactor.turn_is_full()) frames_left_ = 0;
  }
}

void TcpLink::on_caught_up() {
  backlog_bytes_ = 0;
  throttled_ = false;
  if (!broken_.empty()) {
    end(broken_);
    return abort();
  }
  if (!receive_.active()) receive();
}

void TcpLink::limit_backlog() {
  if (!more_.is_due() || throttled_ || backlog_bytes_ < limits::kLinkBacklogBytes) return;
  throttled_ = true;
  shared_.reactor.cancel(receive_);
}

void TcpLink::on_control(const Frame& frame) {
  if (frame.header.flags == kFramePing) {
    append(static_cast<uint8_t>(Conversation::kControl), kFramePong, {});
    if (queued() <= limits::kLinkQueueBytesMax) return;
    ++shared_.stats.queues_overflowed;
    end("the peer asks and does not read the answers");
    abort();
  } else if (frame.header.flags == kFrameGoodbye) {
    end(fmt::format("the peer said goodbye: {}", printable(frame.payload)));
    abort();
  }
}

void TcpLink::refuse(FrameError error) {
  ++shared_.stats.refused[static_cast<size_t>(error)];
  const std::string why = fmt::format("refused a frame of {}: {}", peer_, to_text(error));
  end(why);
  say_goodbye(why);
}

SendResult TcpLink::send(Conversation conversation, std::span<const std::byte> payload) {
  CHECK(conversation != Conversation::kControl);
  CHECK(payload.size() <= limits::kFrameBytesMax);
  if (state_ != State::kConnecting && state_ != State::kOpen) return SendResult::kClosed;
  append(static_cast<uint8_t>(conversation), 0, payload);
  if (queued() > limits::kLinkQueueBytesMax) {
    ++shared_.stats.queues_overflowed;
    end(fmt::format("{} reads too slowly: more than {} bytes wait for it", peer_,
                    limits::kLinkQueueBytesMax));
    abort();
    return SendResult::kClosed;
  }
  if (queued() > limits::kLinkCongestedBytes) congested_ = true;
  return congested_ ? SendResult::kCongested : SendResult::kSent;
}

void TcpLink::append(uint8_t type, uint16_t flags, std::span<const std::byte> payload) {
  const FrameHeader header{.type = type,
                           .flags = flags,
                           .length = static_cast<uint32_t>(payload.size()),
                           .sequence = sequence_++};
  const auto head = std::as_bytes(std::span(&header, 1));
  filling_.insert(filling_.end(), head.begin(), head.end());
  filling_.insert(filling_.end(), payload.begin(), payload.end());
  filling_.resize(filling_.size() + padded(payload.size()) - payload.size());
  ++shared_.stats.frames_sent;
  if (state_ != State::kConnecting) shared_.reactor.before_submit(flush_);
}

void TcpLink::flush() {
  if (send_.active() || (state_ != State::kOpen && state_ != State::kFlushing)) return;
  if (sent_ == in_flight_.size()) {
    empty(in_flight_);
    sent_ = 0;
    in_flight_.swap(filling_);
  }
  if (in_flight_.empty()) {
    if (state_ == State::kFlushing) {
      state_ = State::kDraining;
      shutdown(socket_.get(), SHUT_WR);
      if (!broken_.empty()) abort();
    }
    return;
  }
  shared_.reactor.send(send_, socket_.get(), std::span(in_flight_).subspan(sent_));
}

void TcpLink::on_sent(const Completion& completion) {
  if (state_ == State::kClosed) return finish_if_idle();
  if (completion.result < 0 && completion.result != -EINTR && completion.result != -EAGAIN) {
    // What the peer sent before it went, perhaps a goodbye, may still be waiting to be received:
    // the receiving side ends the link. If it already has nothing more to come, it ends here.
    if (state_ == State::kOpen && broken_.empty()) {
      sent_ = in_flight_.size();
      empty(filling_);
      return;
    }
    if (state_ == State::kOpen) end(strerror(-completion.result));
    return abort();
  }
  if (completion.result > 0) {
    sent_ += static_cast<size_t>(completion.result);
    shared_.stats.bytes_sent += static_cast<uint64_t>(completion.result);
  }
  flush();
  if (congested_ && state_ == State::kOpen && queued() < limits::kLinkCongestedBytes / 2) {
    congested_ = false;
    shared_.handler.on_link_ready(id_);
  }
}

void TcpLink::close(std::string_view why) {
  if (state_ == State::kConnecting) {
    end(why);
    return abort();
  }
  if (state_ != State::kOpen) return;
  end(why);
  say_goodbye(why);
}

void TcpLink::cut(std::string_view why) {
  if (state_ == State::kReleasing || state_ == State::kClosed) return;
  if (state_ == State::kConnecting || state_ == State::kOpen) end(why);
  abort();
}

void TcpLink::say_goodbye(std::string_view why) {
  state_ = State::kFlushing;
  const std::string_view shortened = why.substr(0, limits::kGoodbyeBytesMax);
  append(static_cast<uint8_t>(Conversation::kControl), kFrameGoodbye,
         std::as_bytes(std::span(shortened)));
  shared_.reactor.set(linger_, later(shared_.reactor.now().mono, limits::kLinkLinger));
  if (!receive_.active() && broken_.empty()) receive();
}

void TcpLink::on_linger_over() { abort(); }

void TcpLink::release(ReleaseClient& client) {
  // Only a link on which nothing has been answered can go on elsewhere.
  CHECK(state_ == State::kOpen);
  CHECK(keep_first_);
  CHECK(sequence_ == 0);
  state_ = State::kReleasing;
  release_to_ = &client;
  if (receive_.active()) return shared_.reactor.cancel(receive_);
  // The receive has ended by itself; the hand-over still comes in a later turn.
  receive();
  shared_.reactor.cancel(receive_);
}

void TcpLink::check_silence() {
  const Duration silent = shared_.reactor.now().mono - last_heard_;
  if (state_ == State::kConnecting && silent >= limits::kConnectTimeout) {
    ++shared_.stats.connects_failed;
    end(fmt::format("cannot connect to {}: no answer for {} s", peer_,
                    to_secs(limits::kConnectTimeout)));
    return abort();
  }
  if (state_ != State::kOpen) return;
  if (more_.is_due()) return forgive_silence();  // it has spoken, and it is our turn to listen
  if (silent >= limits::kLinkDead) {
    ++shared_.stats.peers_silent;
    end(fmt::format("{} has been silent for {} s", peer_, to_secs(limits::kLinkDead)));
    return abort();
  }
  if (silent >= limits::kLinkIdlePing && !asked_) {
    asked_ = true;
    append(static_cast<uint8_t>(Conversation::kControl), kFramePing, {});
  }
}

void TcpLink::end(std::string_view why) {
  if (state_ != State::kConnecting) ++shared_.stats.links_ended;
  shared_.owner.on_ended(*this, why);
}

void TcpLink::abort() {
  state_ = State::kClosed;
  shared_.reactor.cancel(linger_);
  shared_.reactor.cancel(connect_);
  shared_.reactor.cancel(receive_);
  shared_.reactor.cancel(send_);
  finish_if_idle();
}

void TcpLink::finish_if_idle() {
  if (finished_ || connect_.active() || receive_.active() || send_.active()) return;
  finished_ = true;
  shared_.reactor.close(std::move(socket_));
  shared_.owner.on_finished(*this);
}

}  // namespace tepui
