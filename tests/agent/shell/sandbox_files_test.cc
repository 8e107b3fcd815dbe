#include "agent/shell/sandbox_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "common/limits.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

class SandboxFilesTest : public testing::Test, public SandboxFilesOwner {
 protected:
  SandboxFilesTest() {
    std::filesystem::create_directories(sandbox() + "/logs");
    write(sandbox() + "/stdout", "hello world\n");
    write(directory.path() + "/secret", "secret");
    work_dir = Fd(open(directory.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  std::string sandbox() const { return directory.path() + "/runs/c"; }
  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  Result<SandboxBytes> read(std::string path, uint64_t offset = 0, uint32_t length = 4096) const {
    return read_sandbox_file(
        work_dir.get(),
        {.sandbox = "runs/c", .path = std::move(path), .offset = offset, .length = length});
  }
  void on_sandbox_read(uint64_t token, Result<SandboxBytes> bytes) override {
    answers.emplace_back(token, std::move(bytes));
  }

  test::TemporaryDirectory directory;
  Fd work_dir;
  std::vector<std::pair<uint64_t, Result<SandboxBytes>>> answers;
};

TEST_F(SandboxFilesTest, ReadsAPartOfAFile) {
  const Result<SandboxBytes> all = read("stdout");
  ASSERT_TRUE(all.has_value()) << all.error().message;
  EXPECT_EQ(all->data, "hello world\n");
  EXPECT_EQ(all->size, 12u);
  const Result<SandboxBytes> part = read("stdout", 6, 5);
  EXPECT_EQ(part->data, "world");
  EXPECT_EQ(part->offset, 6u);
}

TEST_F(SandboxFilesTest, GivesNothingBeyondTheEnd) {
  const Result<SandboxBytes> beyond = read("stdout", 100, 5);
  ASSERT_TRUE(beyond.has_value());
  EXPECT_EQ(beyond->data, "");
  EXPECT_EQ(beyond->offset, 12u);
  const Result<SandboxBytes> size = read("stdout", UINT64_MAX, 5);
  EXPECT_EQ(size->data, "");
  EXPECT_EQ(size->size, 12u);
}

TEST_F(SandboxFilesTest, BoundsWhatOneReadGives) {
  write(sandbox() + "/big", std::string(limits::kReadFileMax + 10, 'x'));
  const Result<SandboxBytes> bytes = read("big", 0, UINT32_MAX);
  EXPECT_EQ(bytes->data.size(), limits::kReadFileMax);
  EXPECT_EQ(bytes->size, limits::kReadFileMax + 10);
}

TEST_F(SandboxFilesTest, ReadsBelowDirectories) {
  write(sandbox() + "/logs/a", "a");
  EXPECT_EQ(read("logs/a")->data, "a");
}

TEST_F(SandboxFilesTest, RefusesPathsThatLeaveTheSandbox) {
  EXPECT_EQ(read("../../secret").error().message, "'../../secret' contains '..'");
  EXPECT_EQ(read("logs/..").error().message, "'logs/..' contains '..'");
  EXPECT_EQ(read("/etc/passwd").error().message,
            "'/etc/passwd' is absolute, expected a path relative to the sandbox");
  EXPECT_EQ(read("").error().message, "the path is empty, expected one like 'stdout'");
  EXPECT_FALSE(read(std::string("a\0b", 3)).has_value());
  EXPECT_FALSE(read(std::string(5000, 'a')).has_value());
  // Two dots inside a name are no way up.
  write(sandbox() + "/a..b", "fine");
  EXPECT_EQ(read("a..b")->data, "fine");
}

TEST_F(SandboxFilesTest, FollowsNoSymbolicLink) {
  std::filesystem::create_symlink(directory.path() + "/secret", sandbox() + "/link");
  std::filesystem::create_directory_symlink(directory.path(), sandbox() + "/up");
  EXPECT_EQ(read("link").error().message,
            "'link' leads through a symbolic link, which is not followed");
  EXPECT_FALSE(read("up/secret").has_value());
}

TEST_F(SandboxFilesTest, ReadsRegularFilesOnlyAndNeverBlocks) {
  ASSERT_EQ(mkfifo((sandbox() + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(read("fifo").error().message, "'fifo' is not a regular file");
  EXPECT_EQ(read("logs").error().message, "'logs' is not a regular file");
  EXPECT_EQ(read("absent").error().message, "the sandbox has no file 'absent'");
}

TEST_F(SandboxFilesTest, AnswersInALaterTurn) {
  const std::unique_ptr<Reactor> reactor = test::make_reactor();
  auto files = SandboxFiles::create(*reactor, *this, directory.path());
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_TRUE((*files)->start(7, {.sandbox = "runs/c", .path = "stdout", .length = 5}));
  EXPECT_TRUE((*files)->start(8, {.sandbox = "runs/c", .path = "absent", .length = 5}));
  EXPECT_TRUE(answers.empty());
  ASSERT_TRUE(test::run_until(*reactor, [this] { return answers.size() == 2; }));
  EXPECT_EQ(answers[0].first, 7u);
  EXPECT_EQ(answers[0].second->data, "hello");
  EXPECT_EQ(answers[1].first, 8u);
  EXPECT_FALSE(answers[1].second.has_value());
}

TEST_F(SandboxFilesTest, RefusesMoreReadsThanItsBound) {
  const std::unique_ptr<Reactor> reactor = test::make_reactor();
  auto files = SandboxFiles::create(*reactor, *this, directory.path());
  ASSERT_TRUE(files.has_value());
  size_t taken = 0;
  for (uint64_t token = 1; token <= limits::kSandboxReadsMax + 5; ++token) {
    if ((*files)->start(token, {.sandbox = "runs/c", .path = "stdout", .length = 5})) ++taken;
  }
  EXPECT_EQ(taken, limits::kSandboxReadsMax);
  ASSERT_TRUE(test::run_until(*reactor, [&] { return answers.size() == taken; }));
  EXPECT_TRUE((*files)->start(1, {.sandbox = "runs/c", .path = "stdout", .length = 5}));
}

TEST(SandboxFiles, NeedsAWorkDirectory) {
  const std::unique_ptr<Reactor> reactor = test::make_reactor();
  struct Nobody : SandboxFilesOwner {
    void on_sandbox_read(uint64_t, Result<SandboxBytes>) override {}
  } nobody;
  const auto files = SandboxFiles::create(*reactor, nobody, "/nonexistent");
  ASSERT_FALSE(files.has_value());
  EXPECT_EQ(files.error().message,
            "cannot open the work directory '/nonexistent': No such file or directory");
}

}  // namespace
}  // namespace tepui
