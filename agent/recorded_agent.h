#pragma once
// RecordedAgent is an Agent with a recorder before it: every input can be written to a journal
// (common/journal.h) as it comes, and every output goes into a running hash, so that a replay of
// the journal can prove that it did the same.
//
// Invariant: while a journal is open, what is in it is all that the agent was told since it was
// made, what an earlier life remembered included. So it is opened before on_recovered() or not at
// all, and it ends for good at its bound.
//
// Without a journal it costs a branch an input and an output. Pure, one thread.

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "agent/agent.h"
#include "common/journal.h"
#include "common/output_hash.h"
#include "common/wire.h"

namespace tepui {

// What happened to an agent. The numbers stay: journals of other builds are read.
enum class AgentInput : uint8_t {
  kHead = 1,         // subject: kAgentJournal. With what it was made
  kMemoryEntry = 2,  // of the memory that the next kRecovered brings
  kRecovered = 3,    // subject: RecoveryKind
  kConnected = 4,
  kDisconnected = 5,
  kMaster = 6,
  kLaunched = 7,  // subject: the process id
  kLaunchFailed = 8,
  kAbsent = 9,
  kExit = 10,
  kDestroyed = 11,
  kAppended = 12,  // subject: serial
  kAppendFailed = 13,
  kExecutor = 14,  // subject: session, for this and the next
  kExecutorLost = 15,
  kProbed = 16,        // subject: its number
  kCheckpointed = 17,  // subject: serial, for this and the next
  kCheckpointFailed = 18,
  kRevocable = 19,
  kTunables = 20,
  kTime = 21,
  kWork = 22,  // subject: the hash of all outputs before this input
  kLeave = 23,
  kShutdown = 24,
  kCorrected = 25,
  kPreempted = 26,
  kResizeFailed = 27,
};
inline constexpr uint64_t kAgentJournal = 0x4147454e54000001;  // "AGENT", version 1

// All that makes an agent what it is before its first input.
struct AgentMakeup {
  AgentConfig config;
  uint64_t seed = 0;
};

void write_makeup(JournalWriter& out, const AgentMakeup& makeup);
Result<AgentMakeup> read_agent_makeup(std::span<const std::byte> payload);
void write_tunables(JournalWriter& out, const AgentTunables& tunables);
AgentTunables read_agent_tunables(JournalFields& in);

class RecordedAgent final : private AgentEffects {
 public:
  // `effects` outlives it.
  RecordedAgent(AgentMakeup makeup, AgentEffects& effects);

  // Before the first input. The sink outlives the agent.
  void record_to(JournalSink& sink, Now now);
  bool recording() const { return sink_ != nullptr; }
  // Hashes outputs without a journal, for a replay.
  void hash_outputs() { hashing_ = true; }
  uint64_t output_hash() const { return hash_.value(); }

  // As of Agent.
  void on_recovered(Now now, const RecoveredAgent& memory, RecoveryKind kind);
  void on_connected(Now now);
  void on_disconnected(Now now, std::string_view why);
  void on_message(Now now, const MasterToAgent& message);
  void on_launched(Now now, const ContainerId& id, int64_t pid);
  void on_launch_failed(Now now, const ContainerId& id, const Error& error);
  void on_absent(Now now, const ContainerId& id);
  void on_exit(Now now, const ContainerId& id, const ExitRecord& record);
  void on_destroyed(Now now, const ContainerId& id);
  void on_resize_failed(Now now, const ContainerId& id, const Error& error);
  void on_appended(Now now, uint64_t serial);
  void on_append_failed(Now now, const Error& error);
  void on_executor_message(Now now, SessionId from, const ExecutorToAgent& message);
  void on_executor_lost(Now now, SessionId session);
  void on_probed(Now now, uint64_t number, std::optional<int32_t> value);
  void on_checkpointed(Now now, uint64_t serial);
  void on_checkpoint_failed(Now now, uint64_t serial, const Error& error);
  void on_revocable(Now now, const Resources& revocable);
  void on_corrected(Now now, const ContainerId& id, const Corrections& corrections);
  void on_preempted(Now now, const ContainerId& id, bool at_once, std::string_view why);
  void on_tunables(Now now, const AgentTunables& tunables);
  void on_time(Now now);
  void on_leave(Now now);
  void on_shutdown(Now now);
  // A turn in which the agent was told nothing has no work, and is not recorded: writing a journal
  // makes turns of its own.
  void work(Now now);

  // Questions, which change nothing.
  const Agent& agent() const { return agent_; }

 private:
  void record(AgentInput kind, Now now, uint64_t subject, std::span<const std::byte> payload = {});
  // With fields, which are written only if there is a journal.
  template <class Write>
    requires std::invocable<Write, JournalWriter&>
  void record(AgentInput kind, Now now, uint64_t subject, Write&& write);
  JournalWriter& fields();
  void hash_text(uint64_t verb, std::string_view text);
  void hash_number(uint64_t verb, uint64_t number);
  bool hashes() const { return sink_ != nullptr || hashing_; }

  // AgentEffects
  void on_event(const Event& event) override;
  void send(const AgentToMaster& message) override;
  void reconnect(std::string_view why) override;
  void launch(const LaunchSpec& spec) override;
  void adopt(const LaunchSpec& spec) override;
  void cancel_launch(const ContainerId& id) override;
  void signal(const ContainerId& id, int signal_number) override;
  void kill(const ContainerId& id) override;
  void destroy(const ContainerId& id) override;
  void append(uint64_t serial, AgentRecord record) override;
  void resize(const ContainerId& id, const IsolationPlan& plan) override;
  void send_executor(SessionId to, const AgentToExecutor& message) override;
  void close_executor(SessionId session, std::string_view why) override;
  void probe(uint64_t number, const CheckInfo& check) override;
  void end_probe(uint64_t number) override;
  void checkpoint(const AgentCheckpoint& checkpoint) override;
  void wake_at(Instant when) override;
  void exit(std::string_view why) override;

  const AgentMakeup makeup_;
  AgentEffects& effects_;
  Agent agent_;
  JournalSink* sink_ = nullptr;  // null: nothing is recorded (any more)
  bool hashing_ = false;
  bool work_due_ = true;  // there was an input
  Encoder encoder_;       // of inputs, and of outputs for their hash
  JournalWriter fields_;
  OutputHash hash_;
};

}  // namespace tepui
