#include "common/journal.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint32_t kMagic = 0x4e524a54;  // "TJRN"
constexpr uint8_t kVersion = 1;

struct Header {
  uint32_t magic = kMagic;
  uint8_t version = kVersion;
  uint8_t kind = 0;
  uint16_t zero = 0;
  uint32_t length = 0;
  uint32_t zeros = 0;
  int64_t mono_ns = 0;
  int64_t wall_ns = 0;
  uint64_t subject = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(Header) == 48);
constexpr size_t kChecked = offsetof(Header, checksum);

constexpr size_t padded_to_8(size_t length) { return (length + 7) & ~size_t{7}; }

uint64_t checksum_of(const Header& header, std::span<const std::byte> payload, uint64_t offset) {
  return XXH64(payload.data(), payload.size(), XXH64(&header, kChecked, offset));
}

// What is wrong with a header, or nothing.
std::string_view flaw_of(const Header& header) {
  if (header.magic != kMagic) return "no record begins here";
  if (header.version != kVersion) return "the record is of another version";
  if (header.length > limits::kJournalRecordBytesMax) return "the record is too long";
  return {};
}

bool is_whole(std::span<const std::byte> journal, uint64_t offset) {
  Header header;
  std::memcpy(&header, journal.data() + offset, sizeof header);
  if (!flaw_of(header).empty()) return false;
  const std::span<const std::byte> rest = journal.subspan(offset + sizeof header);
  return padded_to_8(header.length) <= rest.size() &&
         header.checksum == checksum_of(header, rest.first(header.length), offset);
}

}  // namespace

size_t append_record(std::vector<std::byte>& out, uint64_t offset, const JournalRecord& record) {
  CHECK(record.payload.size() <= limits::kJournalRecordBytesMax);
  Header header{.kind = record.kind,
                .length = static_cast<uint32_t>(record.payload.size()),
                .mono_ns = to_ns(record.now.mono),
                .wall_ns = to_ns(record.now.wall),
                .subject = record.subject};
  header.checksum = checksum_of(header, record.payload, offset);
  const auto* bytes = reinterpret_cast<const std::byte*>(&header);
  out.insert(out.end(), bytes, bytes + sizeof header);
  out.insert(out.end(), record.payload.begin(), record.payload.end());
  const size_t padding = padded_to_8(record.payload.size()) - record.payload.size();
  out.insert(out.end(), padding, std::byte{0});
  return sizeof header + record.payload.size() + padding;
}

bool record_follows(std::span<const std::byte> journal, uint64_t offset) {
  for (uint64_t at = offset + 8; at + sizeof(Header) <= journal.size(); at += 8) {
    if (is_whole(journal, at)) return true;
  }
  return false;
}

Result<std::optional<JournalRecord>> JournalReader::next() {
  const std::span<const std::byte> rest = journal_.subspan(offset_);
  if (rest.empty() || torn_) return std::nullopt;
  Header header;
  if (rest.size() < sizeof header) {
    torn_ = true;
    return std::nullopt;
  }
  std::memcpy(&header, rest.data(), sizeof header);
  const auto damaged = [this](std::string_view why) {
    return fail(fmt::format("the {} is damaged at offset {}: {}", what_, offset_, why));
  };
  if (const std::string_view flaw = flaw_of(header); !flaw.empty()) return damaged(flaw);
  const size_t whole = sizeof header + padded_to_8(header.length);
  if (rest.size() < whole) {
    torn_ = true;
    return std::nullopt;
  }
  const std::span<const std::byte> payload = rest.subspan(sizeof header, header.length);
  if (header.checksum != checksum_of(header, payload, offset_)) {
    return damaged("the record's checksum is wrong");
  }
  offset_ += whole;
  return JournalRecord{.kind = header.kind,
                       .now = {.mono = Instant(Duration(header.mono_ns)),
                               .wall = WallTime(Duration(header.wall_ns))},
                       .subject = header.subject,
                       .payload = payload};
}

// -------------------------------------------------------------------------------------- fields

std::string differs(uint64_t hash, uint64_t told) {
  return fmt::format(
      "the replay differs: the outputs before this turn have the hash {:016x}, the journal says "
      "{:016x}",
      hash, told);
}

AlignedBytes::AlignedBytes(std::span<const std::byte> bytes)
    : words_(bytes.size() / sizeof(uint64_t) + 1), size_(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(words_)).begin());
}

JournalWriter& JournalWriter::number(uint64_t value) {
  std::array<std::byte, sizeof value> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  payload_.insert(payload_.end(), bytes.begin(), bytes.end());
  return *this;
}

JournalWriter& JournalWriter::text(std::string_view value) {
  return bytes(std::as_bytes(std::span(value)));
}

JournalWriter& JournalWriter::bytes(std::span<const std::byte> value) {
  number(uint64_t{value.size()});
  payload_.insert(payload_.end(), value.begin(), value.end());
  return *this;
}

uint64_t JournalFields::number() {
  uint64_t value = 0;
  if (failed_ || rest_.size() < sizeof value) {
    failed_ = true;
    return 0;
  }
  std::memcpy(&value, rest_.data(), sizeof value);
  rest_ = rest_.subspan(sizeof value);
  return value;
}

std::string JournalFields::text() {
  const std::span<const std::byte> value = bytes();
  return std::string(reinterpret_cast<const char*>(value.data()), value.size());
}

std::span<const std::byte> JournalFields::bytes() {
  const uint64_t length = number();
  if (failed_ || rest_.size() < length) {
    failed_ = true;
    return {};
  }
  const std::span<const std::byte> value = rest_.first(length);
  rest_ = rest_.subspan(length);
  return value;
}

size_t JournalFields::count(size_t item_bytes) {
  const uint64_t items = number();
  if (items <= rest_.size() / item_bytes) return items;
  failed_ = true;
  return 0;
}

}  // namespace tepui
