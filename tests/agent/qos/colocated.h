#pragma once
// Colocated is a machine for tests of the controllers: containers that want processors, devices and
// memory, those that paid and revocable ones, whose samples a controller gets and whose corrections
// it obeys. What they suffer follows from what all of them do.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/qos/controller.h"

namespace tepui {

inline Resources revocable_resources(std::string name, int64_t milli) {
  Resource item{.kind = make_kind({.name = std::move(name), .revocable = true}), .amount = milli};
  return Resources::create({item}).value();
}

class Colocated {
 public:
  static constexpr Duration kStep = std::chrono::milliseconds(100);

  struct Guest {
    bool revocable = false;
    int64_t wants_milli = 0;  // processors
    int64_t wants_kb = 0;     // a second, to devices
    int64_t memory_bytes = 100 << 20;
    Corrections corrections{};
    bool gone = false;
    Sample sample{};
    int64_t used_milli = 0;
  };

  Colocated(QosSettings settings, int64_t cpus_milli)
      : controller(std::move(settings)), cpus_milli_(cpus_milli) {}

  static ContainerFacts facts(const std::string& id, Resources resources) {
    ContainerFacts facts{.id = {id},
                         .parent = {},
                         .framework_id = {"f"},
                         .framework_name = "f",
                         .executor_id = {id},
                         .executor_name = {},
                         .executor_resources = {},
                         .tasks = {}};
    facts.tasks.push_back({.id = {id},
                           .name = id,
                           .role = "web/front",
                           .resources = std::move(resources),
                           .limits = {},
                           .launched_at = WallTime(Duration(next_launch()))});
    return facts;
  }

  Guest& add_paid(const std::string& id, int64_t wants_milli) {
    controller.on_container(facts(id, Resources::scalars({{"cpus", 1000}, {"mem", 512'000}})));
    return add(id, {.revocable = false, .wants_milli = wants_milli});
  }
  Guest& add_revocable(const std::string& id, int64_t wants_milli) {
    controller.on_container(
        facts(id, revocable_resources("cpus", 1000) + revocable_resources("mem", 512'000)));
    return add(id, {.revocable = true, .wants_milli = wants_milli});
  }
  Guest& of(const std::string& id) { return guests.at(ContainerId{id}); }

  // A tenth of a second of work.
  void tick() {
    now_ = {.mono = now_.mono + kStep, .wall = now_.wall + kStep};
    run();
  }
  // One reading, and what is decided upon it.
  std::vector<QosDecision> step() {
    tick();
    for (auto& [id, guest] : guests) {
      if (!guest.gone) controller.on_sample(id, guest.sample);
    }
    std::vector<QosDecision> out = controller.decide(now_);
    for (const QosDecision& decision : out) obey(decision);
    all.insert(all.end(), out.begin(), out.end());
    return out;
  }
  void steps(int count) {
    for (int done = 0; done < count; ++done) (void)step();
  }
  void seconds(int count) { steps(count * 10); }

  size_t count(Step step, bool undone) const {
    return static_cast<size_t>(std::ranges::count_if(
        all, [&](const QosDecision& each) { return each.step == step && each.undone == undone; }));
  }
  int64_t used_milli() const {
    int64_t sum = 0;
    for (const auto& [id, guest] : guests) sum += guest.used_milli;
    return sum;
  }

  QosController controller;
  std::map<ContainerId, Guest> guests;
  std::vector<QosDecision> all;
  Now now_{.mono = Instant(std::chrono::hours(1)), .wall = WallTime(std::chrono::hours(1))};
  // Beyond what the guests want: somebody whom no correction reaches.
  int64_t stranger_milli = 0;

 private:
  static int64_t next_launch() {
    static int64_t last = 0;
    return ++last * 1'000'000'000;
  }
  Guest& add(const std::string& id, Guest guest) {
    guest.sample.cpu_usage_ns = 0;
    guest.sample.io_written_bytes = 0;
    guest.sample.io_read_bytes = 0;
    return guests[{id}] = guest;
  }

  static int64_t demand(const Guest& guest) {
    if (guest.gone || guest.corrections.frozen) return 0;
    int64_t wants = guest.wants_milli;
    if (guest.corrections.cpu_max_milli > 0) {
      wants = std::min(wants, guest.corrections.cpu_max_milli);
    }
    return wants;
  }

  // Those that paid wait as the processors are wanted by more than there are, half as much for what
  // runs in the idle class.
  void run() {
    int64_t wanted = stranger_milli;
    for (const auto& [id, guest] : guests) {
      const int64_t each = demand(guest);
      wanted += guest.corrections.idle ? each / 2 : each;
    }
    const int64_t excess = std::max<int64_t>(wanted - cpus_milli_, 0);
    for (auto& [id, guest] : guests) {
      Sample& sample = guest.sample;
      sample.at = now_.mono;
      guest.used_milli = wanted <= cpus_milli_
                             ? demand(guest)
                             : demand(guest) * cpus_milli_ / std::max<int64_t>(wanted, 1);
      sample.cpu_usage_ns = sample.cpu_usage_ns.value() + guest.used_milli * (kStep.count() / 1000);
      sample.memory_bytes = guest.memory_bytes;
      sample.run_queue_p99_ns = 200'000 + excess * 10'000;
      const int64_t kb = guest.corrections.frozen ? 0 : guest.wants_kb;
      sample.io_written_bytes = sample.io_written_bytes.value() + kb * 102;
    }
  }

  void obey(const QosDecision& decision) {
    if (decision.culprit.empty()) return;
    Guest& guest = guests.at(decision.culprit);
    guest.corrections = decision.corrections;
    if (decision.undone || is_reversible(decision.step)) return;
    guest.gone = true;
    guest.used_milli = 0;
    controller.on_gone(decision.culprit);
  }

  int64_t cpus_milli_;
};

}  // namespace tepui
