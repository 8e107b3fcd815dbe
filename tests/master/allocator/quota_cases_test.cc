// Guarantees, limits, and what is held back for them.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

const Resources kOnce = "cpus:2;mem:512"_r;

TEST_F(HierarchicalAllocator, QuotaProvidesGuarantee) {
  framework("f1", "quota-role");
  quota("quota-role", kOnce + kOnce);
  framework("f2", "plain-role");
  agent("a1", kOnce);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a1", kOnce}}));
  agent("a2", kOnce);
  const Gots second = run();
  ASSERT_EQ(second, (Gots{{"f1", "quota-role", "a2", kOnce}}))
      << "its share is larger, but its guarantee is not reached";

  // What it refuses is kept for it nevertheless.
  give_back(second, 2 * kInterval);
  EXPECT_EQ(tick(), kNothing);
  EXPECT_EQ(tick(), second);
}

TEST_F(HierarchicalAllocator, QuotaProvidesLimit) {
  framework("f1", "*");
  guarantee("*", {}, {{"cpus", 0}, {"mem", 0}, {"disk", 0}});
  const Resources total = "cpus:4;mem:1024;disk:1024"_r;
  agent("a1", total);
  EXPECT_EQ(run(), kNothing);
  framework("f2", "plain-role");
  EXPECT_EQ(run(), (Gots{{"f2", "plain-role", "a1", total}}));

  guarantee("*", {}, {{"cpus", 2000}, {"mem", 512'000}, {"disk", 512'000}});
  agent("a2", total);
  const Resources half = "cpus:2;mem:512;disk:512"_r;
  EXPECT_EQ(run(), (Gots{{"f1", "*", "a2", half}, {"f2", "plain-role", "a2", half}}));
}

TEST_F(HierarchicalAllocator, RemoveQuota) {
  quota("quota-role", kOnce + kOnce);
  framework("f1", "quota-role");
  framework("f2", "plain-role");
  agent_with("a1", kOnce, {{"f1", "quota-role", "a1", kOnce}});
  agent_with("a2", kOnce, {{"f1", "quota-role", "a2", kOnce}});
  no_quota("quota-role");
  EXPECT_EQ(run(), kNothing);
  give_back("f1", "quota-role", "a1", kOnce);
  EXPECT_EQ(tick(), (Gots{{"f2", "plain-role", "a1", kOnce}}));
  EXPECT_TRUE(allocator_->use("quota-role").quota.is_default());
}

// Inside a role with quota shares decide; but who refuses leaves it to the others of the role.
TEST_F(HierarchicalAllocator, MultipleFrameworksInRoleWithQuota) {
  framework("f1", "quota-role");
  quota("quota-role", "cpus:8;mem:2048"_r);
  framework("f2", "plain-role");
  agent("a1", kOnce);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a1", kOnce}}));
  framework("f3", "quota-role");
  agent("a2", kOnce + kOnce);
  EXPECT_EQ(run(), (Gots{{"f3", "quota-role", "a2", kOnce + kOnce}}));
  agent("a3", kOnce);
  const Gots third = run();
  ASSERT_EQ(third, (Gots{{"f1", "quota-role", "a3", kOnce}}));
  give_back(third, 5s);
  EXPECT_EQ(tick(), (Gots{{"f3", "quota-role", "a3", kOnce}}));
}

TEST_F(HierarchicalAllocator, QuotaAllocationGranularity) {
  framework("f1", "quota-role");
  const Resources part = "cpus:0.5;mem:200"_r;
  quota("quota-role", part);
  agent("a1", kOnce);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a1", part}}));
  framework("f2", "plain-role");
  EXPECT_EQ(run(), (Gots{{"f2", "plain-role", "a1", kOnce - part}}));
}

// A disk that is mounted as a whole is given as a whole, or not at all.
TEST_F(HierarchicalAllocator, QuotaAllocationGranularityUnchoppableResource) {
  quota("quota-role", "cpus:2;mem:2048;disk:150"_r);
  const Resources some = "cpus:0.5;mem:512"_r;
  const Resources disk = mount_disk(100, "/mnt/1");
  agent("a1", some + disk);
  framework("f1", "quota-role");
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a1", some + disk}}));
  agent("a2", some + disk);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a2", some}})) << "only 50 MB of disk are left";
  agent("a3", "cpus:2;mem:2048;disk:150"_r);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a3", "cpus:1;mem:1024;disk:50"_r}}));
}

TEST_F(HierarchicalAllocator, QuotaAllocationMultipleDisk) {
  quota("quota-role", "cpus:2;mem:512;disk:100"_r);
  const Resources total = "cpus:2;mem:512;disk:50"_r + mount_disk(50, "/mnt/1");
  agent("a1", total);
  framework("f1", "quota-role");
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a1", total}}));
}

// What a role has no guarantee for comes along only with what it has one for, and never from what
// is held back for others.
TEST_F(HierarchicalAllocator, QuotaRoleAllocateNonQuotaResource) {
  guarantee("quota-role-1", "cpus:4"_r, {{"cpus", 4000}});
  const Resources total = "cpus:2;mem:1024;ports:[31000-32000]"_r;
  agent("a1", total);
  framework("f1", "quota-role-1");
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role-1", "a1", total}}));

  guarantee("quota-role-2", "mem:1024"_r, {{"mem", 1'024'000}});
  agent("a2", total);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role-1", "a2", total - "mem:1024"_r}}))
      << "the memory is kept for quota-role-2";

  // Its guarantee is reached; memory and ports are offered by the second stage, within headroom.
  agent("a3", total);
  EXPECT_EQ(tick(), (Gots{{"f1", "quota-role-1", "a3", total - "cpus:2"_r}}));
}

TEST_F(HierarchicalAllocator, DRFWithQuota) {
  const Resources promised = "cpus:0.5;mem:128"_r;
  quota("quota-role", promised);
  framework("f1", "quota-role");
  framework("f2", "plain-role");
  agent_with("a1", kOnce, {{"f1", "quota-role", "a1", promised}});
  EXPECT_EQ(run(), (Gots{{"f2", "plain-role", "a1", kOnce - promised}}));
  const RoleUse use = allocator_->use("quota-role");
  EXPECT_EQ(use.consumed, promised.quantities());
  EXPECT_EQ(use.offered_or_allocated, promised.quantities());
  agent("a2", kOnce);
  EXPECT_EQ(run(), (Gots{{"f2", "plain-role", "a2", kOnce}}));
}

// A role that never gets its turn because another keeps declining below its fair share.
TEST_F(HierarchicalAllocator, QuotaAgainstStarvation) {
  framework("f1", "quota-role");
  framework("f2", "plain-role");
  agent_with("a1", kOnce, {{"f1", "quota-role", "a1", kOnce}});
  agent("a2", kOnce);
  const Gots declined = run();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(i == 0 ? declined : tick(), (Gots{{"f2", "plain-role", "a2", kOnce}}));
    give_back(declined);
  }
  quota("quota-role", kOnce + kOnce);
  EXPECT_EQ(tick(), (Gots{{"f1", "quota-role", "a2", kOnce}}));
}

TEST_F(HierarchicalAllocator, QuotaAbsentFrameworkWholeAgent) {
  quota("quota-role", kOnce);
  framework("f1", "plain-role");
  agent("a1", kOnce);
  EXPECT_EQ(run(), kNothing) << "kept for a role that nobody is in yet";
  agent("a2", kOnce);
  const Gots got = run();
  ASSERT_EQ(got.size(), 1u) << "one of the two is beyond the guarantee";
  EXPECT_EQ(got[0].resources, kOnce);
}

TEST_F(HierarchicalAllocator, MultiQuotaAbsentFrameworks) {
  agent("a1", kOnce + kOnce);
  quota("quota-role-1", kOnce);
  quota("quota-role-2", kOnce + kOnce);
  framework("f1", "quota-role-2");
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role-2", "a1", kOnce + kOnce}}));
}

// The role with the smaller share is satisfied; the other one is served.
TEST_F(HierarchicalAllocator, MultiQuotaWithFrameworks) {
  quota("quota-role-1", "cpus:1;mem:200"_r);
  const Resources second = "cpus:2;mem:2000"_r;
  quota("quota-role-2", second);
  framework("f1", "quota-role-1");
  framework("f2", "quota-role-2");
  const Resources total = "cpus:1;mem:1024"_r;
  agent_with("a1", total, {{"f1", "quota-role-1", "a1", total}});
  agent_with("a2", total, {{"f2", "quota-role-2", "a2", total}});
  EXPECT_EQ(run(), kNothing);
  agent("a3", "cpus:2;mem:2048"_r);
  EXPECT_EQ(run(), (Gots{{"f2", "quota-role-2", "a3", second - total}}));
}

TEST_F(HierarchicalAllocator, ReservationWithinQuota) {
  quota("quota-role", "cpus:2;mem:256"_r);
  framework("f1", "quota-role");
  framework("f2", "plain-role");
  agent_with("a1", "cpus:8;mem(quota-role):256"_r,
             {{"f1", "quota-role", "a1", "cpus:2;mem(quota-role):256"_r}});
  EXPECT_EQ(run(), (Gots{{"f2", "plain-role", "a1", "cpus:6"_r}}));
  agent("a2", "cpus:4"_r);
  EXPECT_EQ(run(), (Gots{{"f2", "plain-role", "a2", "cpus:4"_r}}));
}

// What is reserved to one role cannot be kept for the guarantee of another.
TEST_F(HierarchicalAllocator, QuotaSetAsideReservedResources) {
  const Resources total = "cpus:4;mem:512"_r;
  agent("a1", total);
  agent("a2", total);
  const Resources reserved = reserve(total, "plain-role");
  ASSERT_TRUE(allocator_->convert_available(agents_["a2"], total, reserved).has_value());
  framework("f1", "quota-role");
  quota("quota-role", total);
  const Gots first = run();
  ASSERT_EQ(first, (Gots{{"f1", "quota-role", "a1", total}}));
  give_back(first, kDay);
  EXPECT_EQ(tick(), kNothing);

  framework("f2", "plain-role");
  const Gots second = run();
  ASSERT_EQ(second, (Gots{{"f2", "plain-role", "a2", reserved}}));
  give_back(second, kDay);
  EXPECT_EQ(tick(), kNothing) << "a1 is kept for quota-role though it refuses it now";
}

// Each resource of a quota is filled by itself.
TEST_F(HierarchicalAllocator, DisproportionateQuotaVsAllocation) {
  quota("quota-role", "cpus:4;mem:1024"_r);
  framework("f1", "quota-role");
  agent("a1", "cpus:2;mem:1024"_r);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a1", "cpus:2;mem:1024"_r}}));
  agent("a2", "cpus:2;mem:1024"_r);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a2", "cpus:2"_r}}));
}

}  // namespace
}  // namespace tepui
