// Whole files: bounded reads, and writes that leave the old content or the new one.

#include "common/io/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using testing::HasSubstr;

TEST(Files, ReadsWhatWasWritten) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  for (const size_t size : {0, 1, 65535, 65536, 65537, 300000}) {
    const std::string content(size, 'c');
    ASSERT_TRUE(write_file_durably(path, content).has_value());
    EXPECT_EQ(read_file(path, 1 << 20).value(), content);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(Files, RefusesTooMuchAndSaysWhatIsMissing) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  ASSERT_TRUE(write_file_durably(path, "0123456789").has_value());
  EXPECT_TRUE(read_file(path, 10).has_value());
  EXPECT_EQ(read_file(path, 9).error().message,
            path + " has more than the 9 bytes that are allowed");
  EXPECT_EQ(read_file(path + "x", 9).error().message,
            "cannot read " + path + "x: No such file or directory");
  EXPECT_THAT(read_file(directory.path(), 9).error().message, HasSubstr("Is a directory"));
}

TEST(Files, KeepTheOldContentWhenTheDiskIsFull) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  ASSERT_TRUE(write_file_durably(path, "old").has_value());
  const pid_t child = fork();
  if (child == 0) {
    // A limit on the size of files stands for a disk that is full.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto refused = write_file_durably(path, std::string(100000, 'n'));
    _exit(!refused.has_value() && refused.error().code == EFBIG ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(path, 1 << 20).value(), "old");
}

}  // namespace
}  // namespace tepui
