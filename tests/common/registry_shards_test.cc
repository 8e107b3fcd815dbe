// Goal: the shards always say what the batches made of the contents, whoever reads them; a change
// rewrites its shard only; no node grows beyond its bound.

#include "common/registry_shards.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "common/limits.h"
#include "common/record_log.h"

namespace tepui {
namespace {

using Change = RegistryShards::Change;
using Kind = Change::Kind;
using testing::ElementsAre;
using testing::HasSubstr;

// The nodes as ZooKeeper has them.
struct Nodes {
  std::map<uint32_t, std::string> nodes;
  size_t written = 0;

  void take(const RegistryShards& shards, const std::vector<Change>& changes) {
    for (const Change& change : changes) {
      if (change.kind == Kind::kDelete) {
        ASSERT_EQ(nodes.erase(change.shard), 1u);
        continue;
      }
      std::string bytes = shards.encode(change.shard);
      ASSERT_LE(bytes.size(), limits::kZkNodeBytesMax);
      written += bytes.size();
      ASSERT_EQ(nodes.contains(change.shard), change.kind == Kind::kSet);
      nodes[change.shard] = std::move(bytes);
    }
  }
  Result<RegistryShards> read() const {
    RegistryShards shards;
    for (const auto& [number, bytes] : nodes) {
      TRY(shards.load(number, TRY(decode_znode_entries(shard_name(number), bytes)), {}));
    }
    return shards;
  }
};

StoreWrite agent(int number, size_t bytes = 400) {
  return {.key = fmt::format("agents/7f3a9c12-e1-a{}", number), .value = std::string(bytes, 'a')};
}

std::vector<StoreWrite> agents(int from, int to) {
  std::vector<StoreWrite> batch;
  for (int i = from; i < to; ++i) batch.push_back(agent(i));
  return batch;
}

RC_GTEST_PROP(RegistryShards, SayWhatTheBatchesMadeOfTheContents, ()) {
  RegistryShards shards;
  Nodes nodes;
  StoreContents expected;
  const auto batches = *rc::gen::inRange(1, 12);
  for (int i = 0; i < batches; ++i) {
    std::vector<StoreWrite> batch;
    const auto writes = *rc::gen::inRange(0, 12);
    for (int j = 0; j < writes; ++j) {
      const auto number = *rc::gen::inRange(0, 20);
      const auto size = *rc::gen::element<size_t>(0, 10, 3000, 9000, 17000, 300000, 700000);
      StoreWrite write = agent(number, size);
      if (*rc::gen::inRange(0, 3) == 0) write.value.reset();
      batch.push_back(std::move(write));
    }
    apply_batch(expected, batch);
    nodes.take(shards, shards.apply(batch));
    if (*rc::gen::inRange(0, 4) == 0) shards = nodes.read().value();
    RC_ASSERT(shards.contents().value() == expected);
    RC_ASSERT(join_chunks(cut_into_chunks(batch)).value() == batch);
  }
  RC_ASSERT(nodes.read()->contents().value() == expected);
}

TEST(RegistryShards, FillOneNodeAfterTheOther) {
  RegistryShards shards;
  Nodes nodes;
  nodes.take(shards, shards.apply(agents(0, 50000)));
  EXPECT_LT(nodes.written, 50000u * 560);
  EXPECT_LT(nodes.nodes.size(), 2000u);
  const size_t before = nodes.written;
  nodes.take(shards, shards.apply(agents(50000, 50100)));
  EXPECT_LT(nodes.written - before, 100u * 560 + limits::kZkShardBytes);
}

TEST(RegistryShards, RewriteOnlyTheShardOfAChange) {
  RegistryShards shards;
  Nodes nodes;
  nodes.take(shards, shards.apply(agents(0, 1000)));
  const size_t before = nodes.written;
  EXPECT_EQ(shards.apply(std::vector{agent(500, 401)}).size(), 1u);
  StoreWrite gone = agent(700);
  gone.value.reset();
  const std::vector<Change> changes = shards.apply(std::vector{gone});
  ASSERT_EQ(changes.size(), 1u);
  nodes.take(shards, changes);
  EXPECT_LT(nodes.written - before, 2 * limits::kZkShardBytes);
  // What was never there changes nothing.
  EXPECT_TRUE(shards.apply(std::vector{gone}).empty());
}

TEST(RegistryShards, GoWithTheirLastKeyAndAreFilledAgain) {
  RegistryShards shards;
  EXPECT_THAT(shards.apply(agents(0, 3)), ElementsAre(Change{Kind::kCreate, 0}));
  std::vector<StoreWrite> gone = agents(0, 3);
  for (StoreWrite& write : gone) write.value.reset();
  EXPECT_THAT(shards.apply(gone), ElementsAre(Change{Kind::kDelete, 0}));
  EXPECT_EQ(shards.shards(), 0u);
  EXPECT_THAT(shards.apply(agents(0, 1)), ElementsAre(Change{Kind::kCreate, 1}));
  // Room that others left is used before a new node is made.
  RegistryShards many;
  many.apply(agents(0, 1000));
  const size_t nodes = many.shards();
  std::vector<StoreWrite> half = agents(0, 500);
  for (StoreWrite& write : half) write.value.reset();
  many.apply(half);
  many.apply(agents(1000, 1450));
  EXPECT_LE(many.shards(), nodes);
}

TEST(RegistryShards, RefuseWhatDoesNotFitTogether) {
  const auto why = [](std::vector<std::vector<ZnodeEntry>> nodes) {
    RegistryShards shards;
    uint32_t number = 0;
    for (std::vector<ZnodeEntry>& entries : nodes) {
      if (auto loaded = shards.load(number++, std::move(entries), {}); !loaded) {
        return loaded.error().message;
      }
    }
    const auto contents = shards.contents();
    return contents ? "accepted" : contents.error().message;
  };
  const ZnodeEntry whole{.key = "a", .value = "1"};
  const ZnodeEntry second{.key = "b", .piece = 1, .pieces = 2, .value = "1"};
  EXPECT_EQ(why({{whole}, {whole}}), "has 'a', which is in shards/00000000, too");
  EXPECT_EQ(why({{whole}, {second}}), "'b' has not all of its pieces");
  EXPECT_EQ(why({{{.key = "b", .piece = 0, .pieces = 2, .value = "1"}}, {whole}}),
            "'b' has not all of its pieces");
  EXPECT_EQ(why({{{.key = "c", .value = std::nullopt}}}), "says that 'c' goes away");
  EXPECT_EQ(join_chunks({{second}}).error().message, "piece 1 of 'b' is out of its place");
}

TEST(RegistryShards, HaveNamesThatAreNumbers) {
  EXPECT_EQ(shard_name(17), "shards/00000017");
  EXPECT_EQ(parse_node_number("00000017").value(), 17u);
  EXPECT_EQ(parse_node_number("123456789").value(), 123456789u);
  for (const char* name : {"", "17", "0000001x", "012345678", "99999999999", "-0000001"}) {
    EXPECT_FALSE(parse_node_number(name)) << name;
  }
}

}  // namespace
}  // namespace tepui
