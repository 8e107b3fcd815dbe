#include "agent/outcome.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

ExitRecord exited(int32_t status, std::string stderr_tail = {}) {
  return ExitRecord{.exit_status = status, .signal = {}, .stderr_tail = std::move(stderr_tail)};
}
ExitRecord signalled(int32_t signal) {
  return ExitRecord{.exit_status = {}, .signal = signal, .stderr_tail = {}};
}
Termination terminated(KillCause cause) {
  Termination termination;
  if (cause != KillCause::kNone) termination.request(Instant(), cause, 3s);
  return termination;
}
TaskSpec spec() {
  TaskSpec spec;
  spec.resources = Resources::scalars({{"cpus", 1000}, {"mem", 100000}});
  spec.max_completion_time = 1500ms;
  return spec;
}

TEST(Outcome, IsFinishedOnlyForStatusZero) {
  const Outcome finished = outcome_of(exited(0, "a warning"), {}, spec());
  EXPECT_EQ(finished.state, TaskState::kFinished);
  EXPECT_EQ(finished.message, "Command exited with status 0");
  EXPECT_EQ(finished.exit_status, 0);
  const Outcome failed = outcome_of(exited(1), {}, spec());
  EXPECT_EQ(failed.state, TaskState::kFailed);
  EXPECT_EQ(failed.message, "Command exited with status 1");
  EXPECT_EQ(failed.exit_status, 1);
}

TEST(Outcome, NamesTheSignal) {
  const Outcome outcome = outcome_of(signalled(11), {}, spec());
  EXPECT_EQ(outcome.state, TaskState::kFailed);
  EXPECT_EQ(outcome.signal, 11);
  EXPECT_EQ(outcome.message, "Command was terminated by signal Segmentation fault");
  EXPECT_EQ(describe_end(signalled(15)), "was terminated by signal Terminated");
  EXPECT_EQ(describe_end(signalled(31)), "was terminated by signal Bad system call");
  EXPECT_EQ(describe_end(signalled(40)), "was terminated by signal 40");
}

TEST(Outcome, IsKilledWheneverThatWasRequestedEvenAfterStatusZero) {
  for (const ExitRecord& record : {exited(0), exited(7), signalled(15), ExitRecord{}}) {
    const Outcome outcome = outcome_of(record, terminated(KillCause::kRequested), spec());
    EXPECT_EQ(outcome.state, TaskState::kKilled);
    EXPECT_EQ(outcome.reason, TaskReason::kNone);
    EXPECT_EQ(outcome.exit_status, record.exit_status);
  }
  EXPECT_EQ(outcome_of(signalled(15), terminated(KillCause::kRequested), spec()).message,
            "Killed on request; the command was terminated by signal Terminated");
}

TEST(Outcome, SaysWhoKilled) {
  EXPECT_EQ(outcome_of(exited(0), terminated(KillCause::kFrameworkRemoved), spec()).reason,
            TaskReason::kFrameworkRemoved);
  EXPECT_EQ(outcome_of(exited(0), terminated(KillCause::kAgentShutdown), spec()).message,
            "Killed because the agent shuts down; the command exited with status 0");
  Termination at_launch;
  at_launch.request_at_launch(KillCause::kRequested);
  EXPECT_EQ(outcome_of(signalled(9), at_launch, spec()).reason,
            TaskReason::kTaskKilledDuringLaunch);
}

TEST(Outcome, IsFailedWhenTheCompletionTimerDidIt) {
  const Outcome outcome = outcome_of(exited(0), terminated(KillCause::kCompletionTime), spec());
  EXPECT_EQ(outcome.state, TaskState::kFailed);
  EXPECT_EQ(outcome.reason, TaskReason::kMaxCompletionTimeReached);
  EXPECT_EQ(outcome.message,
            "Ended because it ran longer than its maximum of 1500 ms; the command exited with "
            "status 0");
}

TEST(Outcome, TellsTheNumbersOfAMemoryLimit) {
  ExitRecord record = signalled(9);
  record.oom_killed = true;
  record.memory_peak_bytes = 200 << 20;
  record.memory_usage_bytes = 3 << 20;
  TaskSpec limited = spec();
  limited.limits.mem_milli = 200500;
  const Outcome outcome = outcome_of(record, {}, limited);
  EXPECT_EQ(outcome.state, TaskState::kFailed);
  EXPECT_EQ(outcome.reason, TaskReason::kContainerLimitationMemory);
  EXPECT_EQ(outcome.message,
            "Memory limit exceeded: requested 100 MB, maximum 200.5 MB, peak 200 MB, "
            "3 MB in use at its end");
  limited.limits.mem_milli = kUnlimited;
  record.memory_peak_bytes = 0;
  record.memory_usage_bytes = 0;
  EXPECT_EQ(outcome_of(record, {}, limited).message,
            "Memory limit exceeded: requested 100 MB, maximum unlimited");
}

TEST(Outcome, ShowsTheLastLinesOfStderrWithinTheBound) {
  std::string tail;
  for (int i = 0; i < 2000; ++i) tail += "line " + std::to_string(i) + "\n";
  const Outcome outcome = outcome_of(exited(1, tail), {}, spec());
  EXPECT_LE(outcome.message.size(), limits::kStatusMessageBytesMax);
  EXPECT_GT(outcome.message.size(), limits::kStatusMessageBytesMax - 20);
  EXPECT_TRUE(outcome.message.ends_with("\nline 1999"));
  // The first line that is shown is a whole one.
  EXPECT_NE(outcome.message.find("stderr:\nline "), std::string::npos);
}

TEST(Outcome, CutsALongLineOnlyBetweenCharacters) {
  std::string tail;
  for (int i = 0; i < 3000; ++i) tail += "\xC3\xA9";  // é
  const Outcome outcome = outcome_of(exited(1, tail), {}, spec());
  EXPECT_LE(outcome.message.size(), limits::kStatusMessageBytesMax);
  EXPECT_NE(outcome.message.find("stderr:\n\xC3\xA9"), std::string::npos);
}

}  // namespace
}  // namespace tepui
