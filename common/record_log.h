#pragma once
// The format of an append-only log of store batches, and of the snapshot it begins with.
//
// A record is a 40-byte header, a payload, and zeros up to a multiple of 8. All numbers are little
// endian:
//
//   0  u32  magic    "TLOG"
//   4  u8   version  1
//   5  u8   type     1 batch, 2 snapshot
//   6  u16  zero
//   8  u32  length   of the payload, without padding
//  12  u32  check    of the header: XXH64 of its other bytes, seed: the record's offset in the log
//  16  u64  epoch    of the leader that wrote it; never falls from one record to the next
//  24  u64  durable  how many bytes of the log were durable when this record was written
//  32  u64  checksum XXH64 of the payload, seed: the record's offset in the log
//
// Since a record knows its place and what was durable before it, replay can tell a torn write from
// damage: what is broken, and was not yet durable according to any record behind it, was never
// acknowledged, and is cut off. Everything else that is broken is corruption, and nobody guesses.
// Where a record is followed by none, a broken one counts as torn.
//
// A batch is applied in order; a snapshot replaces all that was before it. An empty batch is a
// record too: a leader that opens the log stamps its epoch with it.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/store.h"

namespace tepui {

struct RecordStamp {
  uint64_t epoch = 0;
  uint64_t offset = 0;   // where in the log the record will lie, a multiple of 8
  uint64_t durable = 0;  // at most `offset`
};

// Append one record to `out`. An Error, and nothing appended, for a key that is empty or longer
// than 255 bytes, or for a record over limits::kLogRecordBytesMax.
Result<void> append_batch(std::vector<std::byte>& out, const RecordStamp& stamp,
                          std::span<const StoreWrite> batch);
Result<void> append_snapshot(std::vector<std::byte>& out, const RecordStamp& stamp,
                             const StoreContents& contents);

// Applies one batch to `contents`, as replay does.
void apply_batch(StoreContents& contents, std::span<const StoreWrite> batch);

struct LogReplay {
  enum class Verdict : uint8_t {
    kClean,    // the whole log is valid
    kTorn,     // cut the log to `valid_bytes` and go on
    kCorrupt,  // damaged at `valid_bytes`, before something that was durable: touch nothing
  };
  Verdict verdict = Verdict::kClean;
  std::string why;           // unless clean: what is wrong at offset `valid_bytes`
  uint64_t valid_bytes = 0;  // length of the prefix that `contents` comes from
  uint32_t records = 0;      // in that prefix
  uint64_t epoch = 0;        // of its last record
  StoreContents contents;
};
LogReplay replay_log(std::span<const std::byte> log);

}  // namespace tepui
