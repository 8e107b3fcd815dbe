// Agents that are planned to go.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

// What a framework holds there that nobody has heard of yet leads to no inverse offer, nor to
// worse.
TEST_F(HierarchicalAllocator, AddAgentWithUnknownFrameworkAndMaintenance) {
  const Resources total = "cpus:2;mem:1024"_r;
  agent("a1", total);
  frameworks_["unknown"] = {.index = 77, .generation = 1};
  allocator_->allocate(frameworks_["unknown"], agents_["a1"], "role", total);
  allocator_->set_maintenance(agents_["a1"], true);
  run();
  EXPECT_TRUE(allocator_->take_inverse_grants().empty());

  framework("f1", "role");
  agent("a2", total);
  run();
  allocator_->set_maintenance(agents_["a2"], true);
  run();
  const std::vector<InverseGrant> asked = allocator_->take_inverse_grants();
  EXPECT_TRUE(std::any_of(asked.begin(), asked.end(), [this](const InverseGrant& grant) {
    return grant == InverseGrant{frameworks_["f1"], agents_["a2"]};
  }));
}

// Only who holds something on the agent is asked, once; who declined everything there is not.
TEST_F(HierarchicalAllocator, MaintenanceInverseOffers) {
  const Resources total = "cpus:2;mem:1024"_r;
  agent("a1", total);
  framework("f1", "*");
  ASSERT_EQ(run(), (Gots{{"f1", "*", "a1", total}}));
  agent("a2", total);
  const Gots second = run();
  ASSERT_EQ(second, (Gots{{"f1", "*", "a2", total}}));
  give_back(second, kDay);

  allocator_->set_maintenance(agents_["a1"], true);
  allocator_->set_maintenance(agents_["a2"], true);
  EXPECT_EQ(run(), kNothing);
  EXPECT_EQ(allocator_->take_inverse_grants(),
            (std::vector<InverseGrant>{{frameworks_["f1"], agents_["a1"]}}));
  EXPECT_EQ(tick(), kNothing);
  EXPECT_TRUE(allocator_->take_inverse_grants().empty()) << "it has not answered yet";
}

}  // namespace
}  // namespace tepui
