// Goal: a log replays to exactly what was appended, a torn end is cut, damage is never overlooked.
// Method: logs of random batches, cut at any byte, and with any byte changed.

#include "common/record_log.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <string>

namespace tepui {
namespace {

using Verdict = LogReplay::Verdict;
using Batch = std::vector<StoreWrite>;

template <class T>
T in_range(T low, T high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, high));
}

// A log whose records were each made durable before the next was written.
struct Log {
  std::vector<std::byte> bytes;
  std::vector<StoreContents> states{{}};  // after 0, 1, 2… records
  std::vector<uint64_t> ends{0};          // offset at which each record ends
  uint64_t durable = 0;

  void append(const Batch& batch, uint64_t epoch) {
    ASSERT_TRUE(append_batch(bytes, stamp(epoch), batch).has_value());
    StoreContents next = states.back();
    apply_batch(next, batch);
    record_ends(next);
  }

  void snapshot(const StoreContents& contents, uint64_t epoch) {
    ASSERT_TRUE(append_snapshot(bytes, stamp(epoch), contents).has_value());
    record_ends(contents);
  }

  RecordStamp stamp(uint64_t epoch) const {
    return {.epoch = epoch, .offset = bytes.size(), .durable = durable};
  }

  void record_ends(const StoreContents& next) {
    states.push_back(next);
    ends.push_back(bytes.size());
    durable = bytes.size();
  }

  size_t last() const { return states.size() - 1; }
  // How many records end at or before this offset.
  size_t whole_records(uint64_t offset) const {
    size_t count = 0;
    while (count + 1 < ends.size() && ends[count + 1] <= offset) ++count;
    return count;
  }
};

Batch any_batch() {
  Batch batch;
  for (int i = in_range(0, 4); i > 0; --i) {
    StoreWrite write{.key = "agents/" + std::to_string(in_range(0, 4)), .value = std::nullopt};
    if (in_range(0, 3) > 0) write.value = *rc::gen::arbitrary<std::string>();
    batch.push_back(std::move(write));
  }
  return batch;
}

Log any_log() {
  Log log;
  uint64_t epoch = 1;
  for (int i = in_range(1, 6); i > 0; --i) {
    epoch += in_range<uint64_t>(0, 2);
    if (in_range(0, 4) == 0) {
      log.snapshot(StoreContents{{"cluster", "c"}, {"agents/1", ""}}, epoch);
    } else {
      log.append(any_batch(), epoch);
    }
  }
  return log;
}

TEST(RecordLog, ReplaysWhatWasAppended) {
  Log log;
  log.append({{"a", "1"}, {"b", ""}}, 1);
  log.append({{"a", std::nullopt}, {"c", "3"}}, 1);
  log.append({}, 2);
  const LogReplay replay = replay_log(log.bytes);
  EXPECT_EQ(replay.verdict, Verdict::kClean);
  EXPECT_EQ(replay.contents, (StoreContents{{"b", ""}, {"c", "3"}}));
  EXPECT_EQ(replay.records, 3u);
  EXPECT_EQ(replay.epoch, 2u);
  EXPECT_EQ(replay.valid_bytes, log.bytes.size());
  EXPECT_EQ(replay_log({}).verdict, Verdict::kClean);
}

TEST(RecordLog, LaterWritesOfABatchWin) {
  Log log;
  log.append({{"a", "1"}, {"a", "2"}, {"b", "x"}, {"b", std::nullopt}}, 1);
  EXPECT_EQ(replay_log(log.bytes).contents, (StoreContents{{"a", "2"}}));
}

TEST(RecordLog, ASnapshotReplacesWhatWasBefore) {
  Log log;
  log.append({{"a", "1"}}, 1);
  log.snapshot({{"z", "26"}}, 1);
  log.append({{"y", "25"}}, 1);
  EXPECT_EQ(replay_log(log.bytes).contents, (StoreContents{{"y", "25"}, {"z", "26"}}));
}

TEST(RecordLog, RefusesKeysThatCannotBe) {
  std::vector<std::byte> out;
  EXPECT_EQ(append_batch(out, {}, Batch{{"ok", "1"}, {"", "1"}}).error().message,
            "store key is empty");
  EXPECT_EQ(append_snapshot(out, {}, {{std::string(256, 'k'), "1"}}).error().message,
            "store key has 256 bytes, at most 255 are allowed");
  EXPECT_TRUE(out.empty());
}

TEST(RecordLog, AZeroFilledTailIsTorn) {
  Log log;
  log.append({{"a", "1"}}, 1);
  const size_t valid = log.bytes.size();
  log.bytes.resize(valid + 4096);
  const LogReplay replay = replay_log(log.bytes);
  EXPECT_EQ(replay.verdict, Verdict::kTorn);
  EXPECT_EQ(replay.valid_bytes, valid);
  EXPECT_EQ(replay.contents, log.states[1]);
  EXPECT_EQ(replay.why, "no valid record header");
}

TEST(RecordLog, WritesThatWereNotYetDurableMayBreakInAnyOrder) {
  Log log;
  log.append({{"a", "1"}}, 1);
  const size_t durable = log.bytes.size();
  ASSERT_TRUE(append_batch(log.bytes, {1, log.bytes.size(), durable}, Batch{{"b", "2"}}));
  const size_t third = log.bytes.size();
  ASSERT_TRUE(append_batch(log.bytes, {1, log.bytes.size(), durable}, Batch{{"c", "3"}}));
  std::fill(log.bytes.begin() + static_cast<long>(durable),
            log.bytes.begin() + static_cast<long>(third), std::byte{0});
  const LogReplay torn = replay_log(log.bytes);
  EXPECT_EQ(torn.verdict, Verdict::kTorn);
  EXPECT_EQ(torn.valid_bytes, durable);
  EXPECT_EQ(torn.contents, log.states[1]);
}

TEST(RecordLog, DamageBeforeADurableRecordIsCorruptionAndIsNamed) {
  Log log;
  log.append({{"a", "1"}}, 1);
  const size_t damaged = log.bytes.size();
  log.append({{"b", "2"}}, 1);
  log.append({{"c", "3"}}, 1);
  log.bytes[damaged + 45] ^= std::byte{1};
  const LogReplay replay = replay_log(log.bytes);
  EXPECT_EQ(replay.verdict, Verdict::kCorrupt);
  EXPECT_EQ(replay.valid_bytes, damaged);
  EXPECT_EQ(replay.why, "checksum is wrong");
}

TEST(RecordLog, AnEpochThatFallsIsCorruption) {
  Log log;
  log.append({{"a", "1"}}, 5);
  log.append({{"a", "2"}}, 4);
  const LogReplay replay = replay_log(log.bytes);
  EXPECT_EQ(replay.verdict, Verdict::kCorrupt);
  EXPECT_EQ(replay.why, "record of epoch 4 after one of epoch 5");
  EXPECT_EQ(replay.contents, log.states[1]);
}

TEST(RecordLog, ARecordAtAnotherPlaceIsNone) {
  Log log;
  log.append({{"a", "1"}}, 1);
  const std::vector<std::byte> once = log.bytes;
  log.bytes.insert(log.bytes.end(), once.begin(), once.end());
  EXPECT_EQ(replay_log(log.bytes).verdict, Verdict::kTorn);
  EXPECT_EQ(replay_log(log.bytes).records, 1u);
}

RC_GTEST_PROP(RecordLogLaws, EveryCutReplaysToAPrefix, ()) {
  const Log log = any_log();
  const auto cut = in_range<size_t>(0, log.bytes.size() + 1);
  const LogReplay replay = replay_log(std::span(log.bytes).first(cut));
  const size_t whole = log.whole_records(cut);
  RC_ASSERT(replay.contents == log.states[whole]);
  RC_ASSERT(replay.records == whole);
  RC_ASSERT(replay.valid_bytes == log.ends[whole]);
  RC_ASSERT(replay.verdict == (cut == log.ends[whole] ? Verdict::kClean : Verdict::kTorn));
}

RC_GTEST_PROP(RecordLogLaws, EveryChangedByteIsFound, ()) {
  Log log = any_log();
  const auto at = in_range<size_t>(0, log.bytes.size());
  log.bytes[at] ^= static_cast<std::byte>(in_range(1, 256));
  const LogReplay replay = replay_log(log.bytes);
  const size_t before = log.whole_records(at);
  RC_ASSERT(replay.valid_bytes == log.ends[before]);
  RC_ASSERT(replay.contents == log.states[before]);
  const bool in_last = before + 1 == log.last();
  RC_ASSERT(replay.verdict == (in_last ? Verdict::kTorn : Verdict::kCorrupt));
  RC_ASSERT(!replay.why.empty());
}

RC_GTEST_PROP(RecordLogLaws, AnyBytesAreAnswered, ()) {
  const auto text = *rc::gen::arbitrary<std::string>();
  const auto bytes = std::as_bytes(std::span(text));
  const LogReplay replay = replay_log(bytes);
  RC_ASSERT(replay.contents.empty());
  RC_ASSERT(replay.verdict == (text.empty() ? Verdict::kClean : Verdict::kTorn));
}

RC_GTEST_PROP(RecordLogLaws, ACutLogGoesOn, ()) {
  Log log = any_log();
  const auto cut = in_range<size_t>(0, log.bytes.size() + 1);
  const LogReplay torn = replay_log(std::span(log.bytes).first(cut));
  log.bytes.resize(torn.valid_bytes);
  const Batch batch = any_batch();
  RC_ASSERT(append_batch(log.bytes, {99, torn.valid_bytes, torn.valid_bytes}, batch).has_value());
  StoreContents expected = torn.contents;
  apply_batch(expected, batch);
  const LogReplay replay = replay_log(log.bytes);
  RC_ASSERT(replay.verdict == Verdict::kClean);
  RC_ASSERT(replay.contents == expected);
}

}  // namespace
}  // namespace tepui
