#include "agent/outcome.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "common/limits.h"

namespace tepui {

namespace {

constexpr int64_t kBytesPerMb = int64_t{1} << 20;

// The names that shells and Mesos show, by number.
std::string signal_name(int32_t signal) {
  static constexpr std::array<std::string_view, 32> kNames = {"",
                                                              "Hangup",
                                                              "Interrupt",
                                                              "Quit",
                                                              "Illegal instruction",
                                                              "Trace/breakpoint trap",
                                                              "Aborted",
                                                              "Bus error",
                                                              "Floating point exception",
                                                              "Killed",
                                                              "User defined signal 1",
                                                              "Segmentation fault",
                                                              "User defined signal 2",
                                                              "Broken pipe",
                                                              "Alarm clock",
                                                              "Terminated",
                                                              "Stack fault",
                                                              "Child exited",
                                                              "Continued",
                                                              "Stopped (signal)",
                                                              "Stopped",
                                                              "Stopped (tty input)",
                                                              "Stopped (tty output)",
                                                              "Urgent I/O condition",
                                                              "CPU time limit exceeded",
                                                              "File size limit exceeded",
                                                              "Virtual timer expired",
                                                              "Profiling timer expired",
                                                              "Window changed",
                                                              "I/O possible",
                                                              "Power failure",
                                                              "Bad system call"};
  if (signal < 1 || signal >= static_cast<int32_t>(kNames.size())) return fmt::format("{}", signal);
  return std::string(kNames[static_cast<size_t>(signal)]);
}

// The end of `text` in at most `max` bytes, beginning with a whole line if there is one, and never
// inside a character.
std::string_view last_lines(std::string_view text, size_t max) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (text.size() <= max) return text;
  text.remove_prefix(text.size() - max);
  const size_t line = text.find('\n');
  if (line != std::string_view::npos) return text.substr(line + 1);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0) == 0x80) {
    text.remove_prefix(1);
  }
  return text;
}

std::string with_stderr(std::string sentence, const ExitRecord& record) {
  constexpr std::string_view kIntroduction = "; its last lines on stderr:\n";
  const size_t taken = sentence.size() + kIntroduction.size();
  if (taken >= limits::kStatusMessageBytesMax) return sentence;
  const std::string_view lines =
      last_lines(record.stderr_tail, limits::kStatusMessageBytesMax - taken);
  if (lines.empty()) return sentence;
  return sentence.append(kIntroduction).append(lines);
}

std::string megabytes(int64_t milli) {
  return milli == kUnlimited ? "unlimited" : milli_to_text(milli) + " MB";
}

std::string memory_message(const ExitRecord& record, const TaskSpec& spec) {
  const int64_t request = spec.resources.total_milli("mem");
  std::string message =
      fmt::format("Memory limit exceeded: requested {}, maximum {}", megabytes(request),
                  megabytes(spec.limits.mem_milli.value_or(request)));
  if (record.memory_peak_bytes > 0) {
    message += fmt::format(", peak {} MB", record.memory_peak_bytes / kBytesPerMb);
  }
  if (record.memory_usage_bytes > 0) {
    message += fmt::format(", {} MB in use at its end", record.memory_usage_bytes / kBytesPerMb);
  }
  return message;
}

Outcome killed(const ExitRecord& record, const Termination& termination) {
  Outcome outcome{.state = TaskState::kKilled, .source = TaskSource::kExecutor};
  std::string_view why = "Killed on request";
  if (termination.during_launch()) {
    outcome.source = TaskSource::kAgent;
    outcome.reason = TaskReason::kTaskKilledDuringLaunch;
    why = "Killed while it was being launched";
  } else if (termination.cause() == KillCause::kFrameworkRemoved) {
    outcome.reason = TaskReason::kFrameworkRemoved;
    why = "Killed because its framework was removed";
  } else if (termination.cause() == KillCause::kDrained) {
    outcome.reason = TaskReason::kAgentDraining;
    why = "Killed because the agent is being drained";
  } else if (termination.cause() == KillCause::kUnhealthy) {
    outcome.reason = TaskReason::kTaskHealthCheckStatusUpdated;
    why = "Killed because its health check failed too often in a row";
  } else if (termination.cause() == KillCause::kGroupEnded) {
    why = "Killed because another task of its group did not finish";
  } else if (termination.cause() == KillCause::kAgentShutdown) {
    why = "Killed because the agent shuts down";
  }
  outcome.message = fmt::format("{}; the command {}", why, describe_end(record));
  return outcome;
}

Outcome ended_by_itself(const ExitRecord& record, const TaskSpec& spec) {
  if (record.oom_killed) {
    return Outcome{.state = TaskState::kFailed,
                   .reason = TaskReason::kContainerLimitationMemory,
                   .source = TaskSource::kAgent,
                   .message = with_stderr(memory_message(record, spec), record)};
  }
  if (!record.exit_status && !record.signal) {
    return Outcome{.state = TaskState::kFailed,
                   .reason = TaskReason::kCommandExecutorFailed,
                   .source = TaskSource::kAgent,
                   .message = with_stderr("The command " + describe_end(record), record)};
  }
  std::string message = "Command " + describe_end(record);
  if (record.exit_status == 0) {
    return Outcome{.state = TaskState::kFinished,
                   .source = TaskSource::kExecutor,
                   .message = std::move(message)};
  }
  return Outcome{.state = TaskState::kFailed,
                 .source = TaskSource::kExecutor,
                 .message = with_stderr(std::move(message), record)};
}

}  // namespace

Outcome outcome_of(const ExitRecord& record, const AgentTask& task,
                   const FrameworkInfo& framework) {
  if (task.termination.cause() != KillCause::kPreempted) {
    return outcome_of(record, task.termination, *task.spec);
  }
  return preempted(record, framework.has(FrameworkCapability::kPartitionAware), task.preempted_why);
}

Outcome preempted(const ExitRecord& record, bool partition_aware, std::string_view why) {
  constexpr std::string_view kSomewhy = "others who paid for what they get needed it";
  return Outcome{
      .state = partition_aware ? TaskState::kGone : TaskState::kLost,
      .reason = TaskReason::kContainerPreempted,
      .source = TaskSource::kAgent,
      .message = fmt::format("Its revocable resources were taken back: {}; the command {}",
                             why.empty() ? kSomewhy : why, describe_end(record)),
      .exit_status = record.exit_status,
      .signal = record.signal};
}

Outcome killed_before_launch() {
  return Outcome{.state = TaskState::kKilled,
                 .reason = TaskReason::kTaskKilledDuringLaunch,
                 .source = TaskSource::kAgent,
                 .message = "Killed before it was launched",
                 .exit_status = {},
                 .signal = {}};
}

std::string describe_end(const ExitRecord& record) {
  if (record.exit_status) return fmt::format("exited with status {}", *record.exit_status);
  if (record.signal) return "was terminated by signal " + signal_name(*record.signal);
  return "ended unseen: its shim died before it could record how";
}

Outcome outcome_of(const ExitRecord& record, const Termination& termination, const TaskSpec& spec) {
  Outcome outcome;
  if (termination.cause() == KillCause::kCompletionTime) {
    outcome = Outcome{.state = TaskState::kFailed,
                      .reason = TaskReason::kMaxCompletionTimeReached,
                      .source = TaskSource::kExecutor,
                      .message = fmt::format(
                          "Ended because it ran longer than its maximum of {} ms; the command {}",
                          spec.max_completion_time.value_or(Duration{}).count() / 1'000'000,
                          describe_end(record))};
  } else if (termination.requested()) {
    outcome = killed(record, termination);
  } else {
    outcome = ended_by_itself(record, spec);
  }
  outcome.exit_status = record.exit_status;
  outcome.signal = record.signal;
  return outcome;
}

}  // namespace tepui
