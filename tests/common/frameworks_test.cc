#include "common/frameworks.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace tepui {
namespace {

std::string framework_refusal(const std::function<void(FrameworkInfo&)>& change) {
  FrameworkInfo info{.name = "batch", .principal = "me", .roles = {"eng", "ops"}};
  change(info);
  const Result<void> result = validate(info);
  return result ? "accepted" : result.error().message;
}

std::string agent_refusal(const std::function<void(AgentInfo&)>& change) {
  AgentInfo info{.hostname = "node1",
                 .address = "127.0.0.1:5051",
                 .resources = Resources::parse("cpus:4;mem:1GB").value(),
                 .attributes = parse_attributes("rack:r1").value(),
                 .version = "0.1"};
  change(info);
  const Result<void> result = validate(info);
  return result ? "accepted" : result.error().message;
}

TEST(FrameworkInfo, IsAcceptedWithSortedRoles) {
  EXPECT_EQ(framework_refusal([](FrameworkInfo&) {}), "accepted");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) {
              info.id.value = "c-e1-f1";
              info.suppressed_roles = {"ops"};
              info.failover_timeout = std::chrono::hours(1);
            }),
            "accepted");
}

TEST(FrameworkInfo, RefusalSaysWhatIsWrong) {
  const auto roles = [](std::vector<std::string> names) {
    return framework_refusal([&names](FrameworkInfo& info) { info.roles = names; });
  };
  EXPECT_EQ(roles({}), "framework has no role");
  EXPECT_EQ(roles({"a", "a"}), "framework names the role 'a' twice");
  EXPECT_EQ(roles({"b", "a"}), "roles of the framework are not sorted: 'a' comes after 'b'");
  EXPECT_EQ(roles({"a b"}), "role 'a b' contains ' '");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) { info.suppressed_roles = {"hr"}; }),
            "suppressed role 'hr' is not a role of the framework");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) { info.failover_timeout = Duration(-1); }),
            "failover timeout is negative");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) { info.id.value = "."; }),
            "framework id '.' is reserved");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) { info.name = "a\nb"; }),
            "framework name contains the control character 0x0a");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) { info.user.resize(5000, 'u'); }),
            "framework user has 5000 bytes, at most 4096 are allowed");
}

TEST(FrameworkInfo, HoldsConstraintsAndMinimumSetsOfItsRoles) {
  Quantities set;
  set.add("cpus", 2000);
  EXPECT_EQ(framework_refusal([&set](FrameworkInfo& info) {
              add_constraints(info, "ops", {parse_constraint("rack=r1").value()});
              add_constraints(info, "eng", {parse_constraint("!gpu-model").value()});
              add_constraints(info, "ops", {parse_constraint("zone=b").value()});
              set_min_allocatable(info, "ops", {set});
              set_min_allocatable(info, "eng", {});
              EXPECT_EQ(info.offer_constraints.at(1).groups.size(), 2u);
              EXPECT_EQ(info.min_allocatable.at(0).role, "eng");
            }),
            "accepted");
}

TEST(FrameworkInfo, RefusesConstraintsAndMinimumSetsOfOthers) {
  const ConstraintGroup group = {parse_constraint("rack=r1").value()};
  EXPECT_EQ(
      framework_refusal([&group](FrameworkInfo& info) { add_constraints(info, "hr", group); }),
      "offer constraints name the role 'hr', which is not a role of the framework");
  EXPECT_EQ(framework_refusal([&group](FrameworkInfo& info) {
              info.offer_constraints = {{.role = "eng", .groups = {group}},
                                        {.role = "eng", .groups = {group}}};
            }),
            "offer constraints name the role 'eng' twice");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) {
              info.min_allocatable = {{.role = "ops", .sets = {}}, {.role = "eng", .sets = {}}};
            }),
            "minimum sets are not sorted: 'eng' comes after 'ops'");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) { set_min_allocatable(info, "hr", {}); }),
            "minimum sets name the role 'hr', which is not a role of the framework");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) {
              set_min_allocatable(info, "eng", std::vector<Quantities>(65));
            }),
            "framework has 65 minimum sets, at most 64 are allowed");
  EXPECT_EQ(framework_refusal([](FrameworkInfo& info) {
              Quantities set;
              set.add("a b", 1);
              set_min_allocatable(info, "eng", {set});
            }),
            "resource name in a minimum set 'a b' contains ' '");
}

TEST(AgentInfo, IsAcceptedWithOrWithoutAnAddress) {
  EXPECT_EQ(agent_refusal([](AgentInfo&) {}), "accepted");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.address.clear(); }), "accepted");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.address = "[::1]:5051"; }), "accepted");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.domain = {"eu", "eu-1"}; }), "accepted");
}

TEST(AgentInfo, RefusalSaysWhatIsWrong) {
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.id.value = "a/b"; }),
            "agent id 'a/b' contains '/'");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.hostname.clear(); }),
            "agent hostname is empty");
  for (const char* address : {"5051", ":5051", "host:", "host:0", "host:99999", "host:x"}) {
    EXPECT_EQ(agent_refusal([&address](AgentInfo& info) { info.address = address; }),
              "agent address '" + std::string(address) + "' is not one like 127.0.0.1:5051");
  }
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.domain.region = "eu"; }),
            "agent domain needs both a region and a zone, or neither");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.attributes[0].name = "a:b"; }),
            "attribute name 'a:b' contains ':'");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) { info.attributes[0].value = std::string("a\x01"); }),
            "attribute 'rack' contains the control character 0x01");
  EXPECT_EQ(agent_refusal([](AgentInfo& info) {
              ResourceKind kind{.name = "disk", .disk = Disk{.persistence_id = "v"}};
              kind.shared = true;
              info.resources = Resources::create({{make_kind(kind), Amount{1000}, 2}}).value();
            }),
            "agent's resource 'disk' already has 2 holders");
}

TEST(Domain, IsARegionAndAZone) {
  EXPECT_EQ(parse_domain("eu-west/a").value(), (Domain{.region = "eu-west", .zone = "a"}));
  EXPECT_TRUE(parse_domain("").value().empty());
  for (const char* text : {"eu", "/a", "eu/", "/", "eu/a/b", "//"}) {
    const Result<Domain> domain = parse_domain(text);
    ASSERT_FALSE(domain.has_value()) << text;
    EXPECT_EQ(
        domain.error().message,
        "'" + std::string(text) + "' is not a domain, expected REGION/ZONE, one like eu-west/a");
  }
  EXPECT_FALSE(parse_domain("eu\n/a").has_value());
}

}  // namespace
}  // namespace tepui
