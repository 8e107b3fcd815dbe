// Quota in a tree of roles: what a role has and may have, it has with all below it.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

const Resources kOnce = "cpus:2;mem:512"_r;

// What a child uses of its parent's reservations is no longer free, and no headroom.
TEST_F(HierarchicalAllocator, QuotaWithAncestorReservations) {
  quota("quota-role", kOnce);
  const Resources reserved = "cpus(a):2;mem(a):512"_r;
  agent("a1", reserved);
  framework("f1", "a/b");
  EXPECT_EQ(run(), (Gots{{"f1", "a/b", "a1", reserved}}));
  framework("f2", "plain-role");
  suppress("f1");
  agent("a2", kOnce);
  EXPECT_EQ(run(), kNothing) << "the only free agent is kept for quota-role";
  agent("a3", kOnce);
  const Gots got = run();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].framework, "f2");
  EXPECT_EQ(got[0].resources, kOnce);
}

TEST_F(HierarchicalAllocator, QuotaWithNestedRoleReservation) {
  quota("a", kOnce + kOnce);
  agent("a1", "cpus(a/b):2;mem(a/b):512"_r);
  agent("a2", "cpus:20;mem:5120"_r);
  framework("f1", "a");
  EXPECT_EQ(run(), (Gots{{"f1", "a", "a2", kOnce}}));
}

// What `a/b` has fills the quota of `a`: a further agent goes by share, and beyond the limit of `a`
// to neither of them. (In Mesos the child gets it, for there limits do not nest.)
TEST_F(HierarchicalAllocator, QuotaWithNestedRoleAllocation) {
  framework("f1", "a/b");
  agent("a1", kOnce);
  ASSERT_EQ(run(), (Gots{{"f1", "a/b", "a1", kOnce}}));
  guarantee("a", kOnce, {});
  framework("f2", "a");
  framework("f3", "plain-role");
  EXPECT_EQ(allocator_->use("a").consumed, kOnce.quantities());
  agent("a2", kOnce);
  EXPECT_EQ(run(), (Gots{{"f3", "plain-role", "a2", kOnce}}))
      << "the guarantee of `a` is reached by its child";

  quota("a", kOnce);
  agent("a3", kOnce);
  suppress("f3");
  EXPECT_EQ(run(), kNothing) << "the limit too";
}

TEST_F(HierarchicalAllocator, QuotaHeadroomWithNestedRoleAllocation) {
  framework("f1", "a/b");
  agent("a1", kOnce);
  ASSERT_EQ(run(), (Gots{{"f1", "a/b", "a1", kOnce}}));
  framework("f2", "a");
  agent("a2", kOnce);
  ASSERT_EQ(run(), (Gots{{"f2", "a", "a2", kOnce}}));

  quota("quota-role", kOnce);
  agent("a3", kOnce);
  EXPECT_EQ(run(), kNothing) << "kept for quota-role";
  // If what `a/b` has counted twice, one agent more would be kept.
  agent("a4", kOnce);
  EXPECT_EQ(run().size(), 1u);
}

// A guarantee is for the role with all below it: a child without quota serves its parent's. (In
// Mesos' case of this name such a child is left out; see docs/decisions/006-quota-nests.md.) A
// child with a guarantee of its own comes inside the parent's, before those without.
TEST_F(HierarchicalAllocator, NestedRoleQuota) {
  framework("f1", "a/b");
  quota("a/b", kOnce + kOnce);
  agent("a1", kOnce);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "a/b", "a1", kOnce}}));
  give_back(got, kDay);

  framework("f2", "a/b/c");
  const Gots of_child = tick();
  ASSERT_EQ(of_child, (Gots{{"f2", "a/b/c", "a1", kOnce}}));
  give_back(of_child);

  quota("a/b", kOnce);
  quota("a/b/d", kOnce);
  framework("f3", "a/b/d");
  EXPECT_EQ(tick(), (Gots{{"f3", "a/b/d", "a1", kOnce}}))
      << "all that the parent may have is promised to this child";
  EXPECT_EQ(allocator_->use("a/b").consumed, kOnce.quantities());
}

// What the child does not need of the parent's quota, the parent may use itself, and no more.
TEST_F(HierarchicalAllocator, NestedRoleQuotaAllocateToParent) {
  quota("a/b", "cpus:4;mem:2048"_r);
  framework("f1", "a/b");
  agent("a1", "cpus:2;mem:1024"_r);
  ASSERT_EQ(run(), (Gots{{"f1", "a/b", "a1", "cpus:2;mem:1024"_r}}));
  framework("f2", "a/b/c");
  const Resources quarter = "cpus:1;mem:512"_r;
  quota("a/b/c", quarter);
  agent("a2", quarter);
  EXPECT_EQ(run(), (Gots{{"f2", "a/b/c", "a2", quarter}}));
  agent("a3", quarter);
  EXPECT_EQ(run(), (Gots{{"f1", "a/b", "a3", quarter}}));
  agent("a4", quarter);
  EXPECT_EQ(run(), kNothing) << "parent and child together are at the parent's limit";
}

// What a child has counts once in its parent: three agents of quota are enough for both.
TEST_F(HierarchicalAllocator, NestedQuotaAccounting) {
  framework("f1", "aaa");
  const Resources unit = "cpus:1;mem:100"_r;
  quota("x/b", unit + unit + unit);
  framework("f2", "x/b");
  agent("a1", unit + unit);
  ASSERT_EQ(run(), (Gots{{"f2", "x/b", "a1", unit + unit}}));
  quota("x/b/c", unit);
  framework("f3", "x/b/c");
  agent("a2", unit);
  EXPECT_EQ(run(), (Gots{{"f3", "x/b/c", "a2", unit}}));
  agent("a3", unit);
  EXPECT_EQ(run(), (Gots{{"f1", "aaa", "a3", unit}})) << "nothing more is kept for x/b";
}

}  // namespace
}  // namespace tepui
