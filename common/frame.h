#pragma once
// The frame is the unit of every link: a 16-byte header, a payload, and zeros up to a multiple of
// 16, so that payloads in a stream stay aligned. All numbers are little endian.
//
//   0  u32  magic     "TEPU"
//   4  u8   version   of this header, 1
//   5  u8   type      Conversation (common/transport.h)
//   6  u16  flags     kControl frames: 1 ping, 2 pong, 4 goodbye; all others 0
//   8  u32  length    of the payload, without padding, at most limits::kFrameBytesMax
//  12  u32  sequence  counts the frames of this link and direction from 0, modulo 2^32
//
// FrameParser takes bytes in any chunking and gives whole frames; what it refuses it refuses by
// name, and the link is closed with that reason.
//
// Pure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/limits.h"
#include "common/result.h"
#include "common/transport.h"

namespace tepui {

inline constexpr uint32_t kFrameMagic = 0x55504554;  // "TEPU" in memory
inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameAlign = 16;

enum FrameFlags : uint16_t { kFramePing = 1, kFramePong = 2, kFrameGoodbye = 4 };

struct FrameHeader {
  uint32_t magic = kFrameMagic;
  uint8_t version = kFrameVersion;
  uint8_t type = 0;
  uint16_t flags = 0;
  uint32_t length = 0;
  uint32_t sequence = 0;
};
static_assert(sizeof(FrameHeader) == 16);

constexpr size_t padded(size_t length) { return (length + kFrameAlign - 1) & ~(kFrameAlign - 1); }

// Why a frame was refused; also the label of a counter.
enum class FrameError : uint8_t {
  kBadMagic,
  kBadVersion,
  kUnknownType,
  kBadFlags,
  kOversized,
  kOutOfSequence,
  kBadPadding,
};
std::string_view to_text(FrameError error);

// Checks one header against the sequence number that is due.
std::optional<FrameError> check(const FrameHeader& header, uint32_t sequence_due);

struct Frame {
  FrameHeader header;
  std::span<const std::byte> payload;  // aligned to 16 bytes
};

// Appends the 16 bytes of the header, the payload and its padding; header.length counts the
// payload.
void append_frame(std::vector<std::byte>& out, const FrameHeader& header,
                  std::span<const std::byte> payload);

// Assembles frames from a stream. Feed it bytes, then take frames until there is none; a payload is
// valid until the next feed(). The bytes are copied once, to where payloads are aligned, so they
// may go as soon as feed() is back. After an error the parser answers nothing more.
class FrameParser {
 public:
  FrameParser();
  ~FrameParser();
  FrameParser(FrameParser&&) noexcept;
  FrameParser& operator=(FrameParser&&) noexcept;

  void feed(std::span<const std::byte> bytes);
  // The next whole frame, nothing yet, or the reason why this stream is over.
  std::expected<std::optional<Frame>, FrameError> next();

 private:
  struct Buffer;
  Buffer* buffer_ = nullptr;
};

}  // namespace tepui
