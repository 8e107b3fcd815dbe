// Goal: a node of the registry is read as it was written, under its own name, or refused; no damage
// goes unnoticed.

#include "common/znode_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::HasSubstr;

const std::vector<ZnodeEntry> kEntries = {
    {.key = "agents/a-e1-a1", .value = std::string("\0with zeros\0", 12)},
    {.key = "agents/b", .piece = 1, .pieces = 3, .value = ""},
    {.key = "gone/c", .value = std::nullopt}};

TEST(Znode, IsReadAsItWasWritten) {
  EXPECT_EQ(decode_znode_entries("shards/1", encode_znode("shards/1", kEntries)).value(), kEntries);
  EXPECT_TRUE(decode_znode_entries("s", encode_znode("s", std::vector<ZnodeEntry>()))->empty());
  const ZnodeEpoch epoch{.epoch = 7, .serial = 1ULL << 60, .chunks = 3};
  EXPECT_EQ(decode_znode_epoch("epoch", encode_znode("epoch", epoch)).value(), epoch);
}

TEST(Znode, IsRefusedUnderAnotherName) {
  const auto moved = decode_znode_entries("shards/2", encode_znode("shards/1", kEntries));
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().message, HasSubstr("has checksum"));
}

TEST(Znode, IsRefusedWithAnyByteChangedOrCutAnywhere) {
  const std::string whole = encode_znode("shards/1", kEntries);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    // The zeros of the frame mean nothing yet.
    const bool is_read = decode_znode_entries("shards/1", damaged).has_value();
    EXPECT_EQ(is_read, (i >= 5 && i < 8) || (i >= 12 && i < 16)) << i;
    EXPECT_FALSE(decode_znode_entries("shards/1", whole.substr(0, i))) << i;
  }
  EXPECT_FALSE(decode_znode_entries("shards/1", whole + 'x'));
}

TEST(Znode, SaysWhatElseItHolds) {
  const auto as_epoch = decode_znode_epoch("n", encode_znode("n", kEntries));
  ASSERT_FALSE(as_epoch);
  EXPECT_EQ(as_epoch.error().message, "holds something else than an epoch");
  const auto as_entries = decode_znode_entries("n", encode_znode("n", ZnodeEpoch{}));
  ASSERT_FALSE(as_entries);
  EXPECT_EQ(as_entries.error().message, "holds something else than entries");
  const auto as_nothing = decode_znode_entries("n", "");
  ASSERT_FALSE(as_nothing);
  EXPECT_EQ(as_nothing.error().message, "has 0 bytes, a frame alone takes 24");
}

TEST(Znode, TakesNoMoreBytesThanWereAddedUp) {
  for (const size_t size : {0u, 1u, 7u, 100u, 100000u}) {
    std::vector<ZnodeEntry> entries;
    size_t bytes = kZnodeFixedBytes;
    for (int i = 0; i < 20; ++i) {
      entries.push_back({.key = "k" + std::to_string(i), .value = std::string(size, 'x')});
      bytes += znode_bytes(entries.back());
    }
    EXPECT_LE(encode_znode("n", entries).size(), bytes);
  }
}

}  // namespace
}  // namespace tepui
