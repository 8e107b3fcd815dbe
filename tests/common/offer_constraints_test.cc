#include "common/offer_constraints.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/frameworks.h"
#include "common/limits.h"

namespace tepui {
namespace {

using Target = OfferConstraint::Target;
using Asks = OfferConstraint::Test;

// rack is there twice; cores is a scalar, slots ranges, tiers a set.
std::vector<Attribute> attributes() {
  auto attributes = parse_attributes("rack:r12;cores:64;slots:[1-4];tiers:{a,b};os:debian").value();
  attributes.push_back({.name = "rack", .value = std::string("r99")});
  return attributes;
}

bool allows(const std::vector<std::vector<std::string>>& groups, const AgentQuestion& agent) {
  std::vector<ConstraintGroup> parsed;
  for (const auto& group : groups) {
    ConstraintGroup& constraints = parsed.emplace_back();
    for (const std::string& text : group) constraints.push_back(parse_constraint(text).value());
  }
  return ConstraintFilter::create(parsed).value().allows(agent);
}

bool allows(const std::string& constraint) {
  const std::vector<Attribute> has = attributes();
  return allows({{constraint}},
                {.hostname = "node-7", .region = "eu", .zone = "", .attributes = has});
}

std::string refusal(std::vector<RoleConstraints> constraints) {
  const Result<void> result = validate(constraints);
  return result ? "accepted" : result.error().message;
}
std::string refusal(OfferConstraint constraint) {
  return refusal({{.role = "eng", .groups = {{std::move(constraint)}}}});
}
std::string parse_refusal(std::string_view text) {
  const auto result = parse_constraint(text);
  return result ? "accepted" : result.error().message;
}

TEST(OfferConstraints, AskWhetherAnAttributeExists) {
  EXPECT_TRUE(allows("rack"));
  EXPECT_TRUE(allows("cores"));
  EXPECT_FALSE(allows("gpu-model"));
  EXPECT_FALSE(allows("!rack"));
  EXPECT_FALSE(allows("!cores"));
  EXPECT_TRUE(allows("!gpu-model"));
}

TEST(OfferConstraints, CompareText) {
  EXPECT_TRUE(allows("rack=r12"));
  EXPECT_FALSE(allows("rack=r1"));
  EXPECT_FALSE(allows("rack!=r12"));
  EXPECT_TRUE(allows("rack!=r1"));
  EXPECT_FALSE(allows("gpu-model=a100")) << "what is not there equals nothing";
  EXPECT_TRUE(allows("gpu-model!=a100"));
}

TEST(OfferConstraints, MatchTheWholeText) {
  EXPECT_TRUE(allows("rack~r[0-9]+"));
  EXPECT_FALSE(allows("rack~[0-9]+")) << "a part of the text is not enough";
  EXPECT_FALSE(allows("rack!~r[0-9]+"));
  EXPECT_TRUE(allows("rack!~[0-9]+"));
  EXPECT_FALSE(allows("gpu-model~.*"));
  EXPECT_TRUE(allows("gpu-model!~.*"));
}

TEST(OfferConstraints, LeaveWhatIsNoTextToTheScheduler) {
  for (const std::string name : {"cores", "slots", "tiers"}) {
    for (const std::string test : {"=64", "=1", "!=64", "!=1", "~6.", "~x", "!~6.", "!~x"}) {
      EXPECT_TRUE(allows(name + test)) << name << test;
    }
  }
}

TEST(OfferConstraints, AskHostnameRegionAndZone) {
  EXPECT_TRUE(allows("hostname"));
  EXPECT_TRUE(allows("hostname=node-7"));
  EXPECT_FALSE(allows("hostname~node-[0-6]"));
  EXPECT_TRUE(allows("region=eu"));
  EXPECT_FALSE(allows("!region"));
  EXPECT_FALSE(allows("zone")) << "an agent without a domain has no zone";
  EXPECT_TRUE(allows("!zone"));
  EXPECT_TRUE(allows("zone!=z1"));
}

TEST(OfferConstraints, TakeTheFirstOfSeveralAttributesUnlessToldWhich) {
  EXPECT_TRUE(allows("rack[0]=r12"));
  EXPECT_TRUE(allows("rack[1]=r99"));
  EXPECT_FALSE(allows("rack=r99"));
  EXPECT_FALSE(allows("rack[2]"));
}

TEST(OfferConstraints, NeedAllOfAGroupAndAnyGroup) {
  const std::vector<Attribute> has = attributes();
  const AgentQuestion agent{.hostname = "node-7", .region = {}, .zone = {}, .attributes = has};
  EXPECT_TRUE(allows({{"rack=r12", "os=debian"}}, agent));
  EXPECT_FALSE(allows({{"rack=r12", "os=plan9"}}, agent));
  EXPECT_TRUE(allows({{"rack=r12", "os=plan9"}, {"hostname=node-7"}}, agent));
  EXPECT_FALSE(allows({{"rack=r1"}, {"os=plan9"}}, agent));
}

TEST(OfferConstraints, AreReadAndWrittenAlike) {
  for (const std::string text : {"rack", "!rack", "rack=r12", "rack!=r12", "rack~a|b", "rack!~a|b",
                                 "rack[3]=x", "hostname~node-.*", "region=eu", "!zone", "os=a=b"}) {
    const auto constraint = parse_constraint(text);
    ASSERT_TRUE(constraint.has_value()) << constraint.error().message;
    EXPECT_EQ(to_text(*constraint), text);
  }
  EXPECT_EQ(parse_constraint("hostname~\"node-.*\"").value(),
            (OfferConstraint{
                .target = Target::kHostname, .test = Asks::kTextMatches, .value = "node-.*"}));
}

TEST(OfferConstraints, RefusalOfTextSaysWhatIsWrong) {
  EXPECT_EQ(parse_refusal(""), "attribute name in '' is empty");
  EXPECT_EQ(parse_refusal("=x"), "attribute name in '=x' is empty");
  EXPECT_EQ(parse_refusal("!rack=x"),
            "'!rack=x' has a '!' in front, write NAME!=VALUE or NAME!~REGEX for an attribute that "
            "must differ");
  EXPECT_EQ(parse_refusal("rack[x]=1"), "'rack[x]=1': 'x' is not a number from 0 to 1000");
  EXPECT_EQ(parse_refusal("rack[1001]"), "'rack[1001]': '1001' is not a number from 0 to 1000");
  EXPECT_EQ(parse_refusal("rack]=1"), "'rack]=1' lacks a '['");
  EXPECT_EQ(parse_refusal("rack~("), "regular expression '(' is wrong: missing ): (");
}

TEST(OfferConstraints, RefusalSaysWhatIsWrong) {
  EXPECT_EQ(refusal(OfferConstraint{.attribute = "rack"}), "accepted");
  EXPECT_EQ(refusal({{.role = "eng", .groups = {}}}),
            "offer constraints of role 'eng': offer constraints have no group; leave the role out "
            "to be offered every agent");
  EXPECT_EQ(refusal({{.role = "eng", .groups = {{}}}}),
            "offer constraints of role 'eng': a group of offer constraints is empty");
  EXPECT_EQ(refusal(OfferConstraint{.attribute = ""}),
            "offer constraints of role 'eng': attribute name of an offer constraint is empty");
  EXPECT_EQ(refusal({.target = Target::kZone, .attribute = "rack"}),
            "offer constraints of role 'eng': offer constraint 'zone' names an attribute, but asks "
            "the hostname, region or zone");
  EXPECT_EQ(refusal({.attribute = "rack", .test = Asks::kNotExists, .value = "x"}),
            "offer constraints of role 'eng': offer constraint '!rack' only asks what exists, and "
            "has the value 'x'");
  EXPECT_EQ(refusal({.attribute = "rack", .index = 5000}),
            "offer constraints of role 'eng': offer constraint asks for attribute 'rack' number "
            "5000, at most 1000");
}

TEST(OfferConstraints, RegularExpressionsAreBounded) {
  const auto matches = [](std::string expression) {
    return refusal({.attribute = "a", .test = Asks::kTextMatches, .value = std::move(expression)});
  };
  EXPECT_EQ(matches("[a-z]+-[0-9]{1,4}"), "accepted");
  const std::string many = matches("(abc|def|ghi){20}");
  EXPECT_NE(many.find("at most 200 are allowed"), std::string::npos) << many;
  const std::string large = matches("((a{100}){10}){10}");
  EXPECT_NE(large.find("regular expression '((a{100}){10}){10}'"), std::string::npos) << large;
}

TEST(OfferConstraints, AreCounted) {
  const OfferConstraint plain{.attribute = "a"};
  const OfferConstraint expression{.attribute = "a", .test = Asks::kTextMatches, .value = "x"};
  RoleConstraints constraints{
      .role = "eng", .groups = {ConstraintGroup(limits::kConstraintsMax - 1, plain), {plain}}};
  EXPECT_EQ(refusal({constraints}), "accepted");
  constraints.groups.push_back({plain});
  EXPECT_EQ(refusal({constraints}),
            "framework has 1025 offer constraints, at most 1024 are allowed");
  constraints.groups = {ConstraintGroup(limits::kConstraintRegexesMax, expression)};
  EXPECT_EQ(refusal({constraints}), "accepted");
  constraints.groups.push_back({expression});
  EXPECT_EQ(refusal({constraints}),
            "framework has 65 offer constraints with a regular expression, at most 64 are allowed");
}

}  // namespace
}  // namespace tepui
