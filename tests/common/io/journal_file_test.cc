// A journal on disk holds what was appended, stays below its bound, ends when the disk does, and
// never stops the loop.
#include "common/io/journal_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/io/files.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using test::make_reactor;
using test::run_until;
using testing::ElementsAre;
using testing::HasSubstr;

struct Owner final : JournalOwner {
  void on_journal_ended(const std::string& why) override { ended.push_back(why); }
  std::vector<std::string> ended;
};

class JournalFileTest : public testing::Test {
 protected:
  std::unique_ptr<JournalFile> open(uint64_t bytes_max = 1 << 20) {
    auto made = JournalFile::create(
        *reactor_, {.directory = directory_, .name = "master", .bytes_max = bytes_max}, owner_);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made ? *std::move(made) : nullptr;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names = find_journals(directory_).value();
    for (std::string& name : names) name = std::filesystem::path(name).filename().string();
    return names;
  }
  size_t records_in(const std::string& path) const {
    const std::string bytes = read_file(path, 64 << 20).value();
    JournalReader reader(std::as_bytes(std::span(bytes)));
    size_t records = 0;
    for (auto record = reader.next(); record && *record; record = reader.next()) ++records;
    return records;
  }

  std::unique_ptr<Reactor> reactor_ = make_reactor();
  test::TemporaryDirectory temporary_;
  const std::string& directory_ = temporary_.path();
  Owner owner_;
};

const JournalRecord kRecord{.kind = 1, .subject = 7};

TEST_F(JournalFileTest, IsWrittenBesideTheLoop) {
  auto journal = open();
  ASSERT_TRUE(journal->append(kRecord));
  ASSERT_TRUE(journal->append(kRecord));
  journal->flush();
  EXPECT_TRUE(run_until(*reactor_, [&] { return records_in(journal->path()) == 2; }));
}

TEST_F(JournalFileTest, HoldsAllThatWasAppendedWhenItIsClosed) {
  auto journal = open();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(journal->append(kRecord));
    if (i % 7 == 0) journal->flush();
  }
  const std::string path = journal->path();
  journal.reset();
  EXPECT_EQ(records_in(path), 100u);
}

TEST_F(JournalFileTest, EachLifeBeginsANewOne) {
  open();
  open();
  EXPECT_THAT(names(), ElementsAre("master-000001.journal", "master-000002.journal"));
}

TEST_F(JournalFileTest, EndsAtItsBoundAndSaysSoOnce) {
  auto journal = open(100);
  EXPECT_TRUE(journal->append(kRecord));
  EXPECT_TRUE(journal->append(kRecord));
  EXPECT_FALSE(journal->append(kRecord));
  EXPECT_FALSE(journal->append(kRecord));
  EXPECT_THAT(owner_.ended, ElementsAre(HasSubstr("bound of 100 bytes")));
}

TEST_F(JournalFileTest, TheOldestMakeRoomForANewOne) {
  for (int life = 0; life < 5; ++life) {
    auto journal = open(400);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(journal->append(kRecord)) << life;
  }
  // 144 bytes each: one of them is below half of the bound.
  EXPECT_THAT(names(), ElementsAre("master-000004.journal", "master-000005.journal"));
}

TEST_F(JournalFileTest, EndsWhenTheDiskIsFull) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  auto journal = open();
  rlimit small = before;
  small.rlim_cur = 60;
  setrlimit(RLIMIT_FSIZE, &small);
  ASSERT_TRUE(journal->append(kRecord));
  ASSERT_TRUE(journal->append(kRecord));
  journal->flush();
  EXPECT_TRUE(run_until(*reactor_, [&] { return !owner_.ended.empty(); }));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(owner_.ended, ElementsAre(HasSubstr("cannot write")));
  EXPECT_FALSE(journal->append(kRecord));
  EXPECT_EQ(records_in(journal->path()), 1u);
}

TEST_F(JournalFileTest, ThatCannotBeMadeIsAnErrorThatNamesIt) {
  std::ofstream(directory_ + "/file") << "no directory";
  auto made = JournalFile::create(
      *reactor_, {.directory = directory_ + "/file", .name = "master", .bytes_max = 1}, owner_);
  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error().message, HasSubstr(directory_ + "/file"));
  EXPECT_THAT(find_journals(directory_).error().message, HasSubstr("holds no journal"));
}

}  // namespace
}  // namespace tepui
