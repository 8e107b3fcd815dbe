#include "common/resources.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tepui {
namespace {

Resources parsed(std::string_view text) {
  Result<Resources> result = Resources::parse(text);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
  return result.value_or(Resources());
}

std::string refusal(std::string_view text) {
  const Result<Resources> result = Resources::parse(text);
  return result ? "accepted: " + to_text(*result) : result.error().message;
}

std::string refusal(Resource item) {
  const Result<Resources> result = Resources::create({std::move(item)});
  return result ? "accepted: " + to_text(*result) : result.error().message;
}

ResourceKind reserved(std::string name, std::vector<std::string> roles) {
  ResourceKind kind{.name = std::move(name)};
  for (std::string& role : roles) {
    kind.reservations.push_back({.type = Reservation::Type::kDynamic, .role = std::move(role)});
  }
  return kind;
}

ResourceKind volume(std::string id, bool shared) {
  ResourceKind kind = reserved("disk", {"eng"});
  kind.disk = Disk{.persistence_id = std::move(id), .container_path = "data"};
  kind.shared = shared;
  return kind;
}

Resources one(ResourceKind kind, Amount amount, uint32_t shares = 1) {
  return Resources::create(
             {{.kind = make_kind(std::move(kind)), .amount = std::move(amount), .shares = shares}})
      .value();
}

TEST(Resources, AreReadAndWrittenAsPeopleDo) {
  const Resources all =
      parsed("cpus:4;mem:2GB; ports:[31000-32000, 40000-40000];zones:{b,a};cpus(eng):2");
  EXPECT_EQ(to_text(all),
            "cpus:4; cpus(eng):2; mem:2048; ports:[31000-32000,40000-40000]; zones:{a,b}");
  EXPECT_EQ(all.total_milli("cpus"), 6000);
  EXPECT_EQ(parsed("mem:1.5GB").total_milli("mem"), 1536000);
  EXPECT_EQ(parsed("disk:10").total_milli("disk"), 10000);
  EXPECT_EQ(parsed("cpus(*):1"), parsed("cpus:1"));
  EXPECT_EQ(parsed("ports:[5-6,1-3,4-4]"), parsed("ports:[1-6]"));
  EXPECT_EQ(parsed("cpus:1;cpus:2"), parsed("cpus:3"));
  EXPECT_TRUE(parsed("").empty());
  EXPECT_TRUE(parsed("cpus:0;ports:[]").empty());
  EXPECT_EQ(parsed(to_text(all)), all);
}

TEST(Resources, RefuseATextAndSayWhy) {
  EXPECT_EQ(refusal("cpus"), "'cpus' has no ':', expected one like cpus:4");
  EXPECT_EQ(refusal("cpus:-1"),
            "resource 'cpus': '-1' is not an amount, expected one like 1.5, [1-10] or {a,b}");
  EXPECT_EQ(refusal("cpus:2GB"),
            "resource 'cpus': '2GB' is not an amount, expected one like 1.5, [1-10] or {a,b}");
  EXPECT_EQ(refusal("mem:2XB"),
            "resource 'mem': '2XB' is not a size, expected a number and one of B, KB, MB, GB, TB");
  EXPECT_EQ(refusal("mem:100B"), "resource 'mem': '100B' is less than 0.001 MB");
  EXPECT_EQ(refusal("ports:[9-3]"), "resource 'ports': range 9-3 ends before it begins");
  EXPECT_EQ(refusal("ports:[9]"), "resource 'ports': '9' is not a range like 31000-32000");
  EXPECT_EQ(refusal("ports:[a-b]"), "resource 'ports': 'a' is not a whole number");
  EXPECT_EQ(refusal("ports:3"), "resource 'ports': expected ranges like [31000-32000]");
  EXPECT_EQ(refusal("cpus:[1-2]"), "resource 'cpus': expected a number");
  EXPECT_EQ(refusal("zones:{a b}"), "resource 'zones': set member 'a b' contains ' '");
  EXPECT_EQ(refusal("gpus:1.5"), "resource 'gpus': amount 1.5 is not a whole number");
  EXPECT_EQ(refusal("cpus(eng:1"), "'cpus(eng:1' has no ')' after the role");
  EXPECT_EQ(refusal("cpus(/eng):1"),
            "role '/eng' has an empty component, expected one like eng/search");
  EXPECT_EQ(refusal(":1"), "resource name is empty");
  EXPECT_EQ(refusal("cpus:100000000001"),
            "resource 'cpus': amount 100000000001 is above 100000000000");
  EXPECT_EQ(refusal("x:60000000000;x:60000000000"),
            "resource 'x': the sum of its amounts is too large");
  EXPECT_EQ(refusal("x:1;x:{a}"), "resource 'x': given with amounts of two types");
}

TEST(Resources, RefuseAKindThatCannotBe) {
  const auto kind = [](ResourceKind k) { return Resource{make_kind(std::move(k)), Amount{1000}}; };
  EXPECT_EQ(refusal(kind(reserved("cpus", {"eng", "ops"}))),
            "resource 'cpus': reservation to 'ops' does not refine the one to 'eng' before it");
  EXPECT_EQ(refusal(kind(reserved("cpus", {"*"}))),
            "resource 'cpus': a reservation needs a role other than '*'");
  ResourceKind refined = reserved("cpus", {"eng", "eng/web"});
  refined.reservations[1].type = Reservation::Type::kStatic;
  EXPECT_EQ(refusal(kind(refined)),
            "resource 'cpus': reservation to 'eng/web' is static, only the outermost may be");
  refined.reservations[1].type = Reservation::Type::kDynamic;
  refined.reservations[0].type = Reservation::Type::kStatic;
  EXPECT_EQ(refusal(kind(refined)), "accepted: cpus(eng/web):1");

  ResourceKind revocable = reserved("cpus", {"eng"});
  revocable.revocable = true;
  EXPECT_EQ(refusal(kind(revocable)), "resource 'cpus': a revocable resource cannot be reserved");
  ResourceKind revocable_volume = volume("v", false);
  revocable_volume.revocable = true;
  EXPECT_EQ(refusal(kind(revocable_volume)),
            "resource 'disk': a persistent volume cannot be revocable");
  EXPECT_EQ(refusal(kind({.name = "disk", .shared = true})),
            "resource 'disk': only a persistent volume can be shared");
  EXPECT_EQ(refusal(kind({.name = "mem", .disk = Disk{}})),
            "resource 'mem': only a resource named 'disk' can be a disk");
  EXPECT_EQ(refusal(Resource{plain_kind("cpus"), Amount{1000}, 2}),
            "resource 'cpus': 2 holders, expected 1");
  EXPECT_EQ(refusal(Resource{make_kind(volume("v", true)), Amount{1000}, 0}),
            "resource 'disk': 0 holders, expected 1 to 1048576");
  EXPECT_EQ(refusal(Resource{nullptr, Amount{1000}}), "a resource has no kind");
  EXPECT_EQ(refusal(Resource{plain_kind("cpus"), Amount{-1}}),
            "resource 'cpus': amount -0.001 is negative");
}

TEST(Resources, KeepWellKnownKindsWithoutACounter) {
  const KindRef cpus = plain_kind("cpus");
  EXPECT_EQ(cpus.use_count(), 0);
  EXPECT_EQ(cpus, make_kind({.name = "cpus"}));
  EXPECT_NE(cpus, make_kind({.name = "cpus", .revocable = true}));
  EXPECT_EQ(plain_kind("zones")->name, "zones");
}

TEST(Resources, ComeApartByKind) {
  const Resources plain = parsed("cpus:4;mem:100");
  const Resources held = one(reserved("cpus", {"eng"}), 2000);
  const Resources revocable = one({.name = "cpus", .revocable = true}, 1000);
  const Resources all = held + revocable + plain;
  EXPECT_EQ(all.items().size(), 4u);
  EXPECT_EQ(all.unreserved(), plain + revocable);
  EXPECT_EQ(all.revocable(), revocable);
  EXPECT_EQ(all.non_revocable(), plain + held);
  EXPECT_EQ(all.total_milli("cpus"), 7000);
  EXPECT_EQ(all.names(), (std::vector<std::string>{"cpus", "mem"}));
  EXPECT_FALSE(plain.contains(held));
  EXPECT_EQ(parsed("cpus:1;ports:[1-2]").scalars_only(), parsed("cpus:1"));
  EXPECT_EQ(to_text(revocable), "cpus:1 revocable");
  EXPECT_EQ(all.filter([](const Resource& item) { return item.name() == "mem"; }),
            parsed("mem:100"));
}

TEST(Resources, AreAllocatableToTheRoleTheyAreReservedToAndBelow) {
  const Resources free = parsed("mem:1");
  const Resources held = one(reserved("cpus", {"eng", "eng/web"}), 1000);
  const Resources all = free + held;
  EXPECT_EQ(all.allocatable_to("eng/web"), all);
  EXPECT_EQ(all.allocatable_to("eng/web/shop"), all);
  EXPECT_EQ(all.allocatable_to("eng"), free);
  EXPECT_EQ(all.allocatable_to("eng/webshop"), free);
  EXPECT_EQ(all.allocatable_to("*"), free);
}

TEST(Resources, CountTheHoldersOfASharedVolumeAndItsSpaceOnce) {
  const Resources once = one(volume("v", true), 5000);
  const Resources twice = once + once;
  EXPECT_EQ(twice.items().size(), 1u);
  EXPECT_EQ(twice.items()[0].shares, 2u);
  EXPECT_EQ(twice.total_milli("disk"), 5000);
  EXPECT_TRUE(twice.contains(once));
  EXPECT_FALSE(once.contains(twice));
  EXPECT_EQ(twice - once, once);
  EXPECT_TRUE((once - once).empty());
  // The same volume after it grew is not the same resource.
  EXPECT_FALSE(twice.contains(one(volume("v", true), 6000)));
  const Resources both = one(volume("v", true), 6000) + once;
  EXPECT_EQ(both.items().size(), 2u);
}

TEST(Resources, SubtractWhatIsThereAndNeverMore) {
  EXPECT_EQ(parsed("cpus:4;mem:10") - parsed("cpus:1;mem:10"), parsed("cpus:3"));
  EXPECT_EQ(parsed("cpus:1;mem:10").minus(parsed("cpus:4;gpus:1;mem:1")), parsed("mem:9"));
  EXPECT_EQ(parsed("ports:[1-10]") - parsed("ports:[1-1,4-5,10-10]"), parsed("ports:[2-3,6-9]"));
  EXPECT_EQ(parsed("z:{a,b,c}") - parsed("z:{b}"), parsed("z:{a,c}"));
  Resources own = parsed("cpus:4;ports:[1-3];z:{a}");
  own += own;
  EXPECT_EQ(own, parsed("cpus:8;ports:[1-3];z:{a}"));
  own -= own;
  EXPECT_TRUE(own.empty());
  EXPECT_DEATH(own -= parsed("cpus:1"), "CHECK failed: contained");
  Resources little = parsed("cpus:1");
  EXPECT_DEATH(little -= parsed("cpus:1.001"), "CHECK failed: contained");
}

TEST(Resources, KeepTheLargestNumbersOfARange) {
  const Resources top = parsed("ids:[18446744073709551610-18446744073709551615]");
  EXPECT_EQ(top + parsed("ids:[18446744073709551609-18446744073709551609]"),
            parsed("ids:[18446744073709551609-18446744073709551615]"));
  EXPECT_EQ(top - parsed("ids:[18446744073709551615-18446744073709551615]"),
            parsed("ids:[18446744073709551610-18446744073709551614]"));
  EXPECT_EQ(top - parsed("ids:[18446744073709551610-18446744073709551610]"),
            parsed("ids:[18446744073709551611-18446744073709551615]"));
}

TEST(Quantities, AddCompareAndNeverFallBelowZero) {
  Quantities sum = parsed("cpus:2;cpus(eng):1;mem:5;ports:[1-2]").quantities();
  EXPECT_EQ(sum.get("cpus"), 3000);
  EXPECT_EQ(sum.get("ports"), 0);
  Quantities part;
  part.add("cpus", 1000);
  part.add("gpus", 0);
  EXPECT_EQ(part.items().size(), 1u);
  EXPECT_TRUE(sum.contains(part));
  EXPECT_FALSE(part.contains(sum));
  part.add("mem", 6000);
  EXPECT_FALSE(sum.contains(part));
  sum.subtract(part);
  EXPECT_EQ(sum.get("cpus"), 2000);
  EXPECT_EQ(sum.items().size(), 1u);
  sum.add(sum);
  EXPECT_EQ(sum.get("cpus"), 4000);
}

TEST(Attributes, AreNumbersRangesSetsOrText) {
  const auto attributes =
      parse_attributes("rack:r12;cores:64; zones:{b,a};ports:[1-2,3-4];url:http://x:1;k:6.1.0")
          .value();
  EXPECT_EQ(to_text(attributes),
            "rack:r12;cores:64;zones:{a,b};ports:[1-4];url:http://x:1;k:6.1.0");
  EXPECT_EQ(std::get<int64_t>(attributes[1].value), 64000);
  EXPECT_EQ(std::get<std::string>(attributes[0].value), "r12");
  EXPECT_EQ(parse_attributes("rack").error().message,
            "'rack' has no ':', expected one like rack:r12");
  EXPECT_EQ(parse_attributes("rack:").error().message, "attribute 'rack' has no value");
  EXPECT_FALSE(parse_attributes("a b:c").has_value());
  EXPECT_FALSE(parse_attributes("p:[1-]").has_value());
}

TEST(MilliToText, ShowsOnlyTheDecimalsThatMatter) {
  EXPECT_EQ(milli_to_text(1500), "1.5");
  EXPECT_EQ(milli_to_text(2000), "2");
  EXPECT_EQ(milli_to_text(1), "0.001");
  EXPECT_EQ(milli_to_text(-50), "-0.05");
  EXPECT_EQ(milli_to_text(INT64_MIN), "-9223372036854775.808");
}

}  // namespace
}  // namespace tepui
