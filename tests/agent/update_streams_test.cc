#include "agent/update_streams.h"

#include <gtest/gtest.h>

#include <set>

#include "common/limits.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

const FrameworkId kFramework{"f"};

TaskStatus status(const std::string& task, TaskState state, uint64_t uuid) {
  TaskStatus status;
  status.task_id = TaskId{task};
  status.state = state;
  status.uuid = Uuid{.high = 1, .low = uuid};
  return status;
}

class UpdateStreamsTest : public testing::Test {
 protected:
  UpdateStreamsTest() { streams.resume(at); }
  ~UpdateStreamsTest() override {
    const Result<void> sound = streams.audit();
    EXPECT_TRUE(sound.has_value()) << (sound ? "" : sound.error().message);
  }

  bool append(const std::string& task, TaskState state, uint64_t uuid) {
    return streams.append(at, kFramework, status(task, state, uuid), 0);
  }
  UpdateStreams::Ack acknowledge(const std::string& task, uint64_t uuid) {
    return streams.acknowledge(at, kFramework, TaskId{task}, Uuid{.high = 1, .low = uuid}, 0);
  }
  std::vector<uint64_t> due() {
    std::vector<uint64_t> uuids;
    for (const auto& item : streams.take_due(at, 1000)) uuids.push_back(item.status.uuid.low);
    return uuids;
  }

  Instant at = Instant(1s);
  UpdateStreams streams{{.min = 10s, .max = 10min}, Rng(7)};
};

using Uuids = std::vector<uint64_t>;

TEST_F(UpdateStreamsTest, SendsANewStatusAtOnce) {
  EXPECT_TRUE(append("t", TaskState::kRunning, 1));
  EXPECT_EQ(streams.next_due(), at);
  EXPECT_EQ(due(), Uuids{1});
  EXPECT_EQ(due(), Uuids{});
}

TEST_F(UpdateStreamsTest, SendsOnlyTheHeadUntilItIsAcknowledged) {
  append("t", TaskState::kStarting, 1);
  append("t", TaskState::kRunning, 2);
  append("t", TaskState::kFinished, 3);
  EXPECT_EQ(due(), Uuids{1});
  EXPECT_EQ(acknowledge("t", 1), UpdateStreams::Ack::kTaken);
  EXPECT_EQ(due(), Uuids{2});
  EXPECT_EQ(acknowledge("t", 2), UpdateStreams::Ack::kTaken);
  EXPECT_EQ(due(), Uuids{3});
  EXPECT_EQ(streams.pending(), 1u);
  EXPECT_EQ(acknowledge("t", 3), UpdateStreams::Ack::kClosed);
  EXPECT_FALSE(streams.contains(kFramework, TaskId{"t"}));
  EXPECT_EQ(streams.pending(), 0u);
}

// Mesos: TaskStatusUpdateManagerTest.RetryStatusUpdate.
TEST_F(UpdateStreamsTest, RetryStatusUpdate) {
  append("t", TaskState::kRunning, 1);
  EXPECT_EQ(due(), Uuids{1});
  at += 10s - 1ns;
  EXPECT_EQ(due(), Uuids{});
  at += 1ns;
  EXPECT_EQ(due(), Uuids{1});
}

TEST_F(UpdateStreamsTest, DoublesTheWaitUpToItsMaximum) {
  append("t", TaskState::kRunning, 1);
  std::vector<Duration> waits;
  Instant last = at;
  EXPECT_EQ(due(), Uuids{1});
  for (int i = 0; i < 9; ++i) {
    at = streams.next_due();
    waits.push_back(at - last);
    last = at;
    EXPECT_EQ(due(), Uuids{1});
  }
  EXPECT_EQ(waits, (std::vector<Duration>{10s, 20s, 40s, 80s, 160s, 320s, 10min, 10min, 10min}));
}

TEST_F(UpdateStreamsTest, EveryAcknowledgementResetsTheWait) {
  append("t", TaskState::kStarting, 1);
  append("t", TaskState::kRunning, 2);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(due(), Uuids{1});
    at = streams.next_due();
  }
  acknowledge("t", 1);
  EXPECT_EQ(due(), Uuids{2});
  EXPECT_EQ(streams.next_due(), at + 10s);
}

// Mesos: TaskStatusUpdateManagerTest.IgnoreDuplicateStatusUpdateAck.
TEST_F(UpdateStreamsTest, IgnoreDuplicateStatusUpdateAck) {
  append("t", TaskState::kStarting, 1);
  append("t", TaskState::kRunning, 2);
  due();
  EXPECT_EQ(acknowledge("t", 1), UpdateStreams::Ack::kTaken);
  EXPECT_EQ(acknowledge("t", 1), UpdateStreams::Ack::kUnexpected);
  EXPECT_EQ(due(), Uuids{2});
  EXPECT_EQ(streams.pending(), 1u);
}

// Mesos: TaskStatusUpdateManagerTest.IgnoreUnexpectedStatusUpdateAck.
TEST_F(UpdateStreamsTest, IgnoreUnexpectedStatusUpdateAck) {
  append("t", TaskState::kRunning, 1);
  append("t", TaskState::kFinished, 2);
  EXPECT_EQ(acknowledge("t", 2), UpdateStreams::Ack::kUnexpected);
  EXPECT_EQ(acknowledge("t", 9), UpdateStreams::Ack::kUnexpected);
  EXPECT_EQ(acknowledge("other", 1), UpdateStreams::Ack::kUnexpected);
  EXPECT_EQ(streams.pending(), 2u);
  EXPECT_EQ(due(), Uuids{1});
}

// Mesos: TaskStatusUpdateManagerTest.DuplicateTerminalUpdateAfterAck.
TEST_F(UpdateStreamsTest, DuplicateTerminalUpdateAfterAck) {
  append("t", TaskState::kRunning, 1);
  EXPECT_TRUE(append("t", TaskState::kFinished, 2));
  due();
  acknowledge("t", 1);
  // A second terminal status never follows the first.
  EXPECT_FALSE(append("t", TaskState::kFailed, 3));
  EXPECT_EQ(acknowledge("t", 2), UpdateStreams::Ack::kClosed);
  EXPECT_EQ(due(), Uuids{});
}

// Mesos: TaskStatusUpdateManagerTest.DuplicateUpdateBeforeAck.
TEST_F(UpdateStreamsTest, DuplicateUpdateBeforeAck) {
  EXPECT_TRUE(append("t", TaskState::kRunning, 1));
  EXPECT_FALSE(append("t", TaskState::kRunning, 1));
  EXPECT_EQ(streams.pending(), 1u);
  EXPECT_EQ(due(), Uuids{1});
}

// Mesos: TaskStatusUpdateManagerTest.LatestTaskState.
TEST_F(UpdateStreamsTest, LatestTaskState) {
  append("t", TaskState::kRunning, 1);
  append("t", TaskState::kFinished, 2);
  const std::vector<StatusUpdates::Item> items = streams.take_due(at, 10);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].status.state, TaskState::kRunning);
  EXPECT_EQ(items[0].latest_state, TaskState::kFinished);
  EXPECT_EQ(streams.newest(kFramework, TaskId{"t"})->state, TaskState::kFinished);
}

// Mesos: TaskStatusUpdateManagerTest.DuplicatedTerminalStatusUpdate.
TEST_F(UpdateStreamsTest, DuplicatedTerminalStatusUpdate) {
  EXPECT_TRUE(append("t", TaskState::kFinished, 1));
  EXPECT_FALSE(append("t", TaskState::kFinished, 1));
  EXPECT_FALSE(append("t", TaskState::kKilled, 2));
  due();
  EXPECT_EQ(acknowledge("t", 1), UpdateStreams::Ack::kClosed);
}

TEST_F(UpdateStreamsTest, KnowsWhatWasForwarded) {
  append("t", TaskState::kStarting, 1);
  append("t", TaskState::kRunning, 2);
  EXPECT_EQ(streams.forwarded(kFramework, TaskId{"t"}).state, TaskState::kStaging);
  due();
  EXPECT_EQ(streams.forwarded(kFramework, TaskId{"t"}).state, TaskState::kStarting);
  EXPECT_EQ(streams.forwarded(kFramework, TaskId{"t"}).uuid, (Uuid{.high = 1, .low = 1}));
  acknowledge("t", 1);
  EXPECT_EQ(streams.forwarded(kFramework, TaskId{"t"}).state, TaskState::kStarting);
  EXPECT_TRUE(streams.forwarded(kFramework, TaskId{"t"}).uuid.is_nil());
}

TEST_F(UpdateStreamsTest, SaysNothingWhilePaused) {
  append("a", TaskState::kRunning, 1);
  streams.pause();
  append("b", TaskState::kRunning, 2);
  at += 1h;
  EXPECT_EQ(streams.next_due(), kNever);
  EXPECT_EQ(due(), Uuids{});
  // What the master acknowledged just before is still taken.
  EXPECT_EQ(acknowledge("a", 1), UpdateStreams::Ack::kTaken);
  streams.resume(at);
  at += limits::kResumeSpread;
  EXPECT_EQ(due(), Uuids{2});
}

TEST_F(UpdateStreamsTest, ResumesSpreadOutAndCompletely) {
  for (int i = 0; i < 1000; ++i) append("t" + std::to_string(i), TaskState::kRunning, 1);
  EXPECT_EQ(due().size(), 1000u);
  streams.pause();
  streams.resume(at);
  const Instant from = at;
  size_t sent = 0;
  std::set<Instant> moments;
  while (sent < 1000 && streams.next_due() <= from + limits::kResumeSpread) {
    at = std::max(at, streams.next_due());
    moments.insert(at);
    sent += due().size();
  }
  EXPECT_EQ(sent, 1000u);
  EXPECT_GT(moments.size(), 8u);
}

TEST_F(UpdateStreamsTest, AFreshStatusDoesNotWaitForTheSpread) {
  streams.pause();
  streams.resume(at);
  append("t", TaskState::kRunning, 1);
  EXPECT_EQ(due(), Uuids{1});
}

TEST_F(UpdateStreamsTest, TakesNoMoreThanABatch) {
  for (int i = 0; i < 5; ++i) append("t" + std::to_string(i), TaskState::kRunning, 1);
  EXPECT_EQ(streams.take_due(at, 3).size(), 3u);
  EXPECT_EQ(streams.take_due(at, 3).size(), 2u);
}

TEST_F(UpdateStreamsTest, ForgetsOneFrameworkOnly) {
  append("a", TaskState::kRunning, 1);
  append("b", TaskState::kFinished, 2);
  streams.append(at, FrameworkId{"other"}, status("a", TaskState::kRunning, 3), 0);
  streams.forget(kFramework);
  EXPECT_EQ(due(), Uuids{3});
  EXPECT_EQ(streams.pending(), 1u);
  EXPECT_EQ(acknowledge("a", 1), UpdateStreams::Ack::kUnexpected);
}

TEST_F(UpdateStreamsTest, AStatusLeavesWhenItIsDurable) {
  streams.append(at, kFramework, status("t", TaskState::kRunning, 1), 5);
  EXPECT_EQ(due(), Uuids{});
  streams.on_durable(at, 4);
  EXPECT_EQ(streams.next_due(), kNever);
  streams.on_durable(at, 5);
  EXPECT_EQ(due(), Uuids{1});
}

TEST_F(UpdateStreamsTest, TheNextStatusLeavesWhenTheAcknowledgementIsDurable) {
  append("t", TaskState::kRunning, 1);
  append("t", TaskState::kFinished, 2);
  EXPECT_EQ(due(), Uuids{1});
  streams.acknowledge(at, kFramework, TaskId{"t"}, Uuid{.high = 1, .low = 1}, 7);
  EXPECT_EQ(due(), Uuids{});
  streams.on_durable(at, 7);
  EXPECT_EQ(due(), Uuids{2});
}

TEST_F(UpdateStreamsTest, TheLatestStateIsTheLastDurableOne) {
  append("t", TaskState::kRunning, 1);
  streams.append(at, kFramework, status("t", TaskState::kFinished, 2), 9);
  EXPECT_EQ(streams.take_due(at, 1).at(0).latest_state, TaskState::kRunning);
}

TEST_F(UpdateStreamsTest, WhatBecomesDurableWithoutAMasterWaitsForOne) {
  streams.pause();
  streams.append(at, kFramework, status("t", TaskState::kRunning, 1), 5);
  streams.on_durable(at, 5);
  EXPECT_EQ(streams.next_due(), kNever);
  streams.resume(at);
  at += 1s;
  EXPECT_EQ(due(), Uuids{1});
}

TEST_F(UpdateStreamsTest, WhatIsRestoredIsSentAndClosedAsBefore) {
  streams.pause();
  streams.restore(kFramework, TaskId{"t"}, {.state = TaskState::kStarting, .uuid = {}},
                  {status("t", TaskState::kRunning, 1), status("t", TaskState::kFailed, 2)});
  EXPECT_EQ(streams.pending(), 2u);
  EXPECT_EQ(streams.forwarded(kFramework, TaskId{"t"}).state, TaskState::kStarting);
  EXPECT_FALSE(append("t", TaskState::kKilled, 3)) << "it ended before";
  streams.resume(at);
  at += 1s;
  EXPECT_EQ(due(), Uuids{1});
  EXPECT_EQ(acknowledge("t", 1), UpdateStreams::Ack::kTaken);
  EXPECT_EQ(due(), Uuids{2});
  EXPECT_EQ(acknowledge("t", 2), UpdateStreams::Ack::kClosed);
}

TEST_F(UpdateStreamsTest, TheSameTaskIdOfTwoFrameworksAreTwoStreams) {
  append("t", TaskState::kRunning, 1);
  streams.append(at, FrameworkId{"other"}, status("t", TaskState::kRunning, 2), 0);
  EXPECT_EQ(due(), (Uuids{1, 2}));
}

TEST_F(UpdateStreamsTest, NewRetryTimesHoldFromTheNextStatusOn) {
  streams.set_retry({.min = 1s, .max = 2s});
  append("t", TaskState::kRunning, 1);
  due();
  EXPECT_EQ(streams.next_due(), at + 1s);
}

}  // namespace
}  // namespace tepui
