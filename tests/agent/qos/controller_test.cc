#include "agent/qos/controller.h"

#include <gtest/gtest.h>

#include "tests/agent/qos/colocated.h"

namespace tepui {
namespace {

QosSettings balanced() { return profile_named("balanced").value(); }

QosSettings only(QosRule rule) {
  QosSettings settings = balanced();
  settings.rules = {std::move(rule)};
  return settings;
}

QosSettings waits_only() { return only(balanced().rules[0]); }

TEST(QosController, DoesNothingWhileAllAreWell) {
  Colocated machine(balanced(), 4000);
  machine.add_paid("web", 1000);
  machine.add_revocable("batch", 2000);
  machine.seconds(60);
  EXPECT_TRUE(machine.all.empty());
  EXPECT_TRUE(machine.controller.sufferers().empty());
  EXPECT_TRUE(machine.controller.corrected().empty());
}

TEST(QosController, CorrectsMildlyFirstAndUntilTheVictimIsWell) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 6000);
  machine.seconds(30);
  ASSERT_GE(machine.all.size(), 3u);
  EXPECT_EQ(machine.all[0].step, Step::kOfferLess);
  EXPECT_EQ(machine.all[0].offered_permille, 500);
  EXPECT_TRUE(machine.all[0].culprit.empty());
  EXPECT_EQ(machine.all[1].step, Step::kIdle);
  EXPECT_EQ(machine.all[1].culprit.value, "batch");
  EXPECT_EQ(machine.all[1].victim.value, "web");
  EXPECT_EQ(machine.all[1].rule, "waits for a processor");
  EXPECT_GT(machine.all[1].value, machine.all[1].threshold);
  EXPECT_EQ(machine.count(Step::kFreeze, false), 0u) << "less was enough";
  EXPECT_EQ(machine.count(Step::kEvict, false), 0u);
  EXPECT_GT(machine.of("batch").used_milli, 0);
}

TEST(QosController, StepsAreAGapApart) {
  QosRule rule = balanced().rules[0];
  rule.urgent = 0;
  Colocated machine(only(rule), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 64'000);
  machine.seconds(10);
  Instant last{};
  for (const QosDecision& decision : machine.all) {
    if (decision.step == Step::kOfferLess || decision.undone) continue;
    EXPECT_GE(decision.at - last, machine.controller.settings().step_gap);
    last = decision.at;
  }
  EXPECT_EQ(machine.count(Step::kIdle, false), 1u);
  EXPECT_GE(machine.count(Step::kCpuMax, false), 1u);
}

TEST(QosController, CalmUndoesEverything) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 8000);
  machine.seconds(20);
  EXPECT_FALSE(machine.of("batch").corrections.none());
  EXPECT_LT(machine.controller.offered_permille(Contended::kCpu), 1000);
  // The traffic ends.
  machine.of("web").wants_milli = 0;
  machine.of("batch").wants_milli = 3000;
  machine.seconds(300);
  EXPECT_TRUE(machine.of("batch").corrections.none());
  EXPECT_EQ(machine.controller.offered_permille(Contended::kCpu), 1000);
  EXPECT_TRUE(machine.controller.corrected().empty());
  for (size_t step = 0; step < kStepCount; ++step) {
    EXPECT_EQ(machine.count(static_cast<Step>(step), false),
              machine.count(static_cast<Step>(step), true));
  }
}

TEST(QosController, ARelapseDoublesTheCalm) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 8000);  // comes back as soon as it may
  machine.seconds(3600);
  size_t undone = 0;
  for (const QosDecision& decision : machine.all) undone += decision.undone ? 1 : 0;
  // With ten seconds of calm each there would be some 300.
  EXPECT_LT(undone, 40u);
  EXPECT_GT(undone, 1u);
}

TEST(QosController, BlamesWhoDoesItAndNotTheYoungest) {
  Colocated machine(waits_only(), 8000);
  machine.add_paid("web", 2000);
  machine.add_revocable("hog", 1000);
  machine.add_revocable("steady", 2000);
  machine.add_revocable("young", 1500);
  machine.seconds(5);
  EXPECT_TRUE(machine.all.empty());
  machine.of("hog").wants_milli = 9000;
  machine.seconds(1);
  ASSERT_GE(machine.all.size(), 2u);
  EXPECT_EQ(machine.all[1].culprit.value, "hog");
}

TEST(QosController, AnUrgentSignalFreezesAtOnce) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 1000);
  machine.seconds(2);
  machine.of("batch").wants_milli = 9000;  // 70 ms of waiting
  const std::vector<QosDecision> decisions = machine.step();
  ASSERT_FALSE(decisions.empty()) << "hold is for what is not urgent";
  EXPECT_EQ(decisions.back().step, Step::kFreeze);
  EXPECT_TRUE(machine.of("batch").corrections.frozen);
}

TEST(QosController, WhatDoesNotHelpIsUndoneAndNobodyIsEvicted) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 300);
  machine.stranger_milli = 9000;
  machine.seconds(30);
  EXPECT_GT(machine.controller.counts().nobody, 0u);
  EXPECT_TRUE(machine.of("batch").corrections.none());
  EXPECT_EQ(machine.count(Step::kEvict, false), 0u);
  const size_t before = machine.all.size();
  machine.seconds(20);
  EXPECT_EQ(machine.all.size(), before) << "and is left alone for a minute";
}

TEST(QosController, ThoseThatPaidAreNeverCulprits) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_paid("hog", 16'000);
  machine.seconds(60);
  for (const QosDecision& decision : machine.all) {
    EXPECT_TRUE(decision.culprit.empty()) << reason_of(decision);
  }
}

TEST(QosController, WhoGetsProcessorsOfItsOwnIsLeftAlone) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 8000);
  machine.seconds(2);
  EXPECT_FALSE(machine.controller.corrections_of({"batch"}).none());
  machine.controller.on_container(Colocated::facts("batch", Resources::scalars({{"cpus", 1000}})));
  EXPECT_TRUE(machine.controller.corrections_of({"batch"}).none());
  const size_t before = machine.all.size();
  machine.seconds(5);
  for (size_t each = before; each < machine.all.size(); ++each) {
    EXPECT_TRUE(machine.all[each].culprit.empty());
  }
}

TEST(QosController, RulesAreForTheirRole) {
  QosRule rule = balanced().rules[0];
  rule.role = "web/fr";
  Colocated other(only(rule), 4000);
  other.add_paid("web", 2000);
  other.add_revocable("batch", 9000);
  other.seconds(5);
  EXPECT_TRUE(other.all.empty()) << "web/front is not below web/fr";
  rule.role = "web";
  Colocated machine(only(rule), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 9000);
  machine.seconds(5);
  EXPECT_FALSE(machine.all.empty());
}

TEST(QosController, MemoryIsReclaimedBeforeSomebodyIsEvicted) {
  QosSettings settings = only({.name = "memory",
                               .signal = Signal::kMemoryPressure,
                               .threshold = 50,
                               .recovery = 10,
                               .urgent = 0,
                               .hold = {},
                               .calm = std::chrono::seconds(10),
                               .role = {}});
  Colocated machine(std::move(settings), 4000);
  Colocated::Guest& web = machine.add_paid("web", 1000);
  machine.add_revocable("batch", 1000).memory_bytes = 4LL << 30;
  int64_t stalled = 0;
  for (int step = 0; step < 1500 && !machine.of("batch").gone; ++step) {
    stalled += 30'000'000;
    web.sample.memory_some_ns = stalled;
    (void)machine.step();
  }
  EXPECT_TRUE(machine.of("batch").gone);
  EXPECT_GE(machine.count(Step::kMemoryHigh, false), 1u);
  EXPECT_EQ(machine.count(Step::kFreeze, false), 1u);
  EXPECT_EQ(machine.count(Step::kEvict, false), 1u);
  EXPECT_EQ(machine.all.back().step, Step::kEvict);
}

TEST(QosController, CorrectionsAreLimitedInTheirRate) {
  QosSettings settings = waits_only();
  settings.corrections_per_minute = 3;
  Colocated machine(std::move(settings), 4000);
  machine.add_paid("web", 2000);
  for (int each = 0; each < 20; ++each) {
    machine.add_revocable("batch" + std::to_string(each), 4000);
  }
  machine.seconds(10);
  size_t taken = 0;
  for (const QosDecision& decision : machine.all) {
    if (!decision.culprit.empty() && !decision.undone) ++taken;
  }
  EXPECT_EQ(taken, 3u);
  EXPECT_GT(machine.controller.counts().held_back, 0u);
}

TEST(QosController, OtherSettingsUndoWhatTheyWouldNotDo) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 9000);
  machine.seconds(3);
  EXPECT_FALSE(machine.of("batch").corrections.none());
  QosSettings off = balanced();
  off.policy = QosPolicyKind::kOff;
  machine.controller.on_settings(off);
  (void)machine.step();
  EXPECT_TRUE(machine.of("batch").corrections.none());
  EXPECT_EQ(machine.all.back().rule, "the policy has changed");
  machine.seconds(10);
  EXPECT_TRUE(machine.of("batch").corrections.none());
}

TEST(QosController, TheLoadPolicyKillsAllRevocableWork) {
  QosSettings settings = balanced();
  settings.policy = QosPolicyKind::kLoad;
  settings.load = {.threshold_5min_milli = 6000, .threshold_15min_milli = 0};
  Colocated machine(std::move(settings), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("one", 2000);
  machine.add_revocable("two", 2000);
  machine.controller.on_machine({.load_5min_milli = 6000, .load_15min_milli = 99'000});
  machine.seconds(1);
  EXPECT_TRUE(machine.all.empty()) << "at the threshold, and no other one is set";
  machine.controller.on_machine({.load_5min_milli = 6001});
  machine.seconds(1);
  EXPECT_EQ(machine.count(Step::kKill, false), 2u);
  EXPECT_FALSE(machine.of("web").gone);
}

TEST(QosController, SerenityKillsTheYoungestWhereUseDrops) {
  QosSettings settings = balanced();
  settings.policy = QosPolicyKind::kSerenity;
  Colocated machine(std::move(settings), 4000);
  machine.add_paid("web", 3000);
  machine.add_revocable("old", 500);
  machine.add_revocable("young", 500);
  machine.seconds(5);
  EXPECT_TRUE(machine.all.empty());
  machine.of("old").wants_milli = 30'000;
  machine.seconds(5);
  ASSERT_FALSE(machine.all.empty());
  EXPECT_EQ(machine.all[0].step, Step::kKill);
  EXPECT_EQ(machine.all[0].culprit.value, "young");
}

TEST(QosController, SaysWhoSuffersAndWhatIsCorrectedUntilWhen) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 5000);
  machine.steps(3);
  const auto sufferers = machine.controller.sufferers();
  ASSERT_EQ(sufferers.size(), 1u);
  EXPECT_EQ(sufferers[0].id.value, "web");
  EXPECT_EQ(sufferers[0].signal, Signal::kRunQueueLatency);
  const auto corrected = machine.controller.corrected();
  ASSERT_EQ(corrected.size(), 1u);
  EXPECT_EQ(corrected[0].undone_at, kNever);
  machine.of("web").wants_milli = 0;
  machine.of("batch").wants_milli = 1000;
  machine.steps(3);
  ASSERT_EQ(machine.controller.corrected().size(), 1u);
  EXPECT_GT(machine.controller.corrected()[0].undone_at, machine.now_.mono);
  EXPECT_LE(machine.controller.corrected()[0].undone_at,
            machine.now_.mono + std::chrono::seconds(11));
}

TEST(QosController, ADecisionCanBeRead) {
  Colocated machine(waits_only(), 4000);
  machine.add_paid("web", 2000);
  machine.add_revocable("batch", 5000);
  machine.steps(10);
  ASSERT_GE(machine.all.size(), 2u);
  EXPECT_EQ(effect_of(machine.all[0]), "50 % of unused cpu is offered");
  EXPECT_EQ(effect_of(machine.all[1]), "idle class");
  EXPECT_EQ(reason_of(machine.all[1]),
            "waits for a processor: run_queue_p99 of web is 30200 us, above 4000 us");
  EXPECT_EQ(reason_of(machine.all[1], "shop"),
            "waits for a processor: run_queue_p99 of shop is 30200 us, above 4000 us");
}

}  // namespace
}  // namespace tepui
