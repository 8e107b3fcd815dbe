#include "agent/qos/settings.h"

#include <gtest/gtest.h>

#include <functional>

namespace tepui {
namespace {

std::string refusal(const std::function<void(QosSettings&)>& spoil) {
  QosSettings settings = profile_named("balanced").value();
  spoil(settings);
  const Result<void> checked = check(settings);
  return checked.has_value() ? "accepted" : checked.error().message;
}

TEST(QosSettings, EveryProfileIsValidAndTheyDiffer) {
  for (const std::string_view name : kProfiles) {
    const Result<QosSettings> profile = profile_named(name);
    ASSERT_TRUE(profile.has_value()) << name;
    const Result<void> checked = check(*profile);
    EXPECT_TRUE(checked.has_value()) << name << ": " << checked.error().message;
  }
  EXPECT_LT(profile_named("conservative")->rules[0].threshold,
            profile_named("balanced")->rules[0].threshold);
  EXPECT_LT(profile_named("balanced")->rules[0].threshold,
            profile_named("aggressive")->rules[0].threshold);
}

TEST(QosSettings, AnUnknownProfileIsAnsweredWithThoseThereAre) {
  EXPECT_EQ(profile_named("bold").error().message,
            "there is no profile \"bold\": there are conservative, balanced, aggressive");
}

TEST(QosSettings, AnErrorNamesTheRuleAndWhatIsRight) {
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules[1].threshold = 0; }),
            "rule \"processors are contended\": threshold must be above 0");
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules[1].signal = Signal::kReportedLatency; }),
            "rule \"processors are contended\": no task can report its latency yet, so it would "
            "never suffer");
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules[1].recovery = 101; }),
            "rule \"processors are contended\": recovery must be between 0 and the threshold, 100");
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules[0].urgent = 3; }),
            "rule \"waits for a processor\": urgent must be 0 (never) or at least the threshold, "
            "4000");
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules[2].calm = {}; }),
            "rule \"slower than usual\": calm must be between 100 ms and 24 h: without it "
            "corrections would oscillate");
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules[1].name = s.rules[0].name; }),
            "two rules have the name \"waits for a processor\"");
  EXPECT_EQ(refusal([](QosSettings& s) { s.step_gap = std::chrono::milliseconds(1); }),
            "step_gap in ms is 1: it must be between 10 and 3600000");
  EXPECT_EQ(refusal([](QosSettings& s) { s.serenity.drop_permille = 1000; }),
            "serenity.drop_permille is 1000: it must be between 1 and 999");
  EXPECT_EQ(refusal([](QosSettings& s) { s.rules.resize(33); }),
            "33 rules: at most 32 are allowed");
}

TEST(QosSettings, ALadderGoesFromMildToHarshAndFitsItsResource) {
  EXPECT_EQ(refusal([](QosSettings& s) { s.ladders[0] = {Step::kFreeze, Step::kIdle}; }),
            "ladder of cpu: idle is milder than freeze, it must come before it");
  EXPECT_EQ(refusal([](QosSettings& s) { s.ladders[1] = {Step::kCpuMax}; }),
            "ladder of memory: cpu-max does nothing about memory");
  EXPECT_EQ(refusal([](QosSettings& s) { s.ladders[0].clear(); }), "accepted");
}

TEST(QosSettings, NamesAreReadAsTheyAreWritten) {
  for (size_t step = 0; step < kStepCount; ++step) {
    EXPECT_EQ(step_named(name_of(static_cast<Step>(step))), static_cast<Step>(step));
  }
  for (const char* name : {"off", "rules", "load", "serenity"}) {
    EXPECT_EQ(name_of(policy_named(name).value()), name);
  }
  for (const char* name : {"cpu", "memory", "io", "network"}) {
    EXPECT_EQ(name_of(contended_named(name).value()), name);
  }
  EXPECT_FALSE(step_named("nice").has_value());
}

}  // namespace
}  // namespace tepui
