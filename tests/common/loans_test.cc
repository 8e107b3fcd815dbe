#include "common/loans.h"

#include <gtest/gtest.h>

#include <utility>

namespace tepui {
namespace {

Resources disk(Disk disk) {
  return *Resources::create(
      {{.kind = make_kind({.name = "disk", .disk = std::move(disk)}), .amount = int64_t{4000}}});
}

TEST(Loans, AreTheSameAmountsUnderAnotherKind) {
  const Resources regular = Resources::scalars({{"cpus", 1500}, {"mem", 64'000}});
  const Resources lent = as_revocable(regular);
  EXPECT_EQ(to_text(lent), "cpus:1.5 revocable; mem:64 revocable");
  EXPECT_EQ(as_regular(lent), regular);
  EXPECT_TRUE(lent.non_revocable().empty());
}

TEST(Loans, AreOfRegularScalarsThatCanBeCut) {
  const Resources plain = Resources::scalars({{"cpus", 1000}});
  const Resources path = disk({.source = Disk::Source::kPath, .source_root = "/d"});
  EXPECT_EQ(lendable(plain + path), plain + path);
  EXPECT_TRUE(lendable(disk({.source = Disk::Source::kMount, .source_root = "/d"})).empty());
  EXPECT_TRUE(lendable(*Resources::parse("cpus(eng):2;ports:[1-9]")).empty());
  EXPECT_TRUE(lendable(as_revocable(plain)).empty());
}

TEST(Loans, CommonPartIsWhatBothHave) {
  const Resources a = Resources::scalars({{"cpus", 1000}, {"mem", 64'000}});
  const Resources b = Resources::scalars({{"cpus", 3000}, {"disk", 1000}});
  EXPECT_EQ(common_part(a, b), Resources::scalars({{"cpus", 1000}}));
  EXPECT_TRUE(common_part(a, as_revocable(a)).empty());
}

}  // namespace
}  // namespace tepui
