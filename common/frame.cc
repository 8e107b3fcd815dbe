#include "common/frame.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "common/check.h"

namespace tepui {

static_assert(std::endian::native == std::endian::little, "headers are copied as they are");

namespace {

// What an idle link keeps; a buffer that once held a large frame is given back.
constexpr size_t kKeptBytesMax = 256 << 10;
constexpr size_t kFirstBytes = 4 << 10;

struct AlignedDelete {
  void operator()(std::byte* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kFrameAlign});
  }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

AlignedBytes allocate(size_t capacity) {
  return AlignedBytes(new (std::align_val_t{kFrameAlign}) std::byte[capacity]);
}

bool flags_fit(const FrameHeader& header) {
  if (header.type != static_cast<uint8_t>(Conversation::kControl)) return header.flags == 0;
  return header.flags == kFramePing || header.flags == kFramePong || header.flags == kFrameGoodbye;
}

}  // namespace

std::string_view to_text(FrameError error) {
  switch (error) {
    case FrameError::kBadMagic:
      return "bad_magic";
    case FrameError::kBadVersion:
      return "bad_version";
    case FrameError::kUnknownType:
      return "unknown_type";
    case FrameError::kBadFlags:
      return "bad_flags";
    case FrameError::kOversized:
      return "oversized";
    case FrameError::kOutOfSequence:
      return "out_of_sequence";
    case FrameError::kBadPadding:
      return "bad_padding";
  }
  return "";
}

std::optional<FrameError> check(const FrameHeader& header, uint32_t sequence_due) {
  if (header.magic != kFrameMagic) return FrameError::kBadMagic;
  if (header.version != kFrameVersion) return FrameError::kBadVersion;
  if (header.type > static_cast<uint8_t>(Conversation::kOperator)) return FrameError::kUnknownType;
  if (!flags_fit(header)) return FrameError::kBadFlags;
  if (header.length > limits::kFrameBytesMax) return FrameError::kOversized;
  if (header.sequence != sequence_due) return FrameError::kOutOfSequence;
  return std::nullopt;
}

void append_frame(std::vector<std::byte>& out, const FrameHeader& header,
                  std::span<const std::byte> payload) {
  CHECK(header.length == payload.size());
  const auto bytes = std::as_bytes(std::span(&header, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.insert(out.end(), payload.begin(), payload.end());
  out.resize(out.size() + padded(payload.size()) - payload.size());
}

// Unread bytes are [begin, end); `begin` is always aligned, for whole frames are.
struct FrameParser::Buffer {
  AlignedBytes bytes;
  size_t capacity = 0;
  size_t begin = 0;
  size_t end = 0;
  uint32_t sequence_due = 0;
  bool broken = false;

  size_t unread() const { return end - begin; }

  // Room for `more` bytes behind the unread ones, which move to the front.
  void make_room(size_t more) {
    const size_t needed = unread() + more;
    const bool wasteful = capacity > kKeptBytesMax && needed <= kKeptBytesMax;
    if (needed > capacity || wasteful) {
      const size_t grown = std::max({needed, wasteful ? size_t{0} : 2 * capacity, kFirstBytes});
      AlignedBytes larger = allocate(grown);
      if (unread() > 0) std::memcpy(larger.get(), bytes.get() + begin, unread());
      bytes = std::move(larger);
      capacity = grown;
    } else if (capacity - end < more) {
      std::memmove(bytes.get(), bytes.get() + begin, unread());
    } else if (unread() > 0) {
      return;  // there is room where they are
    }
    end = unread();
    begin = 0;
  }
};

FrameParser::FrameParser() : buffer_(new Buffer) {}
FrameParser::~FrameParser() { delete buffer_; }
FrameParser::FrameParser(FrameParser&& other) noexcept
    : buffer_(std::exchange(other.buffer_, nullptr)) {}
FrameParser& FrameParser::operator=(FrameParser&& other) noexcept {
  std::swap(buffer_, other.buffer_);
  return *this;
}

void FrameParser::feed(std::span<const std::byte> bytes) {
  Buffer& buffer = *buffer_;
  if (buffer.broken || bytes.empty()) return;
  buffer.make_room(bytes.size());
  std::memcpy(buffer.bytes.get() + buffer.end, bytes.data(), bytes.size());
  buffer.end += bytes.size();
}

std::expected<std::optional<Frame>, FrameError> FrameParser::next() {
  Buffer& buffer = *buffer_;
  const auto refuse = [&buffer](FrameError error) {
    buffer.broken = true;
    return std::unexpected(error);
  };
  if (buffer.broken || buffer.unread() < sizeof(FrameHeader)) return std::nullopt;
  const std::byte* start = buffer.bytes.get() + buffer.begin;
  FrameHeader header;
  std::memcpy(&header, start, sizeof(header));
  // Judged as soon as it is there: a bad length must not make us wait for so many bytes.
  if (const auto error = check(header, buffer.sequence_due)) return refuse(*error);
  const size_t whole = sizeof(header) + padded(header.length);
  if (buffer.unread() < whole) return std::nullopt;
  const std::span<const std::byte> payload(start + sizeof(header), header.length);
  const bool zeros = std::all_of(payload.data() + payload.size(), start + whole,
                                 [](std::byte b) { return b == std::byte{0}; });
  if (!zeros) return refuse(FrameError::kBadPadding);
  buffer.begin += whole;
  ++buffer.sequence_due;
  return Frame{.header = header, .payload = payload};
}

}  // namespace tepui
