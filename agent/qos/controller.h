#pragma once
// QosController decides what is taken from revocable work so that nobody suffers who has paid. It
// is told of containers, of their samples and of the machine, and after each reading of all of them
// says what it does now; whoever asks it does that.
//
// Invariants: only containers that is_revocable() are ever a culprit. Whatever is done is in one
// decision, with its reason. All that is reversible is undone, the last first, when those that
// suffered have been well for the calm of the rule; a relapse doubles that time, up to calm_max, so
// that a resource sees at most one correction and its undoing in it. The same inputs make the same
// decisions: times come only from samples and arguments.
//
// Pure. Memory: some 3 kB a container.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/container_facts.h"
#include "agent/qos/decision.h"
#include "agent/qos/ladder.h"
#include "agent/qos/rate_limit.h"
#include "agent/qos/settings.h"
#include "agent/qos/signals.h"
#include "agent/qos/usage_history.h"
#include "common/result.h"

namespace tepui {

// What is known of the machine as a whole at one moment.
struct MachineSample {
  Instant at{};
  int64_t cpu_usage_ns = 0;  // of all processors, since boot
  int64_t load_5min_milli = 0;
  int64_t load_15min_milli = 0;
  int64_t memory_total_bytes = 0;
  int64_t memory_available_bytes = 0;
  bool operator==(const MachineSample&) const = default;
};

class QosController {
 public:
  // The settings are checked.
  explicit QosController(QosSettings settings);
  ~QosController();
  QosController(const QosController&) = delete;
  QosController& operator=(const QosController&) = delete;

  // What was done stays done, and is undone by the new rules.
  void on_settings(const QosSettings& settings);
  // New, or has other tasks. One without tasks is nobody's.
  void on_container(const ContainerFacts& facts);
  void on_gone(const ContainerId& id);

  void on_sample(const ContainerId& id, const Sample& sample);
  void on_machine(const MachineSample& sample);
  // A task said so itself.
  void on_reported(const ContainerId& id, Instant at, int64_t latency_us);
  // That was one reading of all. What is to be done, in order.
  std::vector<QosDecision> decide(Now now);

  const QosSettings& settings() const { return settings_; }
  // Of what is estimated to be unused, what may be offered.
  int64_t offered_permille(Contended contended) const;
  Corrections corrections_of(const ContainerId& id) const;

  // ---- for those who look
  struct Sufferer {
    ContainerId id;
    std::string rule;
    Signal signal = Signal::kCpuPressure;
    int64_t value = 0;
    int64_t threshold = 0;
    Instant since{};
  };
  std::vector<Sufferer> sufferers() const;  // by id and rule
  struct Corrected {
    ContainerId id;
    Corrections corrections;
    Instant since{};
    // When the next of its steps is undone, if nobody suffers until then; kNever: somebody does.
    Instant undone_at = kNever;
  };
  std::vector<Corrected> corrected() const;  // by id
  // The last kDecisionsKept, the oldest first.
  const std::deque<QosDecision>& decisions() const { return decisions_; }
  static constexpr size_t kDecisionsKept = 1024;

  struct Counts {
    std::array<uint64_t, kStepCount> taken{};
    std::array<uint64_t, kStepCount> undone{};
    uint64_t held_back = 0;  // by the limits on their rate
    uint64_t nobody = 0;     // somebody suffered, and no revocable work was to blame
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Watch {  // of one rule on one container
    Suffering history;
    std::optional<Instant> above_since;
    bool suffers = false;
    Instant since{};
    std::optional<int64_t> value;
  };
  struct Member {
    ContainerFacts facts;
    bool revocable = false;
    bool may_lose_memory = false;  // its memory is revocable, too
    WallTime launched_at{};
    ContainerSignals signals;
    UsageHistory usage;
    std::vector<Watch> watches;  // one for each rule; none of revocable work
    Ladder ladder;
    bool ending = false;   // evicted or killed, not gone yet
    bool sampled = false;  // in this reading
  };
  // How things stand with one resource.
  struct Front {
    bool hot = false;
    Instant hot_since{};
    Instant calm_since{};  // while it is not
    Duration calm{};       // to be waited; zero: as the rules say
    Instant last_step{};
    Instant last_undo{};
    bool ever_undone = false;
    Instant innocent_until{};
    int64_t raised_badness = 0;  // when it became hot
    int64_t offered_permille = 1000;
  };
  struct Worst {
    const Member* victim = nullptr;
    const QosRule* rule = nullptr;
    const Watch* watch = nullptr;
    int64_t badness = 0;  // of Suffering
  };

  void watch(Member& member);
  void fill_watches(Member& member) const;
  Front& front(Contended contended) { return fronts_[static_cast<size_t>(contended)]; }
  const Front& front(Contended contended) const { return fronts_[static_cast<size_t>(contended)]; }

  // ---- by rules
  void decide_by_rules(Now now, std::vector<QosDecision>& out);
  Worst worst_of(Contended contended) const;
  Duration gap_of(const Worst& worst) const;
  bool is_calm(Contended contended) const;
  Duration calm_of(Contended contended) const;
  void heat(Now now, Contended contended, const Worst& worst, std::vector<QosDecision>& out);
  void cool(Now now, Contended contended, std::vector<QosDecision>& out);
  void offer_less(Now now, Contended contended, const Worst& worst, std::vector<QosDecision>& out);
  bool correct(Now now, Contended contended, const Worst& worst, std::vector<QosDecision>& out);
  std::optional<Ladder::Taken> step_for(Now now, Contended contended, const Worst& worst,
                                        const Member& member) const;
  void give_up(Now now, Contended contended, const Worst& worst, std::vector<QosDecision>& out);
  bool undo_one(Now now, Contended contended, std::string_view why, std::vector<QosDecision>& out);
  void undo_all(Now now, Contended contended, std::string_view why, std::vector<QosDecision>& out);

  // ---- by killing
  void decide_by_load(Now now, std::vector<QosDecision>& out);
  void decide_by_serenity(Now now, std::vector<QosDecision>& out);
  void kill(Now now, Member& member, QosDecision decision, std::vector<QosDecision>& out);

  void say(QosDecision decision, std::vector<QosDecision>& out);

  QosSettings settings_;
  std::map<ContainerId, Member> members_;
  std::array<Front, kContendedCount> fronts_{};
  RateLimit corrections_;
  RateLimit evictions_;
  MachineSample machine_;
  uint64_t reading_ = 0;
  Instant last_kill_{};
  bool killed_once_ = false;
  Instant newest_{};
  std::deque<QosDecision> decisions_;
  Counts counts_;
};

}  // namespace tepui
