#pragma once
// A journal is what a core was told, in order: enough to run it again and get the same answers.
//
// It is a sequence of records. A record is a 48-byte header, a payload, and zeros up to a multiple
// of 8. All numbers are little endian:
//
//   0  u32  magic     "TJRN"
//   4  u8   version   1
//   5  u8   kind      what happened; each core has its own kinds (master/journal.h)
//   6  u16  zero
//   8  u32  length    of the payload, without padding
//  12  u32  zero
//  16  i64  mono_ns   the `now` of the input
//  24  i64  wall_ns
//  32  u64  subject   a session, a token or a hash, as the kind says
//  40  u64  checksum  XXH64 of the 40 bytes before it and the payload, seed: the record's offset
//
// A journal is not synced: its end may be missing after a crash of the machine, and its last record
// may be torn. Everything before that is whole, or the journal is damaged and says where.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/time.h"

namespace tepui {

struct JournalRecord {
  uint8_t kind = 0;
  Now now{};
  uint64_t subject = 0;
  std::span<const std::byte> payload;
};

// Appends one record to a journal that has `offset` bytes so far; answers how many it took.
size_t append_record(std::vector<std::byte>& out, uint64_t offset, const JournalRecord& record);

// Where a journal's records go. Never blocks.
class JournalSink {
 public:
  virtual ~JournalSink() = default;
  // False: this journal has ended, and is asked for nothing more.
  [[nodiscard]] virtual bool append(const JournalRecord& record) = 0;
};

// Takes a journal apart. The bytes outlive the reader; payloads point into them.
class JournalReader {
 public:
  explicit JournalReader(std::span<const std::byte> journal) : JournalReader(journal, "journal") {}
  // `what` its errors call it.
  JournalReader(std::span<const std::byte> journal, const char* what)
      : journal_(journal), what_(what) {}

  // The next record, or nothing at the end. The error names the offset of what is damaged.
  Result<std::optional<JournalRecord>> next();
  // After the end: the last record was torn, and ignored.
  bool torn() const { return torn_; }
  uint64_t offset() const { return offset_; }  // of the record that comes next

 private:
  std::span<const std::byte> journal_;
  const char* what_;
  uint64_t offset_ = 0;
  bool torn_ = false;
};

// Whether a whole record begins behind `offset`: then what is at `offset` is damaged and not torn,
// even if it seems to end too early.
bool record_follows(std::span<const std::byte> journal, uint64_t offset);

// How far a core was run again from its journal.
struct ReplayProgress {
  uint64_t records = 0;
  uint64_t turns = 0;  // whose hash was the same
  Now now{};           // of the newest record
  uint64_t hash = 0;   // of all outputs up to the newest turn
  bool torn = false;   // at the end: the last record was torn, and ignored
};

// What is wrong if the outputs before a turn have another hash than the journal says.
std::string differs(uint64_t hash, uint64_t told);

// A copy of a payload that is a message: frames are read where they are aligned.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const std::byte> bytes);
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

// The fields of a payload, one after the other: numbers in 8 bytes, text behind its length.
class JournalWriter {
 public:
  JournalWriter& number(uint64_t value);
  JournalWriter& number(int64_t value) { return number(static_cast<uint64_t>(value)); }
  JournalWriter& duration(Duration value) { return number(int64_t{value.count()}); }
  JournalWriter& flag(bool value) { return number(uint64_t{value}); }
  JournalWriter& text(std::string_view value);
  JournalWriter& bytes(std::span<const std::byte> value);

  void clear() { payload_.clear(); }
  std::span<const std::byte> payload() const { return payload_; }

 private:
  std::vector<std::byte> payload_;
};

// The first field that is missing or too long makes all that follow empty; ask ok() at the end.
class JournalFields {
 public:
  explicit JournalFields(std::span<const std::byte> payload) : rest_(payload) {}

  uint64_t number();
  int64_t signed_number() { return static_cast<int64_t>(number()); }
  Duration duration() { return Duration(signed_number()); }
  bool flag() { return number() != 0; }
  std::string text();
  std::span<const std::byte> bytes();
  // How many items follow, each of at least `item_bytes`.
  size_t count(size_t item_bytes);

  bool ok() const { return !failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  bool failed_ = false;
};

}  // namespace tepui
