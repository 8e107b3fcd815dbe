#include "common/fingerprint.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "tests/common/arbitrary.h"

namespace tepui {
namespace {

AgentInfo some_agent() {
  return {.id = {"c-e1-a1"},
          .hostname = "node1",
          .address = "10.0.0.1:5051",
          .resources =
              Resources::parse("cpus:4;cpus(eng):1;mem:1GB;ports:[1-2,5-9];zones:{a,b}").value(),
          .attributes = parse_attributes("rack:r1;cores:64;disks:{sda,sdb}").value(),
          .domain = {.region = "eu", .zone = "1"},
          .version = "0.1",
          .controllers = {"cpu", "io"},
          .degraded = {"no BTF"}};
}

TEST(Fingerprint, IsTheSameForTheSameInfoHoweverItWasMade) {
  AgentInfo built = some_agent();
  built.resources = Resources::parse("zones:{b,a};ports:[5-9,1-2];mem:1024;cpus(eng):1").value() +
                    Resources::scalars({{"cpus", 4000}});
  ASSERT_EQ(built, some_agent());
  EXPECT_EQ(fingerprint(built), fingerprint(some_agent()));
}

TEST(Fingerprint, ChangesWithEveryField) {
  std::set<uint64_t> seen = {fingerprint(some_agent())};
  const std::vector<std::function<void(AgentInfo&)>> changes = {
      [](AgentInfo& a) { a.id.value = "c-e1-a2"; },
      [](AgentInfo& a) { a.hostname = "node2"; },
      [](AgentInfo& a) { a.address = "10.0.0.1:5052"; },
      [](AgentInfo& a) { a.resources += Resources::scalars({{"cpus", 1}}); },
      [](AgentInfo& a) { a.resources += Resources::parse("cpus(eng):1").value(); },
      [](AgentInfo& a) { a.resources += Resources::parse("ports:[3-3]").value(); },
      [](AgentInfo& a) { a.resources += Resources::parse("zones:{c}").value(); },
      [](AgentInfo& a) { a.attributes.pop_back(); },
      [](AgentInfo& a) { a.attributes[0].name = "row"; },
      [](AgentInfo& a) { a.domain.region = "us"; },
      [](AgentInfo& a) { a.domain.zone = "2"; },
      [](AgentInfo& a) { a.version = "0.2"; },
      [](AgentInfo& a) { a.controllers.clear(); },
      [](AgentInfo& a) { a.degraded.push_back("no PSI"); },
      // The same letters with another border between two fields.
      [](AgentInfo& a) {
        a.hostname = "node11";
        a.address = "0.0.0.1:5051";
      },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    AgentInfo changed = some_agent();
    changes[i](changed);
    EXPECT_TRUE(seen.insert(fingerprint(changed)).second) << i;
  }
}

TEST(Fingerprint, TellsArbitraryInfosApartExactlyWhereTheyDiffer) {
  Arbitrary arbitrary(5);
  AgentInfo last;
  for (int i = 0; i < 500; ++i) {
    const auto info = arbitrary.make<AgentInfo>();
    EXPECT_EQ(fingerprint(info) == fingerprint(last), info == last);
    EXPECT_EQ(fingerprint(info), fingerprint(AgentInfo(info)));
    last = info;
  }
}

}  // namespace
}  // namespace tepui
