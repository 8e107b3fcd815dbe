// What holds of the controllers whatever a machine does.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "tests/agent/qos/colocated.h"

namespace tepui {
namespace {

QosSettings arbitrary_settings() {
  QosSettings settings =
      profile_named(*rc::gen::element<std::string_view>("conservative", "balanced", "aggressive"))
          .value();
  settings.policy = *rc::gen::weightedElement<QosPolicyKind>(
      {{6, QosPolicyKind::kRules}, {1, QosPolicyKind::kLoad}, {1, QosPolicyKind::kSerenity}});
  settings.load.threshold_5min_milli = 5000;
  settings.step_gap = std::chrono::milliseconds(*rc::gen::inRange(10, 2000));
  settings.corrections_per_minute = *rc::gen::inRange(1, 300);
  settings.innocent = std::chrono::seconds(*rc::gen::inRange(1, 120));
  return settings;
}

// Some guests whose wishes change at random for a while.
void populate(Colocated& machine) {
  const int paid = *rc::gen::inRange(1, 4);
  const int revocable = *rc::gen::inRange(0, 6);
  for (int each = 0; each < paid; ++each) machine.add_paid("paid" + std::to_string(each), 500);
  for (int each = 0; each < revocable; ++each) {
    machine.add_revocable("batch" + std::to_string(each), 500);
  }
}

void live(Colocated& machine, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (auto& [id, guest] : machine.guests) {
      if (*rc::gen::inRange(0, 3) == 0) guest.wants_milli = *rc::gen::inRange(0, 12'000);
      if (*rc::gen::inRange(0, 5) == 0) guest.memory_bytes = *rc::gen::inRange(0, 1 << 30);
    }
    machine.controller.on_machine({.load_5min_milli = *rc::gen::inRange(0, 6000)});
    machine.steps(*rc::gen::inRange(1, 60));
  }
}

TEST(QosProperty, OnlyRevocableWorkIsCorrected) {
  EXPECT_TRUE(rc::check([] {
    Colocated machine(arbitrary_settings(), 4000);
    populate(machine);
    live(machine, 20);
    for (const QosDecision& decision : machine.all) {
      if (decision.culprit.empty()) continue;
      RC_ASSERT(machine.guests.at(decision.culprit).revocable);
      RC_ASSERT(decision.corrections.cpu_max_milli >= 0);
      RC_ASSERT(decision.corrections.memory_high_bytes >= 0);
    }
    for (const auto& [id, guest] : machine.guests) {
      if (!guest.revocable) RC_ASSERT(guest.corrections.none() && !guest.gone);
    }
  }));
}

TEST(QosProperty, CalmUndoesEveryCorrection) {
  EXPECT_TRUE(rc::check([] {
    Colocated machine(arbitrary_settings(), 4000);
    populate(machine);
    live(machine, 15);
    for (auto& [id, guest] : machine.guests) guest.wants_milli = 0;
    machine.controller.on_machine({});
    // At most so many steps, each undone after a calm that has at most doubled to its maximum.
    for (int minutes = 0; minutes < 600; ++minutes) {
      machine.seconds(60);
      if (machine.controller.corrected().empty()) break;
    }
    machine.seconds(60 * 40);
    RC_ASSERT(machine.controller.corrected().empty());
    for (const auto& [id, guest] : machine.guests) {
      if (!guest.gone) RC_ASSERT(guest.corrections.none());
    }
    RC_ASSERT(machine.controller.offered_permille(Contended::kCpu) == 1000);
  }));
}

TEST(QosProperty, TheSameSamplesMakeTheSameDecisions) {
  EXPECT_TRUE(rc::check([] {
    const QosSettings settings = arbitrary_settings();
    Colocated first(settings, 4000);
    populate(first);
    QosController second(settings);
    for (const auto& [id, guest] : first.guests) {
      second.on_container(Colocated::facts(
          id.value, guest.revocable
                        ? revocable_resources("cpus", 1000) + revocable_resources("mem", 512'000)
                        : Resources::scalars({{"cpus", 1000}, {"mem", 512'000}})));
    }
    for (int round = 0; round < 100; ++round) {
      for (auto& [id, guest] : first.guests) {
        if (*rc::gen::inRange(0, 8) == 0) guest.wants_milli = *rc::gen::inRange(0, 12'000);
      }
      // Serenity chooses by the time of launch, in which the two differ; their order is the same.
      const std::map<ContainerId, Colocated::Guest> before = first.guests;
      const std::vector<QosDecision> a = first.step();
      for (const auto& [id, guest] : first.guests) {
        if (!before.at(id).gone) second.on_sample(id, guest.sample);
      }
      const std::vector<QosDecision> b = second.decide(first.now_);
      RC_ASSERT(a == b);
      for (const auto& [id, guest] : first.guests) {
        if (guest.gone) second.on_gone(id);
      }
    }
  }));
}

// The stated bound: of one resource at most one undoing in the calm of its rules.
TEST(QosProperty, DoesNotOscillateFasterThanItSays) {
  EXPECT_TRUE(rc::check([] {
    QosSettings settings = arbitrary_settings();
    settings.policy = QosPolicyKind::kRules;
    Colocated machine(settings, 4000);
    populate(machine);
    live(machine, 20);
    std::map<Contended, Instant> last;
    for (const QosDecision& decision : machine.all) {
      if (!decision.undone || decision.rule.starts_with("it did not help")) continue;
      Duration calm{};
      for (const QosRule& rule : settings.rules) {
        if (info_of(rule.signal).contended == decision.contended) calm = std::max(calm, rule.calm);
      }
      if (last.contains(decision.contended)) {
        RC_ASSERT(decision.at - last[decision.contended] >= calm);
      }
      last[decision.contended] = decision.at;
    }
  }));
}

}  // namespace
}  // namespace tepui
