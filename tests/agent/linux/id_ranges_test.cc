// Goal: no two containers have an id in common, whatever was remembered and however many come and
// go at once.

#include "agent/linux/id_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace tepui {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr uint32_t kFirst = 1'000'000;

class IdRangesTest : public testing::Test {
 protected:
  IdRangesTest() {
    std::string pattern = (fs::temp_directory_path() / "tepui-test-XXXXXX").string();
    top_ = mkdtemp(pattern.data());
  }
  ~IdRangesTest() override { fs::remove_all(top_); }

  // A life of the agent that remembers these containers.
  std::unique_ptr<IdRanges> open(const std::set<std::string>& known, uint32_t parts = 3,
                                 uint32_t first = kFirst) const {
    auto made =
        IdRanges::create(top_ / "ids", {.first = first, .count = parts * kIdsPerContainer}, known);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return *std::move(made);
  }

  fs::path top_;
};

TEST_F(IdRangesTest, AreEachContainersOwn) {
  const auto ranges = open({});
  const IdRange a = ranges->take({.value = "a"}).value();
  EXPECT_EQ(a, (IdRange{.first = kFirst, .count = 65'536}));
  EXPECT_EQ(ranges->take({.value = "b"})->first, kFirst + 65'536);
  EXPECT_EQ(ranges->take({.value = "a"}).value(), a) << "it has one";
  EXPECT_EQ(ranges->take({.value = "c"})->first, kFirst + 2 * 65'536);
  EXPECT_THAT(ranges->take({.value = "d"}).error().message,
              HasSubstr("all 3 ranges of --user-namespace-ids are taken"));
}

TEST_F(IdRangesTest, AreGivenAgainAsLateAsPossible) {
  const auto ranges = open({});
  const IdRange a = ranges->take({.value = "a"}).value();
  ranges->release({.value = "a"});
  ranges->release({.value = "a"});
  EXPECT_NE(ranges->take({.value = "b"}).value(), a);
  EXPECT_NE(ranges->take({.value = "c"}).value(), a);
  EXPECT_EQ(ranges->take({.value = "d"}).value(), a);
}

TEST_F(IdRangesTest, AreKeptOverARestartByThoseWhoLive) {
  IdRange b;
  {
    const auto ranges = open({});
    (void)ranges->take({.value = "a"});
    b = ranges->take({.value = "b"}).value();
  }
  const auto ranges = open({"b", "never-had-one"});
  EXPECT_FALSE(fs::is_symlink(top_ / "ids/a")) << "a is gone";
  EXPECT_EQ(ranges->take({.value = "c"})->first, kFirst);
  EXPECT_EQ(ranges->take({.value = "d"})->first, kFirst + 2 * 65'536);
  EXPECT_FALSE(ranges->take({.value = "e"}).has_value());
  EXPECT_EQ(ranges->take({.value = "b"}).value(), b);
}

TEST_F(IdRangesTest, DoNotMeetThoseThatWereGivenOfAnotherWhole) {
  {
    (void)open({})->take({.value = "a"});
  }
  // Begins in the middle of what a has.
  const auto ranges = open({"a"}, 2, kFirst + 32'768);
  EXPECT_EQ(ranges->take({.value = "b"})->first, kFirst + 32'768 + 65'536);
  EXPECT_FALSE(ranges->take({.value = "c"}).has_value());
}

TEST_F(IdRangesTest, AreNotGuessedWhereTheyCannotBeRead) {
  {
    (void)open({})->take({.value = "a"});
  }
  fs::remove(top_ / "ids/a");
  fs::create_symlink("elsewhere", top_ / "ids/a");
  const auto made = IdRanges::create(top_ / "ids", kDefaultIds, {"a"});
  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error().message, HasSubstr("ids/a: 'elsewhere' is not FIRST:COUNT"));
  EXPECT_TRUE(IdRanges::create(top_ / "ids", kDefaultIds, {}).has_value());
}

TEST_F(IdRangesTest, AreNotMixedUpByThreads) {
  constexpr uint32_t kParts = 8;
  const auto ranges = open({}, kParts);
  std::atomic<int> owners[kParts] = {};
  std::atomic<bool> met = false;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kParts; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 200; ++round) {
        const ContainerId id{.value = std::to_string(t) + "-" + std::to_string(round)};
        const Result<IdRange> range = ranges->take(id);
        if (!range) {
          met = true;
          return;
        }
        std::atomic<int>& owner = owners[(range->first - kFirst) / kIdsPerContainer];
        if (owner.fetch_add(1) != 0) met = true;
        owner.fetch_sub(1);
        ranges->release(id);
      }
    });
  }
  for (std::thread& one : threads) one.join();
  EXPECT_FALSE(met);
  EXPECT_TRUE(fs::is_empty(top_ / "ids"));
}

TEST_F(IdRangesTest, AreOnlyWhatThisProcessCanGive) {
  std::ifstream map("/proc/self/uid_map");
  uint64_t first = 0;
  uint64_t outside = 0;
  uint64_t count = 0;
  ASSERT_TRUE(map >> first >> outside >> count);
  if (count < 4'294'967'295) GTEST_SKIP() << "this test runs in a user namespace itself";
  EXPECT_TRUE(IdRanges::check(kDefaultIds).has_value());
  const auto beyond = IdRanges::check({.first = 4'294'967'000, .count = 65'536});
  ASSERT_FALSE(beyond.has_value());
  EXPECT_THAT(beyond.error().message, HasSubstr("are not in /proc/self/uid_map"));
}

}  // namespace
}  // namespace tepui
