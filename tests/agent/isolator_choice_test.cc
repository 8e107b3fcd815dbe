#include "agent/isolator_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

IsolatorSet set_of(std::initializer_list<Isolator> isolators) {
  IsolatorSet set;
  for (const Isolator one : isolators) put(set, one);
  return set;
}

const IsolatorSet kByNameOnly =
    set_of({Isolator::kDiskImage, Isolator::kPorts, Isolator::kNoNewPrivileges});

TEST(IsolatorChoice, AutoWantsAllThatHarmNobodyAndRequiresNone) {
  const IsolatorChoice choice = parse_isolation({"auto"}).value();
  EXPECT_EQ(choice.wanted, ~kByNameOnly);
  EXPECT_TRUE(choice.required.none());
}

TEST(IsolatorChoice, NamesAreRequired) {
  const IsolatorChoice alone = parse_isolation({"cpu", "seccomp"}).value();
  EXPECT_EQ(alone.wanted, set_of({Isolator::kCpu, Isolator::kSeccomp}));
  EXPECT_EQ(alone.required, alone.wanted);
  const IsolatorChoice beside = parse_isolation({"auto", "memory"}).value();
  EXPECT_EQ(beside.wanted, parse_isolation({"auto"})->wanted);
  EXPECT_EQ(beside.required, set_of({Isolator::kMemory}));
}

TEST(IsolatorChoice, ALineInFrontLeavesOneOut) {
  const IsolatorChoice choice = parse_isolation({"-namespaces/pid", "auto"}).value();
  EXPECT_EQ(choice.wanted, ~(kByNameOnly | set_of({Isolator::kPidNamespace})));
}

TEST(IsolatorChoice, NoneIsNothing) {
  EXPECT_TRUE(parse_isolation({"none"})->wanted.none());
  EXPECT_TRUE(parse_isolation({})->wanted.none());
}

TEST(IsolatorChoice, RefusesWhatMakesNoSense) {
  EXPECT_THAT(parse_isolation({"cgroups/cpu"}).error().message,
              HasSubstr("'cgroups/cpu' is no isolator; expected auto, none, cpu, cpuset"));
  EXPECT_FALSE(parse_isolation({"-"}).has_value());
  EXPECT_FALSE(parse_isolation({"none", "cpu"}).has_value());
  EXPECT_FALSE(parse_isolation({"cpu", "-cpu"}).has_value());
}

TEST(IsolatorChoice, OfWhatIsMissingTheRequiredIsRefusedAndTheRestSaid) {
  const IsolatorChoice choice = parse_isolation({"auto", "memory"}).value();
  const UsableIsolators without =
      settle_isolation(choice, {{.isolator = Isolator::kCpu, .why = "it is bound to v1"}}).value();
  EXPECT_FALSE(has(without.usable, Isolator::kCpu));
  EXPECT_TRUE(has(without.usable, Isolator::kMemory));
  EXPECT_THAT(without.degraded, ElementsAre("no isolation by cpu: it is bound to v1"));
  const auto refused =
      settle_isolation(choice, {{.isolator = Isolator::kMemory, .why = "it is bound to v1"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message,
            "the isolator 'memory' is required, but not usable here: it is bound to v1");
  // Nobody asked for it.
  const auto unasked =
      settle_isolation(choice, {{.isolator = Isolator::kNoNewPrivileges, .why = "there is none"}});
  ASSERT_TRUE(unasked.has_value());
  EXPECT_TRUE(unasked->degraded.empty());
}

TEST(IsolatorChoice, HaveNamesThatAreRead) {
  for (size_t i = 0; i < kIsolatorCount; ++i) {
    const auto isolator = static_cast<Isolator>(i);
    EXPECT_EQ(parse_isolation({std::string(to_text(isolator))})->wanted, set_of({isolator}));
  }
}

}  // namespace
}  // namespace tepui
