#include "common/roles.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui {
namespace {

TEST(Roles, AcceptPathsOfComponents) {
  for (const char* role : {"*", "eng", "eng/search", "a/b/c", "a-b", "..a", "a.b", "\xc3\xa9"}) {
    EXPECT_TRUE(validate_role(role).has_value()) << role;
  }
  EXPECT_TRUE(validate_role(std::string(255, 'r')).has_value());
}

TEST(Roles, RefusalSaysWhatIsWrong) {
  const auto refusal = [](std::string_view role) { return validate_role(role).error().message; };
  EXPECT_EQ(refusal(""), "role is empty");
  EXPECT_EQ(refusal(std::string(256, 'r')), "role has 256 bytes, at most 255 are allowed");
  for (const char* role : {"/a", "a/", "a//b", "/"}) {
    EXPECT_NE(refusal(role).find("has an empty component"), std::string::npos) << role;
  }
  EXPECT_EQ(refusal("a/."), "role 'a/.' has the component '.'");
  EXPECT_EQ(refusal(".."), "role '..' has the component '..'");
  EXPECT_EQ(refusal("a/-b"), "role 'a/-b' has a component that begins with '-'");
  EXPECT_EQ(refusal("a/*"), "role 'a/*': '*' can only stand alone");
  EXPECT_EQ(refusal("a b"), "role 'a b' contains ' '");
  EXPECT_EQ(refusal("a\\b"), "role 'a\\b' contains '\\'");
  EXPECT_EQ(refusal("a\tb"), "role contains the control character 0x09");
}

TEST(Roles, DescendFromWhatIsAboveThem) {
  EXPECT_TRUE(is_descendant("a", "a/b"));
  EXPECT_TRUE(is_descendant("a", "a/b/c"));
  EXPECT_TRUE(is_descendant("a/b", "a/b/c"));
  EXPECT_FALSE(is_descendant("a", "a"));
  EXPECT_FALSE(is_descendant("a", "ab"));
  EXPECT_FALSE(is_descendant("a", "ab/c"));
  EXPECT_FALSE(is_descendant("b", "a/b"));
  EXPECT_FALSE(is_descendant("a/b", "a"));
}

TEST(Roles, PathNamesTheRoleAndItsAncestors) {
  using Path = std::vector<std::string_view>;
  EXPECT_EQ(role_path("a/b/c"), (Path{"a", "a/b", "a/b/c"}));
  EXPECT_EQ(role_path("a"), (Path{"a"}));
  EXPECT_EQ(role_path("*"), (Path{"*"}));
}

}  // namespace
}  // namespace tepui
