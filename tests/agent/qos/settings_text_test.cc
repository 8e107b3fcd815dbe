#include "agent/qos/settings_text.h"

#include <gtest/gtest.h>

#include "common/io/document_entries.h"

namespace tepui {
namespace {

Result<QosSettings> read(std::string_view toml) {
  const Result<Document> document = parse_toml(toml, "qos.toml");
  EXPECT_TRUE(document.has_value()) << document.error().message;
  return read_qos_settings(entries_in(document.value_or(Document()), "qos"));
}

std::string refusal(std::string_view toml) {
  const Result<QosSettings> settings = read(toml);
  return settings ? "accepted" : settings.error().message;
}

TEST(QosSettingsText, WithoutAnythingItIsTheBalancedProfile) {
  EXPECT_EQ(read("").value(), profile_named("balanced").value());
  EXPECT_EQ(read("[qos]\nprofile = \"aggressive\"\n").value(), profile_named("aggressive").value());
}

TEST(QosSettingsText, WhatIsShownIsReadBackToTheSame) {
  for (const std::string_view name : kProfiles) {
    const QosSettings settings = profile_named(name).value();
    const Result<QosSettings> again = read(to_toml(settings));
    ASSERT_TRUE(again.has_value()) << again.error().message << "\n" << to_toml(settings);
    EXPECT_EQ(*again, settings) << to_toml(settings);
  }
  QosSettings odd = profile_named("balanced").value();
  odd.rules.clear();
  odd.ladders[2].clear();
  odd.policy = QosPolicyKind::kSerenity;
  odd.load.threshold_5min_milli = 1234;
  odd.cpu_floor_milli = 75;
  odd.memory_floor_bytes = (64 << 20) + 1;
  EXPECT_EQ(read(to_toml(odd) + "").value().ladders[2], odd.ladders[2]);
  odd.rules.push_back({.name = "a \"b\" \\ c",
                       .signal = Signal::kDrops,
                       .threshold = 9,
                       .recovery = 3,
                       .hold = std::chrono::milliseconds(1500),
                       .calm = std::chrono::minutes(2),
                       .role = "web/front"});
  EXPECT_EQ(read(to_toml(odd)).value(), odd) << to_toml(odd);
}

TEST(QosSettingsText, OwnRulesReplaceThoseOfTheProfile) {
  const QosSettings settings = read(R"([qos]
step-gap = "1secs"
cpu-floor = 0.25
[qos.ladders]
cpu = ["idle", "freeze"]
io = []
[[qos.rules]]
name = "slow"
signal = "run_queue_p99"
threshold = 9000
recovery = 1000
[[qos.rules]]
signal = "memory_pressure"
threshold = 5
)")
                                   .value();
  ASSERT_EQ(settings.rules.size(), 2u);
  EXPECT_EQ(settings.rules[0].signal, Signal::kRunQueueLatency);
  EXPECT_EQ(settings.rules[1].name, "rule 2");
  EXPECT_EQ(settings.ladders[0], (std::vector{Step::kIdle, Step::kFreeze}));
  EXPECT_TRUE(settings.ladders[2].empty());
  EXPECT_FALSE(settings.ladders[1].empty()) << "as in the profile";
  EXPECT_EQ(settings.cpu_floor_milli, 250);
}

TEST(QosSettingsText, AnErrorSaysWhereAndWhatIsExpected) {
  EXPECT_EQ(refusal("[qos]\nprofile = \"bold\"\n"),
            "there is no profile \"bold\": there are conservative, balanced, aggressive");
  EXPECT_EQ(refusal("[qos]\n\npolicy = \"gentle\"\n"),
            "line 3: qos.policy: expected off, rules, load or serenity");
  EXPECT_EQ(refusal("[qos]\nstep-gap = 5\n"),
            "line 2: qos.step-gap: expected a time such as \"500ms\" or \"10secs\"");
  EXPECT_EQ(refusal("[qos]\ncpu-floor = \"much\"\n"),
            "line 2: qos.cpu-floor: expected a number such as 0.05");
  EXPECT_EQ(refusal("[qos.ladders]\ncpu = [\"nice\"]\n"),
            "line 2: qos.ladders.cpu[0]: expected one of offer-less, idle, cpu-max, cpuset, "
            "memory-high, io-max, egress, freeze, evict, kill");
  EXPECT_EQ(refusal("[qos.ladders]\ngpu = [\"idle\"]\n"),
            "line 2: qos.ladders.gpu[0]: expected ladders of cpu, memory, io or network");
  EXPECT_EQ(refusal("[[qos.rules]]\nname = \"a\"\nlevel = 3\n"),
            "line 3: qos.rules[0].level: expected name, signal, threshold, recovery, urgent, hold, "
            "calm or role in a rule");
  EXPECT_EQ(refusal("[[qos.rules]]\nname = \"a\"\n"), "qos: rule \"a\": threshold must be above 0");
  EXPECT_TRUE(refusal("[qos]\nsteps = 3\n")
                  .starts_with("line 2: qos.steps: expected profile, policy, step-gap"));
  EXPECT_EQ(refusal("[qos]\nstep-gap = \"1ms\"\n"),
            "qos: step_gap in ms is 1: it must be between 10 and 3600000");
}

}  // namespace
}  // namespace tepui
