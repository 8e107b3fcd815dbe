// Values that their copies have in common.
#include "common/shared.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tepui {
namespace {

TEST(Shared, CopiesAreTheSameObject) {
  const Shared<std::string> one(std::string("text"));
  const Shared<std::string> copy = one;
  EXPECT_EQ(&*copy, &*one);
  EXPECT_EQ(copy->size(), 4u);
  EXPECT_EQ(copy, one);
}

TEST(Shared, EqualValuesAreEqualWhereverTheyAre) {
  const Shared<std::string> one(std::string("text"));
  const Shared<std::string> other(std::string("text"));
  EXPECT_NE(&*one, &*other);
  EXPECT_EQ(one, other);
  EXPECT_FALSE(one == Shared<std::string>(std::string("another")));
}

TEST(Shared, ThereIsAlwaysAValue) {
  Shared<std::string> one;
  EXPECT_EQ(*one, "");
  EXPECT_EQ(one, Shared<std::string>(std::string()));
  one = std::string("text");
  const Shared<std::string> taken = std::move(one);
  EXPECT_EQ(*taken, "text");
  EXPECT_EQ(*one, "") << "what was moved away";
}

}  // namespace
}  // namespace tepui
