#pragma once
// Transport carries whole frames between processes. Tcp on io_uring is the default
// (common/io/tcp); the simulation has its own; a datagram fast path comes beside them.
//
// A link is one connection; it carries the frames of many sessions in order, or ends with a reason.
// Frames are at most limits::kFrameBytesMax. send() never blocks: it copies the frame into the
// link's bounded queue. kCongested means taken, but the peer reads too slowly: the caller should
// hold back what can wait until on_link_ready. A queue over its maximum closes the link.
//
// Pure interface. One thread; handler calls never come inside a call to the transport.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tepui {

struct LinkId {
  uint64_t value = 0;
  auto operator<=>(const LinkId&) const = default;
  bool operator==(const LinkId&) const = default;
};

// Which conversation a frame belongs to; the `type` byte of the frame header.
enum class Conversation : uint8_t {
  kControl = 0,  // of the link itself: ping, pong, goodbye
  kScheduler = 1,
  kExecutor = 2,
  kAgent = 3,
  kOperator = 4,
};

enum class SendResult : uint8_t { kSent, kCongested, kClosed };

class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void on_link_up(LinkId link, std::string_view peer) = 0;
  // `payload` is aligned to 16 bytes and valid during the call.
  virtual void on_frame(LinkId link, Conversation conversation,
                        std::span<const std::byte> payload) = 0;
  virtual void on_link_ready(LinkId link) = 0;  // no longer congested
  // Also after a refused or failed connect. The id is never used again.
  virtual void on_link_down(LinkId link, std::string_view why) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual LinkId connect(std::string_view address) = 0;
  virtual SendResult send(LinkId link, Conversation conversation,
                          std::span<const std::byte> payload) = 0;
  // Sends what is queued, then a goodbye with the reason, then closes.
  virtual void close(LinkId link, std::string_view why) = 0;
};

}  // namespace tepui
