#pragma once
// TcpLink is one connection of a TcpTransport: it turns received bytes into frames and frames into
// bytes, and closes in an orderly way.
//
// Sending: send() appends to `filling_`; before the reactor submits, the two buffers change places
// and one operation sends all that came together in this turn. What waits is bounded; above the
// bound the link ends.
// Receiving: at most limits::kFramesPerTurn frames are delivered in a turn, fewer when it is full;
// the rest waits for the next one. If too much waits, the link stops receiving. What agents say is
// delivered after what all others say: they come by the thousand, and schedulers wait for offers.
// Closing is a state. The owner is told once that the link has ended, and later that nothing is in
// flight any more (finished), after which it destroys the link.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/frame.h"
#include "common/io/address.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/receive_buffers.h"
#include "common/io/transport_stats.h"
#include "common/transport.h"

namespace tepui {

class TcpLink;

// Takes over the socket of a link that its transport has released.
class ReleaseClient {
 public:
  virtual ~ReleaseClient() = default;
  // `received`: all that came from the peer so far. The id is never used again.
  virtual void on_link_released(LinkId link, Fd socket, std::vector<std::byte> received) = 0;
};

class TcpLinkOwner {
 public:
  virtual ~TcpLinkOwner() = default;
  // Both are noted, and dealt with in the next turn.
  virtual void on_ended(TcpLink& link, std::string_view why) = 0;
  virtual void on_finished(TcpLink& link) = 0;
};

// What the links of one transport have in common; it outlives them.
struct TcpShared {
  Reactor& reactor;
  ReceiveBuffers& buffers;
  LinkHandler& handler;
  TcpLinkOwner& owner;
  TransportStats& stats;
  ReleaseClient* http = nullptr;  // null: HTTP is a foreign language
};

class TcpLink {
 public:
  TcpLink(TcpShared& shared, LinkId id) : shared_(shared), id_(id) {}
  TcpLink(const TcpLink&) = delete;
  TcpLink& operator=(const TcpLink&) = delete;

  LinkId id() const { return id_; }

  // One of these three begins it. `address` only names the peer in messages.
  void connect(std::string_view address);
  void accept(Fd socket);
  void adopt(Fd socket, std::vector<std::byte> received);

  SendResult send(Conversation conversation, std::span<const std::byte> payload);
  void close(std::string_view why);
  // Ends it at once: what was not sent yet never is.
  void cut(std::string_view why);
  void release(ReleaseClient& client);
  // Asks a silent peer, ends the link of a dead one.
  void check_silence();
  // The peer could not be heard because this process did not run.
  void forgive_silence() { last_heard_ = shared_.reactor.now().mono; }

 private:
  enum class State : uint8_t {
    kConnecting,
    kOpen,
    kFlushing,   // ended; the queue and the goodbye are being sent
    kDraining,   // ended; all is sent, the peer has to close
    kReleasing,  // becomes someone else's when the receive has been cancelled
    kClosed,     // ended; operations are being cancelled
  };

  void on_connected(const Completion& completion);
  void on_received(const Completion& completion);
  void on_sent(const Completion& completion);
  void on_linger_over();
  void deliver();
  void start_adopted();
  void flush();

  void open();
  void take(std::span<const std::byte> bytes);
  void on_caught_up();
  void on_control(const Frame& frame);
  void refuse(FrameError error);
  void receive();
  void limit_backlog();
  void on_receive_in_end_state();
  void append(uint8_t type, uint16_t flags, std::span<const std::byte> payload);
  size_t queued() const { return filling_.size() + in_flight_.size() - sent_; }
  void end(std::string_view why);
  void say_goodbye(std::string_view why);
  void abort();
  void finish_if_idle();

  TcpShared& shared_;
  const LinkId id_;
  State state_ = State::kConnecting;
  bool finished_ = false;  // the owner knows
  Fd socket_;
  Address address_;
  std::string peer_;
  Instant last_heard_{};
  bool asked_ = false;  // a ping went out since the peer was heard last

  // Receiving.
  FrameParser parser_;
  std::string broken_;        // why nothing more will be received; empty: it may
  size_t magic_seen_ = 0;     // bytes of the first frame's magic
  size_t backlog_bytes_ = 0;  // received since the parser was empty last
  bool throttled_ = false;
  int frames_left_ = 0;  // in turn frames_turn_
  uint64_t frames_turn_ = 0;
  bool keep_first_ = false;  // until the first frame is dealt with, for release()
  std::vector<std::byte> first_;
  ReleaseClient* release_to_ = nullptr;

  // Sending.
  uint32_t sequence_ = 0;
  bool congested_ = false;
  std::vector<std::byte> filling_;
  std::vector<std::byte> in_flight_;
  size_t sent_ = 0;  // of in_flight_

  Op<&TcpLink::on_connected> connect_{*this};
  Op<&TcpLink::on_received> receive_{*this};
  Op<&TcpLink::on_sent> send_{*this};
  Timer<&TcpLink::on_linger_over> linger_{*this};
  bool is_of_agent_ = false;  // as its last frame says
  Later<&TcpLink::deliver> more_{*this};
  Later<&TcpLink::start_adopted> start_{*this};
  Later<&TcpLink::flush> flush_{*this};
};

}  // namespace tepui
