#include "agent/agent_replay.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "agent/checkpoint_wire.h"
#include "agent/records_wire.h"
#include "common/wire.h"

namespace tepui {

namespace {

constexpr std::array<std::string_view, 28> kNames = {"unknown",
                                                     "head",
                                                     "memory_entry",
                                                     "recovered",
                                                     "connected",
                                                     "disconnected",
                                                     "master",
                                                     "launched",
                                                     "launch_failed",
                                                     "absent",
                                                     "exit",
                                                     "destroyed",
                                                     "appended",
                                                     "append_failed",
                                                     "executor",
                                                     "executor_lost",
                                                     "probed",
                                                     "checkpointed",
                                                     "checkpoint_failed",
                                                     "revocable",
                                                     "tunables",
                                                     "time",
                                                     "work",
                                                     "leave",
                                                     "shutdown",
                                                     "corrected",
                                                     "preempted",
                                                     "resize_failed"};

std::string_view name_of(uint8_t kind) { return kNames[kind < kNames.size() ? kind : 0]; }

Error error_of(JournalFields& in) {
  const int code = static_cast<int>(in.signed_number());
  return {.message = in.text(), .code = code};
}

std::optional<int32_t> optional_of(JournalFields& in) {
  const bool given = in.flag();
  const auto value = static_cast<int32_t>(in.signed_number());
  return given ? std::optional(value) : std::nullopt;
}

Corrections corrections_of(JournalFields& in) {
  Corrections corrections;
  corrections.idle = in.flag();
  corrections.cpu_max_milli = in.signed_number();
  corrections.cpu_time_permille = in.signed_number();
  corrections.cpuset_cpus = in.signed_number();
  corrections.memory_high_bytes = in.signed_number();
  corrections.io_max_bytes = in.signed_number();
  corrections.egress_max_bytes = in.signed_number();
  corrections.frozen = in.flag();
  return corrections;
}

}  // namespace

// An agent whose outputs go nowhere but into the hash.
struct AgentReplay::Machine final : AgentEffects {
  Machine(AgentMakeup makeup, EventSink& sink)
      : events(sink), agent(std::move(makeup), static_cast<AgentEffects&>(*this)) {
    agent.hash_outputs();
  }

  void on_event(const Event& event) override { events.on_event(event); }
  void send(const AgentToMaster&) override {}
  void reconnect(std::string_view) override {}
  void launch(const LaunchSpec&) override {}
  void adopt(const LaunchSpec&) override {}
  void cancel_launch(const ContainerId&) override {}
  void signal(const ContainerId&, int) override {}
  void kill(const ContainerId&) override {}
  void destroy(const ContainerId&) override {}
  void append(uint64_t, AgentRecord) override {}
  void resize(const ContainerId&, const IsolationPlan&) override {}
  void send_executor(SessionId, const AgentToExecutor&) override {}
  void close_executor(SessionId, std::string_view) override {}
  void probe(uint64_t, const CheckInfo&) override {}
  void end_probe(uint64_t) override {}
  void checkpoint(const AgentCheckpoint&) override {}
  void wake_at(Instant) override {}
  void exit(std::string_view) override {}

  EventSink& events;
  RecordedAgent agent;
};

AgentReplay::AgentReplay(std::span<const std::byte> journal, EventSink& events)
    : reader_(journal), events_(events) {}

AgentReplay::~AgentReplay() = default;

const Agent* AgentReplay::agent() const {
  return machine_ == nullptr ? nullptr : &machine_->agent.agent();
}

Result<bool> AgentReplay::step() {
  const uint64_t offset = reader_.offset();
  const std::optional<JournalRecord> record = TRY(reader_.next());
  if (!record) {
    progress_.torn = reader_.torn();
    return false;
  }
  ++progress_.records;
  progress_.now = record->now;
  newest_ = fmt::format("{} {}", name_of(record->kind), record->subject);
  Result<void> ran = machine_ == nullptr ? make(*record) : run(*record);
  if (!ran) {
    return std::unexpected(std::move(ran).error().in(
        fmt::format("record {} at offset {}", progress_.records, offset)));
  }
  return true;
}

Result<void> AgentReplay::make(const JournalRecord& record) {
  if (record.kind != static_cast<uint8_t>(AgentInput::kHead) || record.subject != kAgentJournal) {
    return fail("an agent's journal begins otherwise");
  }
  machine_ = std::make_unique<Machine>(TRY(read_agent_makeup(record.payload)), events_);
  return {};
}

Result<void> AgentReplay::run(const JournalRecord& record) {
  RecordedAgent& agent = machine_->agent;
  const Now now = record.now;
  const SessionId session{record.subject};
  JournalFields in(record.payload);
  switch (static_cast<AgentInput>(record.kind)) {
    case AgentInput::kHead:
      return fail("a second head");
    case AgentInput::kMemoryEntry: {
      std::string key = in.text();
      memory_.insert_or_assign(std::move(key), in.text());
      break;
    }
    case AgentInput::kRecovered:
      return run_recovery(record);
    case AgentInput::kConnected:
      agent.on_connected(now);
      break;
    case AgentInput::kDisconnected:
      agent.on_disconnected(now, in.text());
      break;
    case AgentInput::kMaster:
      agent.on_message(now,
                       TRY(decode_master_to_agent(AlignedBytes(record.payload).bytes())).message);
      return {};
    case AgentInput::kExecutor:
      agent.on_executor_message(
          now, session,
          TRY(decode_executor_to_agent(AlignedBytes(record.payload).bytes())).message);
      return {};
    case AgentInput::kExecutorLost:
      agent.on_executor_lost(now, session);
      break;
    case AgentInput::kLaunched:
    case AgentInput::kLaunchFailed:
    case AgentInput::kAbsent:
    case AgentInput::kExit:
    case AgentInput::kDestroyed:
    case AgentInput::kResizeFailed:
      TRY(run_container(record, in));
      break;
    case AgentInput::kAppended:
      agent.on_appended(now, record.subject);
      break;
    case AgentInput::kAppendFailed:
      agent.on_append_failed(now, error_of(in));
      break;
    case AgentInput::kProbed:
      agent.on_probed(now, record.subject, optional_of(in));
      break;
    case AgentInput::kCheckpointed:
      agent.on_checkpointed(now, record.subject);
      break;
    case AgentInput::kCheckpointFailed:
      agent.on_checkpoint_failed(now, record.subject, error_of(in));
      break;
    case AgentInput::kRevocable:
      agent.on_revocable(now, TRY(decode_checkpoint(in.text())).total);
      break;
    case AgentInput::kCorrected: {
      const ContainerId id{in.text()};
      agent.on_corrected(now, id, corrections_of(in));
      break;
    }
    case AgentInput::kPreempted: {
      const ContainerId id{in.text()};
      const bool at_once = in.flag();
      agent.on_preempted(now, id, at_once, in.text());
      break;
    }
    case AgentInput::kTunables:
      agent.on_tunables(now, read_agent_tunables(in));
      break;
    case AgentInput::kTime:
      agent.on_time(now);
      break;
    case AgentInput::kLeave:
      agent.on_leave(now);
      break;
    case AgentInput::kShutdown:
      agent.on_shutdown(now);
      break;
    case AgentInput::kWork:
      return run_turn(record);
    default:
      return fail(fmt::format("nobody knows what an input of kind {} is", record.kind));
  }
  if (!in.ok() || !in.at_end()) return fail("the record does not hold what its kind says");
  return {};
}

Result<void> AgentReplay::run_container(const JournalRecord& record, JournalFields& in) {
  RecordedAgent& agent = machine_->agent;
  const Now now = record.now;
  const ContainerId id{in.text()};
  switch (static_cast<AgentInput>(record.kind)) {
    case AgentInput::kLaunched:
      agent.on_launched(now, id, static_cast<int64_t>(record.subject));
      return {};
    case AgentInput::kLaunchFailed:
      agent.on_launch_failed(now, id, error_of(in));
      return {};
    case AgentInput::kAbsent:
      agent.on_absent(now, id);
      return {};
    case AgentInput::kDestroyed:
      agent.on_destroyed(now, id);
      return {};
    case AgentInput::kResizeFailed:
      agent.on_resize_failed(now, id, error_of(in));
      return {};
    default:
      break;
  }
  ExitRecord exit;
  exit.exit_status = optional_of(in);
  exit.signal = optional_of(in);
  exit.oom_killed = in.flag();
  exit.memory_peak_bytes = in.signed_number();
  exit.memory_usage_bytes = in.signed_number();
  exit.stderr_tail = in.text();
  agent.on_exit(now, id, exit);
  return {};
}

Result<void> AgentReplay::run_recovery(const JournalRecord& record) {
  if (record.subject > static_cast<uint64_t>(RecoveryKind::kAnew)) {
    return fail(fmt::format("nobody knows what a recovery of kind {} is", record.subject));
  }
  const RecoveredAgent memory = TRY(decode_memory(std::exchange(memory_, {})));
  machine_->agent.on_recovered(record.now, memory, static_cast<RecoveryKind>(record.subject));
  return {};
}

Result<void> AgentReplay::run_turn(const JournalRecord& record) {
  const uint64_t hash = machine_->agent.output_hash();
  if (hash != record.subject) return fail(differs(hash, record.subject));
  progress_.hash = hash;
  ++progress_.turns;
  machine_->agent.work(record.now);
  return {};
}

}  // namespace tepui
