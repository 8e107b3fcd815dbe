// An agent that is recorded can be run again from its journal, to the same outputs; whatever was
// changed in between shows as a difference that names its record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/agent_replay.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Memory final : JournalSink {
  std::vector<std::byte> bytes;
  bool append(const JournalRecord& record) override {
    append_record(bytes, bytes.size(), record);
    return true;
  }
};

struct NoEvents final : EventSink {
  void on_event(const Event&) override {}
};

AgentMakeup makeup() {
  AgentMakeup made;
  AgentConfig& config = made.config;
  config.info.hostname = "h";
  config.info.address = "h:1";
  config.info.resources = Resources::parse("cpus:4;mem:1024").value();
  config.info.attributes = parse_attributes("rack:r1").value();
  config.info.degraded = {"no cpu controller"};
  config.configured = config.info.resources;
  config.ground = {.boot_id = "b", .runtime_dir = "/run/t", .cgroup_root = "/cg"};
  config.build = "test";
  config.principal = "agents";
  config.executor_socket = "/run/t/executors.sock";
  config.work_dir = "/var/t";
  config.tunables.kill_grace = 7s;
  config.tunables.isolation = {
      .cpu_max_of_requests = true,
      .cpu_burst_percent = 1,
      .revocable_idle = true,
      .memory_high_percent = 2,
      .swap_percent = 3,
      .pids_max = 12,
      .io_max = {.read_bytes = 4, .write_bytes = 5, .read_operations = 6, .write_operations = 7},
      .io_latency_us = 8,
      .egress_max_bytes = 9,
      .io_devices = {"254:0", "8:16"},
      .hugepage_sizes = {"2MB"},
      .devices = {"c 1:3 rwm"},
      .missing_files = {"io.weight"}};
  made.seed = 5;
  return made;
}

// A short life: registered, a disk that answers, a probe and a container that nobody knows.
void live(Memory& journal) {
  FakeEffects effects;
  RecordedAgent agent(makeup(), effects);
  Now now{.mono = Instant(1s), .wall = WallTime(1'000'000s)};
  agent.record_to(journal, now);
  const auto turn = [&] {
    agent.work(now);
    now.mono += 10ms;
    now.wall += 10ms;
  };
  agent.on_recovered(now, {}, RecoveryKind::kAnew);
  agent.on_connected(now);
  turn();
  agent.on_message(now, HelloReply{.protocol = kProtocolMax, .build = "m", .epoch = 3});
  turn();
  now.mono += 2s;
  agent.on_time(now);
  turn();
  agent.on_message(now, Registered{.agent_id = {"a1"}, .ping_timeout = 75s});
  turn();
  agent.on_appended(now, effects.appended);
  agent.on_probed(now, 99, 1);
  agent.on_exit(now, ContainerId{"c"}, {.exit_status = 1, .signal = {}, .stderr_tail = "x"});
  agent.on_tunables(now, makeup().config.tunables);
  agent.on_revocable(now, {});
  turn();
  agent.on_disconnected(now, "reset");
  turn();
}

std::string replay(std::span<const std::byte> journal, uint64_t& turns) {
  NoEvents events;
  AgentReplay again(journal, events);
  Result<bool> more = true;
  while (more && *more) more = again.step();
  turns = again.progress().turns;
  return more ? "" : more.error().message;
}

TEST(AgentJournal, IsRunAgainToTheSameOutputs) {
  Memory journal;
  live(journal);
  uint64_t turns = 0;
  EXPECT_EQ(replay(journal.bytes, turns), "");
  EXPECT_EQ(turns, 6u);
}

TEST(AgentJournal, OfAnotherAgentIsADifference) {
  Memory journal;
  live(journal);
  // The same inputs, as if another agent had been told them.
  JournalReader reader(journal.bytes);
  Memory other;
  AgentMakeup made = makeup();
  made.config.info.hostname = "another";
  JournalWriter head;
  write_makeup(head, made);
  for (Result<std::optional<JournalRecord>> next = reader.next(); next && *next;
       next = reader.next()) {
    JournalRecord record = **next;
    if (record.kind == static_cast<uint8_t>(AgentInput::kHead)) record.payload = head.payload();
    ASSERT_TRUE(other.append(record));
  }
  uint64_t turns = 0;
  EXPECT_THAT(replay(other.bytes, turns), HasSubstr("the replay differs"));
}

TEST(AgentJournal, RefusesWhatIsNoJournalOfAnAgent) {
  uint64_t turns = 0;
  EXPECT_EQ(replay({}, turns), "") << "of a program that was killed at once";
  std::vector<std::byte> other;
  append_record(other, 0, {.kind = static_cast<uint8_t>(AgentInput::kTime)});
  EXPECT_THAT(replay(other, turns), HasSubstr("record 1 at offset 0: an agent's journal begins"));
  other.clear();
  append_record(other, 0,
                {.kind = static_cast<uint8_t>(AgentInput::kHead), .subject = kAgentJournal});
  EXPECT_THAT(replay(other, turns), HasSubstr("what makes an agent"));
}

TEST(AgentMakeup, ComesBackAsItWent) {
  JournalWriter out;
  write_makeup(out, makeup());
  const AgentMakeup back = read_agent_makeup(out.payload()).value();
  EXPECT_EQ(back.config.info, makeup().config.info);
  EXPECT_EQ(back.config.configured, makeup().config.configured);
  EXPECT_EQ(back.config.ground, makeup().config.ground);
  EXPECT_EQ(back.config.principal, "agents");
  EXPECT_EQ(back.config.executor_socket, "/run/t/executors.sock");
  EXPECT_EQ(back.config.tunables.kill_grace, 7s);
  EXPECT_EQ(back.config.tunables.isolation, makeup().config.tunables.isolation);
  EXPECT_EQ(back.seed, 5u);
}

}  // namespace
}  // namespace tepui
