// Goal: one master at a time leads, with all that earlier ones reported durable; it stops before
// another can begin; a deposed one changes nothing and becomes a follower that can lead again;
// batches are all or nothing however long they are and wherever they are cut.
//
// Method: masters on the fake ensemble, cut off at every request of an election and of a write.

#include "common/zk_leadership.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/limits.h"
#include "tests/common/fake_zookeeper.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::FakeEnsemble;
using test::FakeZooKeeper;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Master : StoreClient, CoordinatorClient, ZkLeadershipOwner {
  Master(FakeEnsemble& in, std::string name) : ensemble(in), zookeeper(in), info(std::move(name)) {
    zookeeper.open(leadership);
    leadership.contend();
  }

  void on_persisted(uint64_t token) override { persisted.push_back(token); }
  void on_persist_failed(uint64_t token, Error error) override {
    failed.emplace_back(token, error.message);
  }
  void on_elected(uint64_t elected, StoreContents found) override {
    epoch = elected;
    contents = std::move(found);
    ++elections;
  }
  void on_deposed(std::string_view why) override {
    epoch = 0;
    deposed = why;
  }
  void on_leader(Instant, const std::optional<ZkLeader>& now_leads) override {
    leader = now_leads ? now_leads->data : "nobody";
  }
  void on_session(Instant, const ZkSession&) override {}
  void on_trouble(Instant, std::string_view why) override { trouble = why; }

  void connect() {
    zookeeper.connect();
    ensemble.run();
  }
  void tick() {
    leadership.on_time(ensemble.now);
    ensemble.run();
  }
  void write(uint64_t token, std::vector<StoreWrite> batch) {
    leadership.write(epoch, token, std::move(batch));
  }

  FakeEnsemble& ensemble;
  FakeZooKeeper zookeeper;
  std::string info;
  ZkLeadership leadership{zookeeper, {.path = "/tepui", .master_info = info}, *this, *this, *this};
  uint64_t epoch = 0;  // while it leads
  int elections = 0;
  StoreContents contents;
  std::string deposed;
  std::string leader;
  std::string trouble;
  std::vector<uint64_t> persisted;
  std::vector<std::pair<uint64_t, std::string>> failed;
};

// What the next leader of this ensemble finds; dies when it has said so.
StoreContents read_all(FakeEnsemble& ensemble) {
  Master reader(ensemble, "reader");
  reader.connect();
  EXPECT_NE(reader.epoch, 0u) << reader.trouble;
  StoreContents contents = reader.contents;
  reader.zookeeper.close();
  return contents;
}

const std::vector<StoreWrite> kSmall = {{"a", "1"}, {"b", std::string(100, 'b')}};
const StoreContents kSmallContents = {{"a", "1"}, {"b", std::string(100, 'b')}};

// Some three transactions, as chunks and as shards.
std::vector<StoreWrite> large_batch() {
  std::vector<StoreWrite> batch = {{"a", std::nullopt}};
  for (int i = 0; i < 3000; ++i) {
    batch.push_back({fmt::format("agents/a{}", i), std::string(600, 'x')});
  }
  batch.push_back({"long", std::string(600000, 'l')});
  return batch;
}

StoreContents large_contents() {
  StoreContents contents = {{"b", std::string(100, 'b')}};
  for (const StoreWrite& write : large_batch()) {
    if (write.value) contents[write.key] = *write.value;
  }
  return contents;
}

// The same of few nodes, which take fewer requests to read.
std::vector<StoreWrite> bulky_batch() {
  std::vector<StoreWrite> batch = {{"a", std::nullopt}};
  for (int i = 0; i < 4; ++i) batch.push_back({fmt::format("l{}", i), std::string(400000, 'l')});
  return batch;
}

StoreContents bulky_contents() {
  StoreContents contents = kSmallContents;
  for (const StoreWrite& write : bulky_batch()) {
    if (write.value) contents[write.key] = *write.value;
  }
  contents.erase("a");
  return contents;
}

TEST(ZkLeadership, ElectsTheFirstAndTheNextWhenItIsGone) {
  FakeEnsemble ensemble;
  auto first = std::make_unique<Master>(ensemble, "first");
  Master second(ensemble, "second");
  first->connect();
  second.connect();
  EXPECT_EQ(first->epoch, 1u);
  EXPECT_TRUE(first->contents.empty());
  EXPECT_EQ(second.epoch, 0u);
  EXPECT_EQ(second.leader, "first");
  first->write(1, kSmall);
  ensemble.run();
  EXPECT_THAT(first->persisted, ElementsAre(1));
  first->zookeeper.close();
  first.reset();
  ensemble.run();
  EXPECT_EQ(second.epoch, 2u);
  EXPECT_EQ(second.contents, kSmallContents);
  EXPECT_EQ(second.leader, "second");
}

TEST(ZkLeadership, WritesEverythingWithTheEpochFirst) {
  FakeEnsemble ensemble;
  Master master(ensemble, "m");
  master.connect();
  master.write(1, kSmall);
  ASSERT_EQ(master.zookeeper.asked.size(), 1u);
  const auto& multi = std::get<ZkMulti>(master.zookeeper.asked[0].request);
  const auto& fence = std::get<ZkSet>(multi.ops[0]);
  EXPECT_EQ(fence.path, "/tepui/registry/epoch");
  EXPECT_EQ(fence.version, ensemble.tree.find("/tepui/registry/epoch")->version);
  EXPECT_EQ(multi.ops.size(), 2u);
}

TEST(ZkLeadership, RefusesADeposedLeadersWriteAndMakesItAFollower) {
  FakeEnsemble ensemble;
  Master old(ensemble, "old");
  Master next(ensemble, "next");
  old.connect();
  next.connect();
  // The ensemble ends the session of one that stands still and hears of nothing.
  const uint64_t session = std::exchange(old.zookeeper.session, 0);
  old.zookeeper.connected = false;
  ensemble.tree.end_session(session);
  ensemble.fire();
  ensemble.run();
  EXPECT_EQ(next.epoch, 2u);
  next.write(1, kSmall);
  ensemble.run();
  // Even if its write got through, it would change nothing.
  old.write(7, {{"a", "old"}, {"c", "old"}});
  old.zookeeper.answer();
  old.zookeeper.answer();
  EXPECT_THAT(old.deposed, HasSubstr("epoch 1 is over, the registry is at epoch 2"));
  old.tick();
  ASSERT_EQ(old.failed.size(), 1u);
  EXPECT_EQ(old.failed[0].first, 7u);
  EXPECT_THAT(old.persisted, IsEmpty());
  old.zookeeper.expire();
  ensemble.now += limits::kContendPause;
  old.connect();
  old.tick();
  EXPECT_EQ(old.leader, "next");
  EXPECT_EQ(old.epoch, 0u);
  next.zookeeper.close();
  ensemble.run();
  EXPECT_EQ(old.epoch, 3u);
  EXPECT_EQ(old.contents, kSmallContents);
  old.write(8, {{"c", "3"}});
  ensemble.run();
  EXPECT_THAT(old.persisted, ElementsAre(8));
}

TEST(ZkLeadership, StepsDownBeforeItsSessionCouldHaveExpired) {
  FakeEnsemble ensemble;
  Master master(ensemble, "m");
  master.connect();
  ASSERT_EQ(master.epoch, 1u);
  EXPECT_EQ(master.leadership.due(), Instant{} + 1s);  // an eighth of its session of 8 s
  master.zookeeper.disconnect();
  master.write(4, kSmall);
  ensemble.now += 5s - 1ns;
  EXPECT_TRUE(master.leadership.may_lead(ensemble.now));
  master.tick();
  EXPECT_EQ(master.epoch, 1u);
  EXPECT_EQ(master.leadership.due(), Instant{} + 5s);
  ensemble.now += 1ns;
  EXPECT_FALSE(master.leadership.may_lead(ensemble.now));
  master.tick();
  EXPECT_EQ(master.epoch, 0u);
  EXPECT_THAT(master.deposed, HasSubstr("ZooKeeper was silent for 5secs"));
  EXPECT_EQ(master.failed.size(), 1u);
  // It comes back in the same session: it leads again, in an epoch of its own.
  master.connect();
  master.tick();
  EXPECT_EQ(master.epoch, 2u);
  EXPECT_EQ(master.elections, 2);
}

TEST(ZkLeadership, AsksTheEnsembleAllTheTimeAndKeepsLeading) {
  FakeEnsemble ensemble;
  Master master(ensemble, "m");
  master.connect();
  for (int i = 0; i < 100; ++i) {
    ensemble.now = master.leadership.due();
    master.tick();
  }
  EXPECT_EQ(ensemble.now, Instant{} + 100s);
  EXPECT_EQ(master.epoch, 1u);
  EXPECT_EQ(master.elections, 1);
}

TEST(ZkLeadership, DoesNotCountAnAnswerThatWasAskedForLongAgo) {
  FakeEnsemble ensemble;
  Master master(ensemble, "m");
  master.connect();
  ensemble.now += 1s;
  master.leadership.on_time(ensemble.now);
  ensemble.now += 4900ms;
  ensemble.run();  // answered now, asked at 1 s
  EXPECT_TRUE(master.leadership.may_lead(ensemble.now));
  ensemble.now = Instant{} + 6s;
  EXPECT_FALSE(master.leadership.may_lead(ensemble.now));
}

TEST(ZkLeadership, ResignsLetsOthersPassAndStandsAgain) {
  FakeEnsemble ensemble;
  Master first(ensemble, "first");
  Master second(ensemble, "second");
  first.connect();
  second.connect();
  first.leadership.resign("the registry cannot be read");
  EXPECT_EQ(first.deposed, "");
  first.write(9, kSmall);
  first.tick();
  EXPECT_EQ(first.deposed, "the registry cannot be read");
  EXPECT_EQ(first.failed.size(), 1u);
  EXPECT_EQ(second.epoch, 2u);
  EXPECT_EQ(first.leader, "second");
  ensemble.now += limits::kContendPause;
  first.tick();
  second.zookeeper.close();
  ensemble.run();
  EXPECT_EQ(first.epoch, 3u);
}

TEST(ZkLeadership, WritesALongBatchAsAWhole) {
  FakeEnsemble ensemble;
  Master master(ensemble, "m");
  master.connect();
  master.write(1, kSmall);
  master.write(2, large_batch());
  master.write(3, {{"last", "3"}});
  ensemble.run();
  EXPECT_THAT(master.persisted, ElementsAre(1, 2, 3));
  EXPECT_LE(ensemble.tree.largest_request(), limits::kZkMultiBytesMax);
  EXPECT_THAT(ensemble.tree.children("/tepui/registry/pending"), IsEmpty());
  for (const auto& [path, node] : ensemble.tree.nodes()) {
    EXPECT_LE(node.data.size(), limits::kZkNodeBytesMax) << path;
  }
  master.zookeeper.close();
  StoreContents expected = large_contents();
  expected["last"] = "3";
  EXPECT_EQ(read_all(ensemble), expected);
}

// The leader dies at every request of a long batch, before or after it was carried out.
TEST(ZkLeadership, LeavesALongBatchWholeOrNotAtAllWhereverItIsCut) {
  bool was_done = false;
  for (size_t answered = 0; !was_done; ++answered) {
    for (const size_t done : {0u, 1u}) {
      SCOPED_TRACE(fmt::format("{} answered, {} done", answered, done));
      FakeEnsemble ensemble;
      {
        Master master(ensemble, "m");
        master.connect();
        master.write(1, kSmall);
        ensemble.run();
        master.write(2, large_batch());
        for (size_t i = 0; i < answered && !master.zookeeper.asked.empty(); ++i) {
          master.zookeeper.answer();
        }
        was_done = master.zookeeper.asked.empty();
        master.zookeeper.disconnect(done);
        const bool reported = master.persisted.size() == 2;
        master.zookeeper.close();
        const StoreContents found = read_all(ensemble);
        if (reported || found != kSmallContents) {
          EXPECT_EQ(found, large_contents());
        }
      }
      EXPECT_THAT(ensemble.tree.children("/tepui/registry/pending"), IsEmpty());
      ASSERT_LT(answered, 100u);
    }
  }
}

// The same, but only the connection is lost: the write is repeated and done once.
TEST(ZkLeadership, RepeatsAWriteThatWasLostWithTheConnection) {
  bool was_done = false;
  for (size_t answered = 0; !was_done; ++answered) {
    for (const size_t done : {0u, 1u}) {
      SCOPED_TRACE(fmt::format("{} answered, {} done", answered, done));
      FakeEnsemble ensemble;
      Master master(ensemble, "m");
      master.connect();
      master.write(1, kSmall);
      master.write(2, large_batch());
      for (size_t i = 0; i < answered && !master.zookeeper.asked.empty(); ++i) {
        master.zookeeper.answer();
      }
      was_done = master.zookeeper.asked.empty();
      master.zookeeper.disconnect(done);
      master.connect();
      master.write(3, {{"last", "3"}});
      ensemble.run();
      EXPECT_THAT(master.persisted, ElementsAre(1, 2, 3));
      EXPECT_EQ(master.epoch, 1u) << master.deposed;
      ASSERT_LT(answered, 100u);
    }
  }
}

// The connection is lost at every request of an election.
// Found by the simulation: it was never sent, and the leader was kept by its touches for ever.
TEST(ZkLeadership, SendsWhatWasWrittenWhileThereWasNoConnection) {
  FakeEnsemble ensemble;
  Master master(ensemble, "master");
  master.connect();
  master.zookeeper.disconnect();
  master.write(1, kSmall);
  master.write(2, {{"c", "3"}});
  EXPECT_THAT(master.zookeeper.asked, IsEmpty());
  master.connect();
  EXPECT_THAT(master.persisted, ElementsAre(1, 2));
}

TEST(ZkLeadership, IsElectedOnceHoweverConnectionsAreLost) {
  bool was_elected = false;
  for (size_t answered = 0; !was_elected; ++answered) {
    for (const size_t done : {0u, 1u, 2u}) {
      SCOPED_TRACE(fmt::format("{} answered, {} done", answered, done));
      FakeEnsemble ensemble;
      {
        Master before(ensemble, "before");
        before.connect();
        before.write(1, kSmall);
        before.write(2, bulky_batch());
        while (before.persisted.size() < 2) before.zookeeper.answer();
        before.zookeeper.close();  // decided, and not applied
      }
      Master master(ensemble, "m");
      master.zookeeper.connect();
      for (size_t i = 0; i < answered && master.zookeeper.step(); ++i) {
      }
      was_elected = master.epoch != 0;
      master.zookeeper.disconnect(done);
      master.connect();
      EXPECT_EQ(master.elections, 1);
      EXPECT_GE(master.epoch, 2u) << master.trouble;
      EXPECT_EQ(master.contents, bulky_contents());
      ASSERT_LT(answered, 1000u);
    }
  }
}

TEST(ZkLeadership, NamesADamagedNode) {
  FakeEnsemble ensemble;
  {
    Master master(ensemble, "m");
    master.connect();
    master.write(1, kSmall);
    ensemble.run();
    master.zookeeper.close();
  }
  const std::string path = "/tepui/registry/shards/00000000";
  const std::string honest = ensemble.tree.find(path)->data;
  std::string damaged = honest;
  damaged[40] = static_cast<char>(damaged[40] ^ 1);
  ensemble.tree.set(path, damaged);
  Master master(ensemble, "m");
  master.connect();
  EXPECT_EQ(master.epoch, 0u);
  EXPECT_THAT(master.trouble, HasSubstr("znode /tepui/registry/shards/00000000 has checksum"));
  // Repaired, it leads at its next attempt.
  ensemble.tree.set(path, honest);
  ensemble.now += limits::kContendPause;
  master.tick();
  EXPECT_NE(master.epoch, 0u);
  EXPECT_EQ(master.contents, kSmallContents);
}

TEST(ZkLeadership, RefusesAKeyThatIsTooLong) {
  FakeEnsemble ensemble;
  Master master(ensemble, "m");
  master.connect();
  master.write(1, {{std::string(256, 'k'), "1"}});
  EXPECT_THAT(master.failed, IsEmpty());
  EXPECT_LE(master.leadership.due(), ensemble.now);
  master.tick();
  ASSERT_EQ(master.failed.size(), 1u);
  EXPECT_THAT(master.failed[0].second, HasSubstr("key of 256 bytes"));
}

}  // namespace
}  // namespace tepui
