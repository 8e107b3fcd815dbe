#include "common/registry.h"

#include <gtest/gtest.h>

#include <string>

#include "common/limits.h"
#include "common/record_log.h"
#include "common/registry_wire.h"
#include "common/rng.h"

namespace tepui {
namespace {

AgentInfo agent(std::string id) {
  return {.id = {std::move(id)},
          .hostname = "node1",
          .address = "127.0.0.1:5051",
          .resources = Resources::parse("cpus:4;mem:1GB;ports:[1-9]").value(),
          .attributes = parse_attributes("rack:r1;zones:{a,b}").value(),
          .domain = {.region = "eu", .zone = "eu-1"},
          .version = "0.1",
          .controllers = {"cpu", "memory"},
          .degraded = {"no io controller"}};
}

WallTime at(int64_t ns) { return WallTime(Duration(ns)); }

std::vector<std::string> keys(const std::vector<StoreWrite>& writes) {
  std::vector<std::string> keys;
  for (const StoreWrite& write : writes) keys.push_back((write.value ? "+" : "-") + write.key);
  return keys;
}

using Keys = std::vector<std::string>;

StoreContents named() {
  StoreContents contents;
  apply_batch(contents, Registry().set_cluster("7f3a9c12"));
  return contents;
}

TEST(Registry, WritesOneKeyForEachChange) {
  Registry registry;
  EXPECT_EQ(keys(registry.set_cluster("7f3a9c12")), (Keys{"+cluster"}));
  EXPECT_EQ(keys(registry.admit(agent("a1"))), (Keys{"+agents/a1"}));
  EXPECT_EQ(keys(registry.mark_unreachable({"a1"}, at(5))),
            (Keys{"-agents/a1", "+unreachable/a1"}));
  EXPECT_EQ(keys(registry.admit(agent("a1"))), (Keys{"-unreachable/a1", "+agents/a1"}));
  EXPECT_EQ(keys(registry.set_gone({"a1"}, {.since = at(6)})), (Keys{"-agents/a1", "+gone/a1"}));
  EXPECT_EQ(keys(registry.remove({"a1"})), (Keys{"-gone/a1"}));
  EXPECT_EQ(keys(registry.remove({"a1"})), (Keys{}));
}

TEST(Registry, WritesNothingForAnAgentThatComesBackUnchanged) {
  Registry registry;
  registry.admit(agent("a1"));
  EXPECT_EQ(keys(registry.admit(agent("a1"))), (Keys{}));
  AgentInfo moved = agent("a1");
  moved.hostname = "node2";
  EXPECT_EQ(keys(registry.admit(moved)), (Keys{"+agents/a1"}));
  EXPECT_EQ(registry.agents().at({"a1"}).hostname, "node2");
}

TEST(Registry, AnAgentIsInOneListOnly) {
  Registry registry;
  registry.admit(agent("a1"));
  registry.mark_unreachable({"a1"}, at(5));
  EXPECT_TRUE(registry.agents().empty());
  EXPECT_EQ(registry.unreachable().at({"a1"}), at(5));
  registry.set_gone({"a1"}, {.since = at(6)});
  EXPECT_TRUE(registry.unreachable().empty());
  EXPECT_EQ(registry.gone().at({"a1"}).since, at(6));
  EXPECT_DEATH(registry.admit(agent("a1")), "CHECK failed");
}

// Method: random changes, each batch applied to what a store holds; a registry that is loaded from
// there must know what the first one knows.
TEST(Registry, LoadsWhatItsWritesLeftInTheStore) {
  Rng rng(3);
  Registry registry;
  StoreContents contents;
  apply_batch(contents, registry.set_cluster("7f3a9c12"));
  for (int step = 0; step < 2000; ++step) {
    const AgentId id{"a" + std::to_string(rng.below(20))};
    const WallTime now = at(step);
    switch (rng.below(8)) {
      case 0:
        apply_batch(contents, registry.remove(id));
        break;
      case 1:
        apply_batch(contents,
                    registry.set_gone(id, {.since = now, .by_operator = rng.chance(1, 2)}));
        break;
      case 2:
      case 3:
        if (!registry.gone().contains(id)) {
          apply_batch(contents, registry.mark_unreachable(id, now));
        }
        break;
      default: {
        AgentInfo info = agent(id.value);
        info.version = std::to_string(rng.below(3));
        if (!registry.gone().contains(id)) apply_batch(contents, registry.admit(info));
      }
    }
    if (step % 50 != 0) continue;
    const Registry loaded = Registry::load(contents).value();
    ASSERT_EQ(loaded.cluster(), registry.cluster());
    ASSERT_EQ(loaded.agents(), registry.agents());
    ASSERT_EQ(loaded.unreachable(), registry.unreachable());
    ASSERT_EQ(loaded.gone(), registry.gone());
  }
}

TEST(Registry, OfAnEmptyStoreIsEmpty) {
  const Registry registry = Registry::load({}).value();
  EXPECT_EQ(registry.cluster(), "");
  EXPECT_TRUE(registry.agents().empty());
}

TEST(Registry, RefusesWhatItDoesNotUnderstandAndNamesTheKey) {
  const auto refusal = [](std::string key, std::string value) {
    StoreContents contents = named();
    contents.insert_or_assign(std::move(key), std::move(value));
    const Result<Registry> loaded = Registry::load(contents);
    return loaded ? "accepted" : loaded.error().message;
  };
  EXPECT_EQ(refusal("agents/a1", encode_agent(agent("a1"))), "accepted");
  EXPECT_EQ(refusal("quotas/eng", "x"),
            "registry entry 'quotas/eng': no such key is known to this program");
  EXPECT_EQ(refusal("agents/a1", encode_agent(agent("a2"))),
            "registry entry 'agents/a1': holds the agent 'a2'");
  EXPECT_EQ(refusal("agents/a/b", encode_agent(agent("a"))),
            "registry entry 'agents/a/b': agent id 'a/b' contains '/'");
  EXPECT_EQ(refusal("unreachable/a1", encode_agent(agent("a1"))),
            "registry entry 'unreachable/a1': entry holds another kind of value than its key says");
  EXPECT_EQ(refusal("gone/a1", "rubbish"),
            "registry entry 'gone/a1': the 7 bytes are not an entry of the registry");
  EXPECT_EQ(refusal("cluster", encode_cluster("a/b")),
            "registry entry 'cluster': cluster name 'a/b' contains '/'");
  AgentInfo hostless = agent("a1");
  hostless.hostname.clear();
  EXPECT_EQ(refusal("agents/a1", encode_agent(hostless)),
            "registry entry 'agents/a1': agent hostname is empty");

  StoreContents twice = named();
  twice["agents/a1"] = encode_agent(agent("a1"));
  twice["gone/a1"] = encode_departed({.since = at(1)});
  EXPECT_EQ(Registry::load(twice).error().message,
            "registry entry 'gone/a1': the agent is in another list too");

  StoreContents nameless{{"gone/a1", encode_departed({.since = at(1)})}};
  EXPECT_EQ(Registry::load(nameless).error().message,
            "registry has 1 entries and no entry 'cluster'");
}

TEST(Registry, ForgetsTheOldestOfTooManyGone) {
  Registry registry;
  // The names are not in the order of time.
  for (size_t i = 0; i < limits::kGoneMax; ++i) {
    registry.set_gone({"g" + std::to_string((i + 7) % limits::kGoneMax)},
                      {.since = at(static_cast<int64_t>(i))});
  }
  EXPECT_EQ(registry.gone().size(), limits::kGoneMax);
  EXPECT_EQ(keys(registry.set_gone({"last"}, {.since = at(1'000'000)})),
            (Keys{"+gone/last", "-gone/g7"}));
  EXPECT_EQ(registry.gone().size(), limits::kGoneMax);
}

TEST(Registry, WhatOperatorsCommandIsLoadedAsItWasWritten) {
  Registry registry;
  StoreContents contents = named();
  const Quota quota{.guarantees = {}, .limits_milli = {{"cpus", 4000}, {"gpus", 0}}};
  const Machine machine{.unavailability = {.start = at(7), .duration = Duration(9)},
                        .drain = true,
                        .drain_begun = true,
                        .down = true};
  const Standing standing{.deactivated = true,
                          .drain = Standing::Drain::kDraining,
                          .max_grace = Duration(3),
                          .mark_gone = true};
  apply_batch(contents, registry.set_quota("eng/search", quota));
  apply_batch(contents, registry.set_weight("eng", 2500));
  apply_batch(contents, registry.set_machine("node1", machine));
  apply_batch(contents, registry.admit(agent("a1")));
  apply_batch(contents, registry.set_standing({"a1"}, standing));
  const Result<Registry> loaded = Registry::load(contents);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->quotas().at("eng/search"), quota);
  EXPECT_EQ(loaded->weights().at("eng"), 2500);
  EXPECT_EQ(loaded->machines().at("node1"), machine);
  EXPECT_EQ(loaded->standing_of({"a1"}), standing);
  EXPECT_EQ(loaded->standing_of({"a2"}), Standing{});

  EXPECT_EQ(keys(registry.set_quota("eng/search", {})), (Keys{"-quota/eng/search"}));
  EXPECT_EQ(keys(registry.set_machine("node1", std::nullopt)), (Keys{"-maintenance/node1"}));
  EXPECT_EQ(keys(registry.set_gone({"a1"}, {.since = at(6)})),
            (Keys{"-agents/a1", "-drain/a1", "+gone/a1"}));
}

TEST(Registry, RefusesCommandsThatCannotHaveBeenGiven) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"quota/a//b", encode_quota({})},
           {"quota/eng", encode_weight(1000)},
           {"weights/eng", encode_weight(0)},
           {"weights/eng", encode_weight(limits::kWeightMilliMax + 1)},
           {"maintenance/node1", encode_standing({})},
           {"drain/", encode_standing({})}}) {
    StoreContents contents = named();
    contents[key] = value;
    const Result<Registry> loaded = Registry::load(contents);
    ASSERT_FALSE(loaded.has_value()) << key;
    EXPECT_NE(loaded.error().message.find(key), std::string::npos) << loaded.error().message;
  }
}

}  // namespace
}  // namespace tepui
