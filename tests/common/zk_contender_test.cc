// Goal: a master that wants to lead has exactly one node in its session, however connections are
// lost; it makes another when that one is gone, and takes it away when it stands back.

#include "common/zk_contender.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/fake_zookeeper.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::FakeEnsemble;
using test::FakeZooKeeper;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Bench : ZkContenderClient, ZkSessionClient {
  Bench() { zookeeper.open(*this); }
  void on_joined(Instant, std::string_view name) override { log.push_back(std::string(name)); }
  void on_left(Instant) override { log.emplace_back("left"); }
  void on_trouble(Instant, std::string_view why) override { trouble = why; }
  void on_session(Instant now, const ZkSession& session) override {
    contender.on_session(now, session);
  }
  void connect() {
    zookeeper.connect();
    ensemble.run();
  }
  std::vector<std::string> nodes() const { return ensemble.tree.children("/tepui/prod"); }

  FakeEnsemble ensemble;
  FakeZooKeeper zookeeper{ensemble};
  ZkContender contender{zookeeper, "/tepui/prod", "me", *this};
  std::vector<std::string> log;
  std::string trouble;
};

TEST(ZkContender, MakesItsNodeAndWhatIsAboveIt) {
  Bench bench;
  bench.contender.join();
  EXPECT_THAT(bench.zookeeper.asked, IsEmpty());
  bench.connect();
  EXPECT_THAT(bench.nodes(), ElementsAre("json.info_0000000000"));
  const auto* node = bench.ensemble.tree.find("/tepui/prod/json.info_0000000000");
  EXPECT_EQ(node->data, "me");
  EXPECT_EQ(node->owner, bench.zookeeper.session);
  EXPECT_EQ(bench.ensemble.tree.find("/tepui/prod")->owner, 0u);
  EXPECT_THAT(bench.log, ElementsAre("json.info_0000000000"));
}

TEST(ZkContender, TakesItsNodeAwayWhenItStandsBack) {
  Bench bench;
  bench.contender.join();
  bench.connect();
  bench.contender.leave();
  bench.ensemble.run();
  EXPECT_THAT(bench.nodes(), IsEmpty());
  EXPECT_THAT(bench.log, ElementsAre("json.info_0000000000", "left"));
  bench.contender.join();
  bench.ensemble.run();
  EXPECT_THAT(bench.nodes(), ElementsAre("json.info_0000000001"));
}

TEST(ZkContender, MakesAnotherAfterItsSessionOrItsNodeIsGone) {
  Bench bench;
  bench.contender.join();
  bench.connect();
  bench.zookeeper.expire();
  EXPECT_THAT(bench.nodes(), IsEmpty());
  bench.connect();
  EXPECT_THAT(bench.nodes(), ElementsAre("json.info_0000000001"));
  bench.ensemble.tree.apply(0, ZkDelete{.path = "/tepui/prod/json.info_0000000001"});
  bench.ensemble.fire();
  bench.ensemble.run();
  EXPECT_THAT(bench.nodes(), ElementsAre("json.info_0000000002"));
  EXPECT_THAT(bench.log, ElementsAre("json.info_0000000000", "left", "json.info_0000000001", "left",
                                     "json.info_0000000002"));
}

// At every request the connection is lost, before or after it was carried out.
TEST(ZkContender, HasOneNodeHoweverConnectionsAreLost) {
  for (size_t answered = 0; answered < 8; ++answered) {
    for (const size_t done : {0u, 1u}) {
      SCOPED_TRACE(fmt::format("{} answered, {} done", answered, done));
      Bench bench;
      const auto lose = [&] {
        bench.zookeeper.connect();
        for (size_t i = 0; i < answered && !bench.zookeeper.asked.empty(); ++i) {
          bench.zookeeper.answer();
        }
        bench.zookeeper.disconnect(done);
      };
      bench.contender.join();
      lose();
      lose();
      bench.connect();
      ASSERT_EQ(bench.nodes().size(), 1u);
      EXPECT_EQ(bench.contender.name(), bench.nodes()[0]);
      EXPECT_EQ(bench.log.back(), bench.nodes()[0]);
      bench.contender.leave();
      lose();
      bench.connect();
      EXPECT_THAT(bench.nodes(), IsEmpty());
      EXPECT_EQ(bench.contender.name(), "");
    }
  }
}

TEST(ZkContender, FindsItsNodeAmongThoseOfOthers) {
  Bench bench;
  bench.contender.join();
  bench.connect();
  bench.contender.leave();
  bench.ensemble.run();
  for (const uint64_t other : {77u, 78u}) {
    bench.ensemble.tree.apply(other, ZkCreate{.path = "/tepui/prod/json.info_",
                                              .data = "other",
                                              .ephemeral = true,
                                              .sequential = true});
  }
  bench.contender.join();
  bench.zookeeper.disconnect(1);
  bench.ensemble.tree.apply(
      79,
      ZkCreate{
          .path = "/tepui/prod/json.info_", .data = "me", .ephemeral = true, .sequential = true});
  bench.connect();
  EXPECT_EQ(bench.contender.name(), "json.info_0000000003");
  EXPECT_EQ(bench.nodes().size(), 4u);
}

TEST(ZkContender, TriesAgainAfterARefusal) {
  Bench bench;
  bench.contender.join();
  bench.zookeeper.connect();
  bench.zookeeper.answer_with({.result = ZkResult::kNoRights});
  EXPECT_THAT(bench.trouble, HasSubstr("/tepui/prod: the node's access list"));
  EXPECT_THAT(bench.zookeeper.asked, IsEmpty());
  bench.ensemble.now = bench.contender.due();
  bench.contender.on_time(bench.ensemble.now);
  bench.ensemble.run();
  EXPECT_EQ(bench.nodes().size(), 1u);
}

}  // namespace
}  // namespace tepui
