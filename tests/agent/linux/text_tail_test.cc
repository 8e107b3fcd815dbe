#include "agent/linux/text_tail.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

TEST(TextTail, KeepsWhatFits) {
  EXPECT_EQ(text_tail("one\ntwo\n", 100), "one\ntwo");
  EXPECT_EQ(text_tail("one\ntwo", 7), "one\ntwo");
  EXPECT_EQ(text_tail("", 7), "");
  EXPECT_EQ(text_tail("\n\n", 7), "");
}

TEST(TextTail, KeepsWholeLinesOfTheEnd) {
  EXPECT_EQ(text_tail("one\ntwo\nthree\n", 9), "two\nthree");
  EXPECT_EQ(text_tail("one\ntwo\nthree\n", 8), "three");
  EXPECT_EQ(text_tail("one\ntwo\nthree\n", 5), "three");
}

TEST(TextTail, CutsALineThatIsTooLongItself) {
  EXPECT_EQ(text_tail("abcdefgh", 3), "fgh");
  // Never inside of a character.
  EXPECT_EQ(text_tail("abc\xC3\xA9", 2), "\xC3\xA9");
  EXPECT_EQ(text_tail("abc\xC3\xA9", 1), "");
}

TEST(TextTail, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(text_tail("a\xFF"
                      "b",
                      100),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(text_tail("\xC0\xAF", 100), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong form";
  EXPECT_EQ(text_tail("\xED\xA0\x80", 100).size(), 9u) << "a surrogate";
  EXPECT_EQ(text_tail("\xE2\x82", 100).size(), 6u) << "cut short";
  EXPECT_EQ(text_tail("\xF4\x90\x80\x80", 100).size(), 12u) << "above the last code point";
  EXPECT_EQ(text_tail("\xE2\x82\xAC \xF0\x9F\x98\x80", 100), "\xE2\x82\xAC \xF0\x9F\x98\x80");
}

TEST(TextTail, ReplacesWhatATerminalWouldObey) {
  EXPECT_EQ(text_tail("a\x1B[2Jb\tc", 100), "a\xEF\xBF\xBD[2Jb\tc");
}

}  // namespace
}  // namespace tepui
