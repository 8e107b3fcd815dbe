#include "common/record_log.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

static_assert(std::endian::native == std::endian::little,
              "the log is written as it lies in memory");

namespace {

constexpr uint32_t kMagic = 0x474f4c54;  // "TLOG" in memory
constexpr uint8_t kVersion = 1;
constexpr size_t kAlign = 8;
constexpr size_t kKeyBytesMax = 255;
constexpr uint32_t kRemoved = UINT32_MAX;  // instead of the length of a value

enum class Type : uint8_t { kBatch = 1, kSnapshot = 2 };

struct Header {
  uint32_t magic = kMagic;
  uint8_t version = kVersion;
  uint8_t type = 0;
  uint16_t zero = 0;
  uint32_t length = 0;
  uint32_t check = 0;
  uint64_t epoch = 0;
  uint64_t durable = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(Header) == 40 && sizeof(Header) % kAlign == 0);

constexpr size_t padded(size_t length) { return (length + kAlign - 1) & ~(kAlign - 1); }

uint32_t check_of(Header header, uint64_t offset) {
  header.check = 0;
  return static_cast<uint32_t>(XXH64(&header, sizeof(header), offset));
}

void put(std::vector<std::byte>& out, const void* data, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

void put_number(std::vector<std::byte>& out, uint32_t number) { put(out, &number, sizeof(number)); }

void put_write(std::vector<std::byte>& out, std::string_view key, const std::string* value) {
  put_number(out, static_cast<uint32_t>(key.size()));
  put_number(out, value == nullptr ? kRemoved : static_cast<uint32_t>(value->size()));
  put(out, key.data(), key.size());
  if (value != nullptr) put(out, value->data(), value->size());
}

Result<void> check_write(std::string_view key, const std::string* value, size_t& payload) {
  if (key.empty()) return fail("store key is empty");
  if (key.size() > kKeyBytesMax) {
    return fail(
        fmt::format("store key has {} bytes, at most {} are allowed", key.size(), kKeyBytesMax));
  }
  payload += 2 * sizeof(uint32_t) + key.size() + (value == nullptr ? 0 : value->size());
  if (payload > limits::kLogRecordBytesMax) {
    return fail(fmt::format("record is larger than {} bytes", limits::kLogRecordBytesMax));
  }
  return {};
}

// Leaves room for the header; `finish` fills it when the payload stands behind it.
size_t begin_record(std::vector<std::byte>& out, size_t payload) {
  const size_t begin = out.size();
  out.reserve(begin + sizeof(Header) + padded(payload));
  out.resize(begin + sizeof(Header));
  return begin;
}

void finish_record(std::vector<std::byte>& out, size_t begin, Type type, const RecordStamp& stamp) {
  CHECK(stamp.offset % kAlign == 0);
  CHECK(stamp.durable <= stamp.offset);
  const size_t length = out.size() - begin - sizeof(Header);
  Header header{.type = static_cast<uint8_t>(type),
                .length = static_cast<uint32_t>(length),
                .epoch = stamp.epoch,
                .durable = stamp.durable};
  header.checksum = XXH64(out.data() + begin + sizeof(Header), length, stamp.offset);
  header.check = check_of(header, stamp.offset);
  std::memcpy(out.data() + begin, &header, sizeof(header));
  out.resize(begin + sizeof(Header) + padded(length));
}

// Reads numbers and texts off the front of a payload; nothing where it is too short.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::optional<uint32_t> number() {
    if (rest_.size() < sizeof(uint32_t)) return std::nullopt;
    uint32_t value = 0;
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_ = rest_.subspan(sizeof(value));
    return value;
  }

  std::optional<std::string> text(size_t length) {
    if (rest_.size() < length) return std::nullopt;
    std::string value(reinterpret_cast<const char*>(rest_.data()), length);
    rest_ = rest_.subspan(length);
    return value;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

// The writes of a payload whose checksum is right; nothing if it is not of this form.
std::optional<std::vector<StoreWrite>> read_writes(std::span<const std::byte> payload) {
  Reader reader(payload);
  std::vector<StoreWrite> writes;
  while (!reader.at_end()) {
    const std::optional<uint32_t> key_size = reader.number();
    const std::optional<uint32_t> value_size = reader.number();
    if (!key_size || !value_size || *key_size == 0 || *key_size > kKeyBytesMax) return std::nullopt;
    std::optional<std::string> key = reader.text(*key_size);
    if (!key) return std::nullopt;
    StoreWrite& write = writes.emplace_back();
    write.key = *std::move(key);
    if (*value_size == kRemoved) continue;
    write.value = reader.text(*value_size);
    if (!write.value) return std::nullopt;
  }
  return writes;
}

// The header at `offset` if it is one that was written there.
std::optional<Header> header_at(std::span<const std::byte> log, size_t offset) {
  if (log.size() - offset < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, log.data() + offset, sizeof(header));
  if (header.magic != kMagic || header.check != check_of(header, offset)) return std::nullopt;
  return header;
}

// True if a record behind `offset` says that what is at `offset` was durable before it.
bool was_durable(std::span<const std::byte> log, size_t offset) {
  for (size_t at = offset + kAlign; at + sizeof(Header) <= log.size(); at += kAlign) {
    const std::optional<Header> header = header_at(log, at);
    if (header && header->durable > offset) return true;
  }
  return false;
}

// What is wrong with the bytes of the record at `offset`; empty: nothing.
std::string damage(std::span<const std::byte> log, size_t offset, const Header& header) {
  const size_t left = log.size() - offset - sizeof(Header);
  if (padded(header.length) > left) {
    return fmt::format("record ends after {} of {} bytes", left, padded(header.length));
  }
  const std::byte* payload = log.data() + offset + sizeof(Header);
  if (XXH64(payload, header.length, offset) != header.checksum) return "checksum is wrong";
  if (std::any_of(payload + header.length, payload + padded(header.length),
                  [](std::byte byte) { return byte != std::byte{0}; })) {
    return "padding is not zero";
  }
  return {};
}

// Applies a whole record; the answer says why it cannot be, which is never the fault of a crash.
std::string apply_record(LogReplay& replay, const Header& header,
                         std::span<const std::byte> payload) {
  if (header.version != kVersion) {
    return fmt::format("record has version {}, this program reads {}", header.version, kVersion);
  }
  if (header.epoch < replay.epoch) {
    return fmt::format("record of epoch {} after one of epoch {}", header.epoch, replay.epoch);
  }
  const bool is_snapshot = header.type == static_cast<uint8_t>(Type::kSnapshot);
  if (!is_snapshot && header.type != static_cast<uint8_t>(Type::kBatch)) {
    return fmt::format("record has the unknown type {}", header.type);
  }
  const std::optional<std::vector<StoreWrite>> writes = read_writes(payload);
  if (!writes) return "record has a valid checksum and no valid content";
  if (is_snapshot) replay.contents.clear();
  apply_batch(replay.contents, *writes);
  replay.epoch = header.epoch;
  return {};
}

}  // namespace

Result<void> append_batch(std::vector<std::byte>& out, const RecordStamp& stamp,
                          std::span<const StoreWrite> batch) {
  size_t payload = 0;
  for (const StoreWrite& write : batch) {
    TRY(check_write(write.key, write.value ? &*write.value : nullptr, payload));
  }
  const size_t begin = begin_record(out, payload);
  for (const StoreWrite& write : batch) {
    put_write(out, write.key, write.value ? &*write.value : nullptr);
  }
  finish_record(out, begin, Type::kBatch, stamp);
  return {};
}

Result<void> append_snapshot(std::vector<std::byte>& out, const RecordStamp& stamp,
                             const StoreContents& contents) {
  size_t payload = 0;
  for (const auto& [key, value] : contents) TRY(check_write(key, &value, payload));
  const size_t begin = begin_record(out, payload);
  for (const auto& [key, value] : contents) put_write(out, key, &value);
  finish_record(out, begin, Type::kSnapshot, stamp);
  return {};
}

void apply_batch(StoreContents& contents, std::span<const StoreWrite> batch) {
  for (const StoreWrite& write : batch) {
    if (write.value) {
      contents.insert_or_assign(write.key, *write.value);
    } else {
      contents.erase(write.key);
    }
  }
}

LogReplay replay_log(std::span<const std::byte> log) {
  LogReplay replay;
  while (replay.valid_bytes < log.size()) {
    const size_t offset = replay.valid_bytes;
    const std::optional<Header> header = header_at(log, offset);
    replay.why = header ? damage(log, offset, *header) : "no valid record header";
    if (!replay.why.empty()) {
      replay.verdict =
          was_durable(log, offset) ? LogReplay::Verdict::kCorrupt : LogReplay::Verdict::kTorn;
      return replay;
    }
    replay.why =
        apply_record(replay, *header, log.subspan(offset + sizeof(Header), header->length));
    if (!replay.why.empty()) {
      replay.verdict = LogReplay::Verdict::kCorrupt;
      return replay;
    }
    ++replay.records;
    replay.valid_bytes += sizeof(Header) + padded(header->length);
  }
  return replay;
}

}  // namespace tepui
