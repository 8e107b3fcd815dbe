#include "agent/reconfiguration.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

using Policy = ReconfigurationPolicy;

AgentInfo agent() {
  return {.id = {"a1"},
          .hostname = "node1",
          .address = "10.0.0.1:5051",
          .resources = *Resources::parse("cpus:4;mem:1024;ports:[100-200]"),
          .attributes = *parse_attributes("rack:r1;cores:4;slots:[1-4]"),
          .version = "1"};
}

std::string why(Policy policy, const AgentInfo& after, const AgentInfo& before = agent()) {
  const Result<void> checked = check_reconfiguration(policy, before, after);
  return checked.has_value() ? std::string() : checked.error().message;
}

TEST(Reconfiguration, WhatNoTaskDependsOnMayChange) {
  AgentInfo after = agent();
  after.id = {};
  after.version = "2";
  after.controllers = {"cpu"};
  EXPECT_EQ(why(Policy::kEqual, after), "");
}

TEST(Reconfiguration, EqualAllowsNoOtherChange) {
  AgentInfo more = agent();
  more.resources = *Resources::parse("cpus:5;mem:1024;ports:[100-200]");
  EXPECT_NE(why(Policy::kEqual, more), "");
  AgentInfo moved = agent();
  moved.address = "10.0.0.2:5051";
  EXPECT_EQ(why(Policy::kEqual, moved), "address '10.0.0.1:5051' became '10.0.0.2:5051'");
  AgentInfo marked = agent();
  marked.attributes.push_back({.name = "new", .value = std::string("x")});
  EXPECT_NE(why(Policy::kEqual, marked), "");
}

TEST(Reconfiguration, AdditiveAllowsMore) {
  AgentInfo after = agent();
  after.address = "10.0.0.2:5051";
  after.resources = *Resources::parse("cpus:5;mem:1024;ports:[50-300];gpus:1");
  after.attributes = *parse_attributes("rack:r1;cores:4;slots:[1-9];new:x");
  after.domain = {.region = "eu", .zone = "eu-1"};
  EXPECT_EQ(why(Policy::kAdditive, after), "");
}

TEST(Reconfiguration, AdditiveTakesNothingAway) {
  AgentInfo after = agent();
  after.resources = *Resources::parse("cpus:4;mem:1000;ports:[100-200]");
  EXPECT_NE(why(Policy::kAdditive, after).find("mem:24 are gone"), std::string::npos)
      << why(Policy::kAdditive, after);
  after = agent();
  after.hostname = "node2";
  EXPECT_EQ(why(Policy::kAdditive, after), "hostname 'node1' became 'node2'");
  after = agent();
  after.address = "10.0.0.1:6000";
  EXPECT_EQ(why(Policy::kAdditive, after), "port 5051 became 6000");
  for (const char* attributes :
       {"cores:4;slots:[1-4]", "rack:r2;cores:4;slots:[1-4]", "rack:7;cores:4;slots:[1-4]",
        "rack:r1;cores:5;slots:[1-4]", "rack:r1;cores:4;slots:[1-3]"}) {
    after = agent();
    after.attributes = *parse_attributes(attributes);
    EXPECT_NE(why(Policy::kAdditive, after).find("attribute"), std::string::npos) << attributes;
  }
  AgentInfo before = agent();
  before.domain = {.region = "eu", .zone = "eu-1"};
  EXPECT_EQ(why(Policy::kAdditive, agent(), before), "the domain changed");
}

}  // namespace
}  // namespace tepui
