#include "agent/id_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::HasSubstr;

TEST(IdRange, IsWrittenAsItIsRead) {
  for (const IdRange range : {kDefaultIds, IdRange{.first = 7, .count = 1},
                              IdRange{.first = 4'294'967'294, .count = 1}}) {
    EXPECT_EQ(parse_id_range(to_text(range)).value(), range);
  }
}

TEST(IdRange, IsNothingElse) {
  for (const char* text : {"", "1", "1:", ":1", "1:2:3", "1:2 ", "-1:2", "a:b", "4294967296:1"}) {
    EXPECT_THAT(parse_id_range(text).error().message, HasSubstr("is not FIRST:COUNT")) << text;
  }
  // The last id is nobody's, and none is beyond it.
  for (const char* text : {"1:0", "4294967295:1", "4294967294:2", "1:4294967295"}) {
    EXPECT_FALSE(parse_id_range(text).has_value()) << text;
  }
}

TEST(IdRange, IsDividedInWholes) {
  EXPECT_TRUE(check_divisible(kDefaultIds).has_value());
  EXPECT_TRUE(check_divisible({.first = 65'536, .count = 65'536}).has_value());
  EXPECT_THAT(check_divisible({.first = 65'535, .count = 65'536}).error().message,
              HasSubstr("among the ids of the machine"));
  EXPECT_THAT(check_divisible({.first = 65'536, .count = 65'537}).error().message,
              HasSubstr("not a multiple of 65536"));
}

}  // namespace
}  // namespace tepui
