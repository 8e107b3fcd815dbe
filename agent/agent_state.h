#pragma once
// The insides of Agent, shared by its two files: agent.cc has the conversation with the master and
// the way to the end, agent_machine.cc what comes from the machine.
//
// Pure.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "agent/agent.h"
#include "agent/operations.h"
#include "agent/registration.h"
#include "agent/workload.h"
#include "common/rng.h"

namespace tepui {

inline Registration::Backoff backoff_of(const AgentTunables& tunables) {
  return {.first = tunables.registration_backoff, .max = tunables.registration_backoff_max};
}

struct Agent::State {
  State(AgentConfig configuration, uint64_t seed, AgentEffects& given)
      : config(std::move(configuration)),
        effects(given),
        rng(seed),
        registration(backoff_of(config.tunables), rng.fork()),
        recorder(given),
        workload(config, rng.fork(), recorder, effects),
        operations(config, rng.fork(), effects) {}

  // The agent's way to its end.
  enum class Ending : uint8_t {
    kNo,
    kLeave,       // on_leave: what runs goes on
    kUnregister,  // on_shutdown: the master hears of it
    kRefused,     // ShutdownAgent: the master wants no more of us
    kDone,        // exit() was called
  };

  // ---- the session
  void lose_master(std::string_view why);
  void reconnect(std::string_view why);
  void register_now();
  ReregisterAgent describe() const;
  void refresh_total();
  // What the master says after an operation may build on it, and waits until that is durable.
  bool must_wait(const MasterToAgent& message) const;
  void hear(Now now, const MasterToAgent& message);
  void on_operations_moved(Now now);
  void remember_identity();
  // Whoever registers says what is so, and nothing of that may be forgotten.
  bool can_register() const { return !operations.busy() && !recorder.busy(); }
  void register_if_wanted();
  // Refuses what only a registered agent obeys.
  bool obeys(std::string_view name);

  void on(Now now, const HelloReply& message);
  void on(Now now, const Registered& message);
  void on(Now now, const LaunchTasks& message);
  void on(Now now, const KillTask& message);
  void on(Now now, const AcknowledgeUpdates& message);
  void on(Now now, const ShutdownFramework& message);
  void on(Now now, const ReconcileTasks& message);
  void on(Now now, const ApplyOperations& message);
  void on(Now now, const AcknowledgeOperationReports& message);
  void on(Now now, const Ping& message);
  void on(Now now, const ShutdownAgent& message);
  void on(Now now, const ErrorMessage& message);
  void on(Now now, const Goodbye& message);
  void on(Now now, const DrainAgent& message);
  void on(Now now, const LaunchGroup& message);
  void on(Now now, const RelayToExecutor& message);
  void on(Now now, const StopExecutor& message);
  void on(Now now, const ReregisterFully& message);

  // ---- the end
  void end_when_quiet(Now now);
  void end();
  void wake();

  AgentConfig config;
  std::optional<Resources> revocable;  // as on_revocable said last
  AgentEffects& effects;
  Rng rng;
  Registration registration;
  Recorder recorder;
  Workload workload;
  AgentOperations operations;
  std::deque<MasterToAgent> held;  // of this session, in order
  bool register_wanted = false;    // as soon as what is under way is durable
  bool compact = false;            // the master of this session takes compact re-registrations
  bool asked = false;              // it has been asked, and repeating that needs no more words
  bool whole_wanted = false;       // it needs the whole: the next request has it
  Ending ending = Ending::kNo;
  std::string ending_why;
  bool forgotten = false;
  Instant give_up_acks = kNever;
  Instant wake_asked = kNever;
};

}  // namespace tepui
