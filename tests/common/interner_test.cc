#include "common/interner.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui {
namespace {

TEST(Interner, GivesTheSameNumberForTheSameText) {
  Interner roles("role", 10);
  const Symbol eng = roles.hold("eng").value();
  const Symbol ops = roles.hold("ops").value();
  EXPECT_NE(eng, ops);
  EXPECT_EQ(roles.hold(std::string("eng")).value(), eng);
  EXPECT_EQ(roles.text(eng), "eng");
  EXPECT_EQ(roles.find("ops"), ops);
  EXPECT_EQ(roles.find("hr"), std::nullopt);
  EXPECT_EQ(roles.holds(eng), 2u);
  EXPECT_EQ(roles.size(), 2u);
}

TEST(Interner, ForgetsWhatNobodyHoldsAndUsesItsNumberAgain) {
  Interner roles("role", 10);
  const Symbol eng = roles.hold("eng").value();
  roles.hold(eng);
  roles.release(eng);
  EXPECT_EQ(roles.find("eng"), eng);
  roles.release(eng);
  EXPECT_EQ(roles.find("eng"), std::nullopt);
  EXPECT_EQ(roles.holds(eng), 0u);
  EXPECT_EQ(roles.hold("ops").value(), eng);
  EXPECT_EQ(roles.capacity(), 1u);
  EXPECT_DEATH(roles.release(Symbol{5}), "CHECK failed");
}

TEST(Interner, RefusesANewTextAtItsBound) {
  Interner roles("role", 2);
  const Symbol eng = roles.hold("eng").value();
  ASSERT_TRUE(roles.hold("ops").has_value());
  EXPECT_EQ(roles.hold("hr").error().message, "no room for role 'hr', at most 2 are allowed");
  EXPECT_TRUE(roles.hold("eng").has_value());
  roles.release(eng);
  roles.release(eng);
  EXPECT_TRUE(roles.hold("hr").has_value());
}

TEST(Interner, KeepsTextsInPlaceWhileItGrows) {
  Interner hosts("hostname", 5000);
  const Symbol first = hosts.hold("h").value();
  const std::string_view text = hosts.text(first);
  for (int i = 0; i < 4000; ++i) ASSERT_TRUE(hosts.hold("host" + std::to_string(i)).has_value());
  EXPECT_EQ(text, "h");
  EXPECT_EQ(hosts.text(hosts.find("host3999").value()), "host3999");
}

}  // namespace
}  // namespace tepui
