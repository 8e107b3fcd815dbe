// A journal comes back as it was written; its torn end is seen as that, and damage is named.
#include "common/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tepui {
namespace {

using testing::HasSubstr;

std::vector<std::byte> three_records() {
  std::vector<std::byte> journal;
  const std::string texts[] = {"", "a", "a longer text"};
  for (size_t i = 0; i < 3; ++i) {
    const JournalRecord record{
        .kind = static_cast<uint8_t>(i + 1),
        .now = {.mono = Instant(Duration(10 * i)), .wall = WallTime(Duration(-5))},
        .subject = i << 40,
        .payload = std::as_bytes(std::span(texts[i]))};
    append_record(journal, journal.size(), record);
  }
  return journal;
}

struct Read {
  std::vector<JournalRecord> records;
  std::string error;
  bool torn = false;
};
Read read_all(std::span<const std::byte> journal) {
  JournalReader reader(journal);
  Read read;
  while (true) {
    const Result<std::optional<JournalRecord>> record = reader.next();
    if (!record) {
      read.error = record.error().message;
      break;
    }
    if (!*record) break;
    read.records.push_back(**record);
  }
  read.torn = reader.torn();
  return read;
}

TEST(Journal, ComesBackAsItWasWritten) {
  const std::vector<std::byte> journal = three_records();
  const Read read = read_all(journal);
  EXPECT_EQ(read.error, "");
  EXPECT_FALSE(read.torn);
  ASSERT_EQ(read.records.size(), 3u);
  EXPECT_EQ(read.records[2].kind, 3);
  EXPECT_EQ(read.records[2].now.mono, Instant(Duration(20)));
  EXPECT_EQ(read.records[2].now.wall, WallTime(Duration(-5)));
  EXPECT_EQ(read.records[2].subject, uint64_t{2} << 40);
  EXPECT_EQ(read.records[2].payload.size(), 13u);
  EXPECT_TRUE(read.records[0].payload.empty());
}

TEST(Journal, ThatEndsInTheMiddleOfARecordIsWholeUpToIt) {
  const std::vector<std::byte> journal = three_records();
  for (size_t length = 0; length < journal.size(); ++length) {
    const Read read = read_all(std::span(journal).first(length));
    EXPECT_EQ(read.error, "") << length;
    EXPECT_EQ(read.records.size(), length < 48 ? 0u : length < 48 + 56 ? 1u : 2u) << length;
    EXPECT_EQ(read.torn, length != 0 && length != 48 && length != 48 + 56) << length;
  }
}

TEST(Journal, NamesWhereItIsDamaged) {
  const std::vector<std::byte> journal = three_records();
  // All but the padding of the last two records, and lengths that reach beyond the end.
  for (const size_t at : {0, 4, 5, 16, 24, 32, 40, 48, 48 + 48, 48 + 56 + 50}) {
    std::vector<std::byte> damaged = journal;
    damaged[at] ^= std::byte{0x20};
    const size_t record = at < 48 ? 0 : at < 48 + 56 ? 48 : 48 + 56;
    EXPECT_THAT(read_all(damaged).error,
                HasSubstr("damaged at offset " + std::to_string(record) + ":"))
        << at;
  }
}

TEST(Journal, RecordsAreBoundToTheirPlace) {
  const std::vector<std::byte> journal = three_records();
  // The second record, moved to the front.
  EXPECT_THAT(read_all(std::span(journal).subspan(48)).error, HasSubstr("checksum"));
}

TEST(JournalFields, AreReadInTheOrderTheyWereWritten) {
  JournalWriter writer;
  writer.number(uint64_t{7}).number(int64_t{-7}).flag(true).text("x").duration(Duration(9));
  JournalFields in(writer.payload());
  EXPECT_EQ(in.number(), 7u);
  EXPECT_EQ(in.signed_number(), -7);
  EXPECT_TRUE(in.flag());
  EXPECT_EQ(in.text(), "x");
  EXPECT_FALSE(in.at_end());
  EXPECT_EQ(in.duration(), Duration(9));
  EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(JournalFields, ThatAreMissingOrTooLongAreNoFields) {
  JournalWriter writer;
  writer.number(uint64_t{1} << 60);
  JournalFields text(writer.payload());
  EXPECT_EQ(text.text(), "");
  EXPECT_FALSE(text.ok());
  JournalFields count(writer.payload());
  EXPECT_EQ(count.count(8), 0u);
  EXPECT_FALSE(count.ok());
  JournalFields nothing{{}};
  EXPECT_EQ(nothing.number(), 0u);
  EXPECT_FALSE(nothing.ok());
}

}  // namespace
}  // namespace tepui
