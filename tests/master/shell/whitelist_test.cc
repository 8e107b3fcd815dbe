#include "master/shell/whitelist.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

namespace tepui {
namespace {

using namespace std::chrono_literals;

TEST(Whitelist, HasAHostnameALine) {
  EXPECT_EQ(parse_whitelist(" a \n\n# all of them\nb # the other\r\nc"),
            (Hostnames{"a", "b", "c"}));
  EXPECT_TRUE(parse_whitelist("").empty());
}

TEST(Whitelist, TheStarIsNeverRead) { EXPECT_EQ(Whitelist("*").due(), kNever); }

TEST(Whitelist, TellsOnlyChangesAndKeepsWhatItReadLast) {
  char path[] = "/tmp/tepui-whitelist-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  close(fd);
  std::ofstream(path) << "a\n";
  Whitelist whitelist{path};
  const Instant start{1s};
  EXPECT_LE(whitelist.due(), start);
  const auto first = whitelist.read(start);
  ASSERT_TRUE(first.has_value() && first->has_value());
  EXPECT_EQ(**first, Hostnames{"a"});
  EXPECT_EQ(whitelist.due(), later(start, 5s));
  EXPECT_FALSE(whitelist.read(start)->has_value());
  std::ofstream(path) << "a\nb\n";
  EXPECT_EQ(**whitelist.read(start), (Hostnames{"a", "b"}));
  unlink(path);
  EXPECT_FALSE(whitelist.read(start).has_value());
  const auto again = whitelist.read(start);
  ASSERT_TRUE(again.has_value()) << "it is said once";
  EXPECT_FALSE(again->has_value());
}

}  // namespace
}  // namespace tepui
