#include "agent/recorded_agent.h"

#include <utility>
#include <variant>

#include "agent/checkpoint_wire.h"
#include "agent/records_wire.h"

namespace tepui {

namespace {

// What an output was, in the hash.
enum Verb : uint64_t {
  kEvent = 1,
  kToMaster,
  kReconnect,
  kLaunch,
  kAdopt,
  kSignal,
  kKill,
  kDestroy,
  kAppend,
  kResize,
  kToExecutor,
  kCloseExecutor,
  kProbe,
  kEndProbe,
  kCheckpoint,
  kWakeAt,
  kExit,
  kCancelLaunch,
};

// What there is in the memory of an earlier life, as records that make it again.
std::vector<AgentRecord> records_of(const RecoveredAgent& memory) {
  std::vector<AgentRecord> records;
  if (memory.identity) records.emplace_back(*memory.identity);
  for (const record::Framework& one : memory.frameworks) records.emplace_back(one);
  for (const record::Executor& one : memory.executors) records.emplace_back(one);
  for (const RecoveredTask& task : memory.tasks) {
    records.emplace_back(task.accepted);
    if (task.course.task != 0) records.emplace_back(task.course);  // else there is none yet
    for (const record::Status& status : task.waiting) records.emplace_back(status);
  }
  return records;
}

}  // namespace

RecordedAgent::RecordedAgent(AgentMakeup makeup, AgentEffects& effects)
    : makeup_(std::move(makeup)),
      effects_(effects),
      // The base is private to others, not to us.
      agent_(makeup_.config, makeup_.seed, static_cast<AgentEffects&>(*this)) {}

void RecordedAgent::record_to(JournalSink& sink, Now now) {
  sink_ = &sink;
  write_makeup(fields(), makeup_);
  record(AgentInput::kHead, now, kAgentJournal, fields_.payload());
}

JournalWriter& RecordedAgent::fields() {
  fields_.clear();
  return fields_;
}

void RecordedAgent::record(AgentInput kind, Now now, uint64_t subject,
                           std::span<const std::byte> payload) {
  work_due_ = true;
  if (sink_ == nullptr) return;
  const bool goes_on = sink_->append(
      {.kind = static_cast<uint8_t>(kind), .now = now, .subject = subject, .payload = payload});
  if (!goes_on) sink_ = nullptr;
}

template <class Write>
  requires std::invocable<Write, JournalWriter&>
void RecordedAgent::record(AgentInput kind, Now now, uint64_t subject, Write&& write) {
  work_due_ = true;
  if (sink_ == nullptr) return;
  write(fields());
  record(kind, now, subject, fields_.payload());
}

// -------------------------------------------------------------------------------------- inputs

void RecordedAgent::on_recovered(Now now, const RecoveredAgent& memory, RecoveryKind kind) {
  if (sink_ != nullptr) {
    for (const AgentRecord& one : records_of(memory)) {
      for (const StoreWrite& write : encode_record(one)) {
        if (!write.value) continue;
        record(AgentInput::kMemoryEntry, now, 0,
               fields().text(write.key).text(*write.value).payload());
      }
    }
  }
  record(AgentInput::kRecovered, now, static_cast<uint64_t>(kind));
  agent_.on_recovered(now, memory, kind);
}

void RecordedAgent::on_connected(Now now) {
  record(AgentInput::kConnected, now, 0);
  agent_.on_connected(now);
}

void RecordedAgent::on_disconnected(Now now, std::string_view why) {
  record(AgentInput::kDisconnected, now, 0, [&](JournalWriter& out) { out.text(why); });
  agent_.on_disconnected(now, why);
}

void RecordedAgent::on_message(Now now, const MasterToAgent& message) {
  work_due_ = true;
  if (sink_ != nullptr) record(AgentInput::kMaster, now, 0, encoder_.encode(0, message));
  agent_.on_message(now, message);
}

void RecordedAgent::on_launched(Now now, const ContainerId& id, int64_t pid) {
  record(AgentInput::kLaunched, now, static_cast<uint64_t>(pid),
         [&](JournalWriter& out) { out.text(id.value); });
  agent_.on_launched(now, id, pid);
}

void RecordedAgent::on_launch_failed(Now now, const ContainerId& id, const Error& error) {
  record(AgentInput::kLaunchFailed, now, 0, [&](JournalWriter& out) {
    out.text(id.value).number(int64_t{error.code}).text(error.message);
  });
  agent_.on_launch_failed(now, id, error);
}

void RecordedAgent::on_absent(Now now, const ContainerId& id) {
  record(AgentInput::kAbsent, now, 0, [&](JournalWriter& out) { out.text(id.value); });
  agent_.on_absent(now, id);
}

void RecordedAgent::on_exit(Now now, const ContainerId& id, const ExitRecord& record_) {
  record(AgentInput::kExit, now, 0, [&](JournalWriter& out) {
    out.text(id.value)
        .flag(record_.exit_status.has_value())
        .number(int64_t{record_.exit_status.value_or(0)})
        .flag(record_.signal.has_value())
        .number(int64_t{record_.signal.value_or(0)})
        .flag(record_.oom_killed)
        .number(record_.memory_peak_bytes)
        .number(record_.memory_usage_bytes)
        .text(record_.stderr_tail);
  });
  agent_.on_exit(now, id, record_);
}

void RecordedAgent::on_destroyed(Now now, const ContainerId& id) {
  record(AgentInput::kDestroyed, now, 0, [&](JournalWriter& out) { out.text(id.value); });
  agent_.on_destroyed(now, id);
}

void RecordedAgent::on_resize_failed(Now now, const ContainerId& id, const Error& error) {
  record(AgentInput::kResizeFailed, now, 0, [&](JournalWriter& out) {
    out.text(id.value).number(int64_t{error.code}).text(error.message);
  });
  agent_.on_resize_failed(now, id, error);
}

void RecordedAgent::on_appended(Now now, uint64_t serial) {
  record(AgentInput::kAppended, now, serial);
  agent_.on_appended(now, serial);
}

void RecordedAgent::on_append_failed(Now now, const Error& error) {
  record(AgentInput::kAppendFailed, now, 0,
         [&](JournalWriter& out) { out.number(int64_t{error.code}).text(error.message); });
  agent_.on_append_failed(now, error);
}

void RecordedAgent::on_executor_message(Now now, SessionId from, const ExecutorToAgent& message) {
  work_due_ = true;
  if (sink_ != nullptr) {
    record(AgentInput::kExecutor, now, from.value, encoder_.encode(0, message));
  }
  agent_.on_executor_message(now, from, message);
}

void RecordedAgent::on_executor_lost(Now now, SessionId session) {
  record(AgentInput::kExecutorLost, now, session.value);
  agent_.on_executor_lost(now, session);
}

void RecordedAgent::on_probed(Now now, uint64_t number, std::optional<int32_t> value) {
  record(AgentInput::kProbed, now, number, [&](JournalWriter& out) {
    out.flag(value.has_value()).number(int64_t{value.value_or(0)});
  });
  agent_.on_probed(now, number, value);
}

void RecordedAgent::on_checkpointed(Now now, uint64_t serial) {
  record(AgentInput::kCheckpointed, now, serial);
  agent_.on_checkpointed(now, serial);
}

void RecordedAgent::on_checkpoint_failed(Now now, uint64_t serial, const Error& error) {
  record(AgentInput::kCheckpointFailed, now, serial,
         [&](JournalWriter& out) { out.number(int64_t{error.code}).text(error.message); });
  agent_.on_checkpoint_failed(now, serial, error);
}

void RecordedAgent::on_revocable(Now now, const Resources& revocable) {
  record(AgentInput::kRevocable, now, 0, [&](JournalWriter& out) {
    out.text(encode_checkpoint({.total = revocable, .operations = {}, .destroying = {}}));
  });
  agent_.on_revocable(now, revocable);
}

void RecordedAgent::on_corrected(Now now, const ContainerId& id, const Corrections& corrections) {
  record(AgentInput::kCorrected, now, 0, [&](JournalWriter& out) {
    out.text(id.value)
        .flag(corrections.idle)
        .number(corrections.cpu_max_milli)
        .number(corrections.cpu_time_permille)
        .number(corrections.cpuset_cpus)
        .number(corrections.memory_high_bytes)
        .number(corrections.io_max_bytes)
        .number(corrections.egress_max_bytes)
        .flag(corrections.frozen);
  });
  agent_.on_corrected(now, id, corrections);
}

void RecordedAgent::on_preempted(Now now, const ContainerId& id, bool at_once,
                                 std::string_view why) {
  record(AgentInput::kPreempted, now, 0,
         [&](JournalWriter& out) { out.text(id.value).flag(at_once).text(why); });
  agent_.on_preempted(now, id, at_once, why);
}

void RecordedAgent::on_tunables(Now now, const AgentTunables& tunables) {
  record(AgentInput::kTunables, now, 0, [&](JournalWriter& out) { write_tunables(out, tunables); });
  agent_.on_tunables(now, tunables);
}

void RecordedAgent::on_time(Now now) {
  record(AgentInput::kTime, now, 0);
  agent_.on_time(now);
}

void RecordedAgent::on_leave(Now now) {
  record(AgentInput::kLeave, now, 0);
  agent_.on_leave(now);
}

void RecordedAgent::on_shutdown(Now now) {
  record(AgentInput::kShutdown, now, 0);
  agent_.on_shutdown(now);
}

void RecordedAgent::work(Now now) {
  if (!work_due_) return;
  record(AgentInput::kWork, now, hash_.value());
  work_due_ = false;
  agent_.work(now);
}

// ------------------------------------------------------------------------------------- outputs

void RecordedAgent::hash_text(uint64_t verb, std::string_view text) {
  if (!hashes()) return;
  hash_.add(verb);
  hash_.add(text);
}

void RecordedAgent::hash_number(uint64_t verb, uint64_t number) {
  if (!hashes()) return;
  hash_.add(verb);
  hash_.add(number);
}

// An event is told by its kind: what it says is in the messages and records beside it.
void RecordedAgent::on_event(const Event& event) {
  hash_number(kEvent, uint64_t{event.index()});
  effects_.on_event(event);
}

void RecordedAgent::send(const AgentToMaster& message) {
  if (hashes()) {
    hash_.add(uint64_t{kToMaster});
    hash_.add(encoder_.encode(0, message));
  }
  effects_.send(message);
}

void RecordedAgent::reconnect(std::string_view why) {
  hash_text(kReconnect, why);
  effects_.reconnect(why);
}

void RecordedAgent::launch(const LaunchSpec& spec) {
  hash_text(kLaunch, spec.id.value);
  if (hashes()) {
    hash_.add(spec.sandbox);
    hash_.add(spec.command.value);
    for (const EnvironmentVariable& one : spec.environment) {
      hash_.add(one.name);
      hash_.add(one.value);
    }
  }
  effects_.launch(spec);
}

void RecordedAgent::cancel_launch(const ContainerId& id) {
  hash_text(kCancelLaunch, id.value);
  effects_.cancel_launch(id);
}

void RecordedAgent::adopt(const LaunchSpec& spec) {
  hash_text(kAdopt, spec.id.value);
  effects_.adopt(spec);
}

void RecordedAgent::signal(const ContainerId& id, int signal_number) {
  hash_text(kSignal, id.value);
  if (hashes()) hash_.add(static_cast<uint64_t>(signal_number));
  effects_.signal(id, signal_number);
}

void RecordedAgent::kill(const ContainerId& id) {
  hash_text(kKill, id.value);
  effects_.kill(id);
}

void RecordedAgent::destroy(const ContainerId& id) {
  hash_text(kDestroy, id.value);
  effects_.destroy(id);
}

void RecordedAgent::append(uint64_t serial, AgentRecord one) {
  hash_number(kAppend, serial);
  if (hashes()) {
    for (const StoreWrite& write : encode_record(one)) {
      hash_.add(write.key);
      hash_.add(write.value ? std::string_view(*write.value) : std::string_view());
    }
  }
  effects_.append(serial, std::move(one));
}

void RecordedAgent::resize(const ContainerId& id, const IsolationPlan& plan) {
  hash_text(kResize, id.value);
  effects_.resize(id, plan);
}

void RecordedAgent::send_executor(SessionId to, const AgentToExecutor& message) {
  if (hashes()) {
    hash_number(kToExecutor, to.value);
    hash_.add(encoder_.encode(0, message));
  }
  effects_.send_executor(to, message);
}

void RecordedAgent::close_executor(SessionId session, std::string_view why) {
  hash_number(kCloseExecutor, session.value);
  effects_.close_executor(session, why);
}

void RecordedAgent::probe(uint64_t number, const CheckInfo& check) {
  hash_number(kProbe, number);
  effects_.probe(number, check);
}

void RecordedAgent::end_probe(uint64_t number) {
  hash_number(kEndProbe, number);
  effects_.end_probe(number);
}

void RecordedAgent::checkpoint(const AgentCheckpoint& checkpoint) {
  hash_number(kCheckpoint, checkpoint.serial);
  if (hashes()) {
    hash_.add(encode_checkpoint({.total = checkpoint.total,
                                 .operations = checkpoint.operations,
                                 .destroying = checkpoint.destroy}));
  }
  effects_.checkpoint(checkpoint);
}

void RecordedAgent::wake_at(Instant when) {
  hash_number(kWakeAt, static_cast<uint64_t>(when.time_since_epoch().count()));
  effects_.wake_at(when);
}

void RecordedAgent::exit(std::string_view why) {
  hash_text(kExit, why);
  effects_.exit(why);
}

}  // namespace tepui
