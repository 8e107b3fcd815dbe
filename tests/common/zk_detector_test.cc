// Goal: whoever has the smallest number is known as the leader, soon after it is so, through lost
// connections and sessions; what is no contender is left alone.

#include "common/zk_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/fake_zookeeper.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::FakeEnsemble;
using test::FakeZooKeeper;
using testing::HasSubstr;

TEST(FirstContender, IsTheOneWithTheSmallestNumber) {
  const std::vector<std::string> children = {"json.info_0000000012", "json.info_0000000003",
                                             "log_replicas",         "registry",
                                             "json.info_3",          "json.info_00000000x3"};
  EXPECT_EQ(first_contender(children), "json.info_0000000003");
  EXPECT_EQ(first_contender(std::vector<std::string>{"log_replicas", "info_1"}), std::nullopt);
  EXPECT_EQ(first_contender(std::vector<std::string>{"json.info_0000000012", "info_0000000011"}),
            "info_0000000011");
}

struct Bench : ZkDetectorClient, ZkSessionClient {
  Bench() { zookeeper.open(*this); }
  void on_leader(Instant, const std::optional<ZkLeader>& leader) override {
    told.push_back(leader ? leader->name + "=" + leader->data : "nobody");
  }
  void on_trouble(Instant, std::string_view why) override { trouble = why; }
  void on_session(Instant now, const ZkSession& session) override {
    detector.on_session(now, session);
  }
  void connect() {
    zookeeper.connect();
    ensemble.run();
  }
  void make(const std::string& path, const std::string& data) {
    ensemble.tree.apply(0, ZkCreate{.path = path, .data = data});
    ensemble.fire();
    ensemble.run();
  }
  void remove(const std::string& path) {
    ensemble.tree.apply(0, ZkDelete{.path = path});
    ensemble.fire();
    ensemble.run();
  }
  std::string last() const { return told.empty() ? "not told" : told.back(); }

  FakeEnsemble ensemble;
  FakeZooKeeper zookeeper{ensemble};
  ZkDetector detector{zookeeper, "/tepui/prod", *this};
  std::vector<std::string> told;
  std::string trouble;
};

TEST(ZkDetector, FollowsTheLeader) {
  Bench bench;
  EXPECT_EQ(bench.last(), "not told");
  bench.connect();
  EXPECT_EQ(bench.last(), "nobody");
  bench.make("/tepui", "");
  bench.make("/tepui/prod", "");
  bench.make("/tepui/prod/registry", "");
  bench.make("/tepui/prod/json.info_0000000004", "four");
  EXPECT_EQ(bench.last(), "json.info_0000000004=four");
  bench.make("/tepui/prod/json.info_0000000005", "five");
  EXPECT_EQ(bench.told.size(), 2u);
  bench.remove("/tepui/prod/json.info_0000000004");
  EXPECT_EQ(bench.last(), "json.info_0000000005=five");
  bench.remove("/tepui/prod/json.info_0000000005");
  EXPECT_EQ(bench.last(), "nobody");
  EXPECT_EQ(bench.trouble, "");
}

TEST(ZkDetector, KeepsTheLastLeaderWhileTheEnsembleIsAway) {
  Bench bench;
  bench.connect();
  bench.make("/tepui", "");
  bench.make("/tepui/prod", "");
  bench.make("/tepui/prod/json.info_0000000001", "one");
  bench.zookeeper.disconnect();
  EXPECT_EQ(bench.last(), "json.info_0000000001=one");
  bench.zookeeper.expire();
  bench.make("/tepui/prod/json.info_0000000002", "two");
  bench.remove("/tepui/prod/json.info_0000000001");
  EXPECT_EQ(bench.last(), "json.info_0000000001=one");
  bench.connect();
  EXPECT_EQ(bench.last(), "json.info_0000000002=two");
}

TEST(ZkDetector, AsksAgainForWhatWasLostWithTheConnectionAtAnyPoint) {
  for (size_t answered = 0; answered < 4; ++answered) {
    for (const size_t done : {0u, 1u}) {
      Bench bench;
      bench.make("/tepui", "");
      bench.make("/tepui/prod", "");
      bench.make("/tepui/prod/json.info_0000000001", "one");
      bench.zookeeper.connect();
      for (size_t i = 0; i < answered && !bench.zookeeper.asked.empty(); ++i) {
        bench.zookeeper.answer();
      }
      bench.zookeeper.disconnect(done);
      bench.connect();
      EXPECT_EQ(bench.last(), "json.info_0000000001=one") << answered;
      EXPECT_EQ(bench.told.size(), 1u);
    }
  }
}

TEST(ZkDetector, NamesALeaderThatItCannotRead) {
  Bench bench;
  bench.make("/tepui", "");
  bench.make("/tepui/prod", "");
  bench.make("/tepui/prod/info_0000000001", "binary");
  bench.make("/tepui/prod/json.info_0000000002", "two");
  bench.connect();
  EXPECT_EQ(bench.last(), "nobody");
  EXPECT_THAT(bench.trouble, HasSubstr("/tepui/prod/info_0000000001, in a form that is not read"));
  bench.remove("/tepui/prod/info_0000000001");
  EXPECT_EQ(bench.last(), "json.info_0000000002=two");
}

TEST(ZkDetector, TriesAgainAfterARefusal) {
  Bench bench;
  bench.make("/tepui", "");
  bench.make("/tepui/prod", "");
  bench.make("/tepui/prod/json.info_0000000001", "one");
  bench.zookeeper.connect();
  bench.zookeeper.answer_with({.result = ZkResult::kNoRights});
  EXPECT_THAT(bench.trouble, HasSubstr("/tepui/prod: the node's access list"));
  EXPECT_EQ(bench.detector.due(), Instant{} + 1s);
  bench.ensemble.now += 1s;
  bench.detector.on_time(bench.ensemble.now);
  bench.ensemble.run();
  EXPECT_EQ(bench.last(), "json.info_0000000001=one");
  EXPECT_EQ(bench.detector.due(), kNever);
}

}  // namespace
}  // namespace tepui
