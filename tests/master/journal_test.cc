// A master that is recorded can be run again from its journal, to the same outputs; whatever was
// changed in between shows as a difference that names its record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "master/journal_replay.h"
#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

using testing::HasSubstr;

struct Memory final : JournalSink {
  std::vector<std::byte> bytes;
  size_t bytes_max = SIZE_MAX;
  bool append(const JournalRecord& record) override {
    append_record(bytes, bytes.size(), record);
    return bytes.size() <= bytes_max;
  }
};

struct NoEvents final : EventSink {
  void on_event(const Event&) override {}
};

MasterMakeup makeup() {
  MasterMakeup made;
  made.config = {.build = "test", .hostname = "m", .weights = {{"eng", 2500}}, .tunables = {}};
  made.config.tunables.offer_timeout = 7s;
  made.allocator.min_allocatable = {Resources::scalars({{"cpus", 10}}).quantities(),
                                    Resources::scalars({{"mem", 32000}}).quantities()};
  made.allocator.fairness_excluded = {"gpus"};
  made.allocator.role_sorter = SorterPolicy::kRandom;
  made.seed = 5;
  made.allocator_seed = 6;
  return made;
}

// A short life with every kind of input.
class Life {
 public:
  explicit Life(Memory& journal) { master_.record_to(journal, now_); }

  void live() {
    master_.on_elected(now_, 3, {});
    turn();
    const SessionId agent{1};
    say(agent, Hello{});
    say(agent, RegisterAgent{.info = {.hostname = "h", .address = "h:1", .resources = machine()},
                             .operations = {}});
    const SessionId framework{2};
    master_.on_message(now_, framework, SchedulerToMaster(Hello{}));
    master_.on_message(now_, framework, SchedulerToMaster(Subscribe{framework_info("eng")}));
    turn();
    const auto& sent = effects_.sent[framework];
    for (const auto& message : std::vector(sent.begin(), sent.end())) {
      const auto* told = std::get_if<MasterToScheduler>(&message);
      const auto* batch = told == nullptr ? nullptr : std::get_if<OfferBatch>(told);
      if (batch == nullptr) continue;
      Accept accept{.offers = {batch->offers.at(0).id}};
      accept.operations.push_back({.tasks = {task_info("t")}});
      master_.on_message(now_, framework, SchedulerToMaster(Accepts{{accept}}));
      launched_ = true;
    }
    turn();
    master_.on_message(now_, SessionId{3}, "ops",
                       UpdateWeights{.request = 1, .weights = {{"eng", 4000}}});
    master_.on_peer_congested(now_, framework);
    master_.on_peer_ready(now_, framework);
    master_.on_whitelist(now_, std::set<std::string>{"h", "i"});
    master_.on_tunables(now_, {});
    turn();
    master_.on_peer_lost(now_, agent, "reset");
    turn();
    master_.on_persist_failed(now_, 99, Error{.message = "full", .code = 28});
    master_.on_deposed(now_, "another leads");
    turn();
  }

  bool launched() const { return launched_; }
  uint64_t hash() const { return master_.output_hash(); }
  bool recording() const { return master_.recording(); }

 private:
  void say(SessionId from, const AgentToMaster& message) {
    master_.on_message(now_, from, message);
  }
  // Until nothing is left to do.
  void turn() {
    for (int i = 0; i < 20; ++i) {
      now_.mono += 10ms;
      now_.wall += 10ms;
      if (now_.mono >= effects_.wake) {
        effects_.wake = kNever;
        master_.on_time(now_);
      }
      master_.work(now_);
      while (!effects_.writes.empty()) {
        const uint64_t token = effects_.writes.front().token;
        effects_.writes.pop_front();
        master_.on_persisted(now_, token);
      }
    }
  }

  Now now_{.mono = Instant(1s), .wall = WallTime(1'000'000s)};
  FakeEffects effects_;
  AllowAll authorizer_;
  DrfAllocator allocator_{makeup().allocator, makeup().allocator_seed};
  RecordedMaster master_{makeup(), allocator_, authorizer_, effects_};
  bool launched_ = false;
};

struct Replayed {
  ReplayProgress progress;
  std::string error;
};
Replayed replay(std::span<const std::byte> journal) {
  NoEvents events;
  JournalReplay replay(journal, events);
  Result<bool> more = true;
  while (more && *more) more = replay.step();
  return {replay.progress(), more ? "" : more.error().message};
}

TEST(MasterJournal, IsReplayedToTheSameOutputs) {
  Memory journal;
  Life life(journal);
  life.live();
  ASSERT_TRUE(life.launched());
  const Replayed replayed = replay(journal.bytes);
  EXPECT_EQ(replayed.error, "");
  EXPECT_GT(replayed.progress.turns, 5u);
  EXPECT_EQ(replayed.progress.hash, life.hash());
}

TEST(MasterJournal, OfAnotherMasterIsADifference) {
  Memory journal;
  Life life(journal);
  life.live();
  // The same inputs, to a master that was made otherwise.
  MasterMakeup other = makeup();
  other.seed = 50;
  JournalWriter head;
  write_makeup(head, other);
  std::vector<std::byte> changed;
  JournalReader reader(journal.bytes);
  bool first = true;
  for (auto record = reader.next(); record && *record; record = reader.next()) {
    JournalRecord copy = **record;
    if (std::exchange(first, false)) copy.payload = head.payload();
    append_record(changed, changed.size(), copy);
  }
  EXPECT_THAT(replay(changed).error, HasSubstr("the replay differs"));
}

TEST(MasterJournal, WithoutOneOfItsInputsIsADifference) {
  Memory journal;
  Life life(journal);
  life.live();
  std::vector<std::byte> changed;
  JournalReader reader(journal.bytes);
  for (auto record = reader.next(); record && *record; record = reader.next()) {
    if ((*record)->kind == static_cast<uint8_t>(MasterInput::kPersisted)) continue;
    append_record(changed, changed.size(), **record);
  }
  EXPECT_THAT(replay(changed).error, HasSubstr("the replay differs"));
}

TEST(MasterJournal, EndsForGoodWhereItsSinkSaysSo) {
  Memory journal;
  journal.bytes_max = 2000;
  Life life(journal);
  life.live();
  EXPECT_FALSE(life.recording());
  const Replayed replayed = replay(journal.bytes);
  EXPECT_EQ(replayed.error, "");
  EXPECT_LT(replayed.progress.records, 100u);
}

TEST(MasterJournal, RefusesWhatIsNoJournalOfAMaster) {
  EXPECT_EQ(replay({}).error, "") << "of a program that was killed at once";
  std::vector<std::byte> other;
  append_record(other, 0, {.kind = static_cast<uint8_t>(MasterInput::kTime)});
  EXPECT_THAT(replay(other).error, HasSubstr("record 1 at offset 0: a master's journal begins"));
  other.clear();
  append_record(other, 0,
                {.kind = static_cast<uint8_t>(MasterInput::kHead), .subject = kMasterJournal});
  EXPECT_THAT(replay(other).error, HasSubstr("does not say how the master was made"));
}

TEST(MasterJournal, RefusesRecordsThatDoNotHoldWhatTheirKindSays) {
  for (int kind = 0; kind < 256; ++kind) {
    JournalWriter head;
    write_makeup(head, makeup());
    std::vector<std::byte> journal;
    append_record(journal, 0,
                  {.kind = static_cast<uint8_t>(MasterInput::kHead),
                   .subject = kMasterJournal,
                   .payload = head.payload()});
    const std::string nonsense = "nonsense";
    append_record(journal, journal.size(),
                  {.kind = static_cast<uint8_t>(kind),
                   .subject = 1,
                   .payload = std::as_bytes(std::span(nonsense))});
    EXPECT_NE(replay(journal).error, "") << kind;
  }
}

TEST(MasterMakeup, ComesBackAsItWent) {
  JournalWriter out;
  write_makeup(out, makeup());
  const Result<MasterMakeup> read = read_makeup(out.payload());
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->config.weights, makeup().config.weights);
  EXPECT_EQ(read->config.tunables.offer_timeout, 7s);
  EXPECT_EQ(read->allocator.min_allocatable, makeup().allocator.min_allocatable);
  EXPECT_EQ(read->allocator.role_sorter, SorterPolicy::kRandom);
  EXPECT_EQ(read->allocator_seed, 6u);
  JournalWriter again;
  write_makeup(again, *read);
  EXPECT_TRUE(std::ranges::equal(again.payload(), out.payload()));
}

}  // namespace
}  // namespace tepui
