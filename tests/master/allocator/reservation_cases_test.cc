// Reservations and volumes: whom they go to, and what operations on them change.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

TEST_F(HierarchicalAllocator, Reservations) {
  const Resources for_role1 = "cpus(role1):2;mem(role1):1024"_r;
  const Resources for_role2 = "cpus(role2):2;mem(role2):1024"_r;
  const Resources free = "cpus:1;mem:1024"_r;
  agent("a1", for_role1);
  agent("a2", for_role2 + free);
  agent("a3", "cpus(role3):1;mem(role3):1024"_r);
  framework("f1", "role1");
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", for_role1}, {"f1", "role1", "a2", free}}));
  framework("f2", "role2");
  EXPECT_EQ(run(), (Gots{{"f2", "role2", "a2", for_role2}}));
  EXPECT_EQ(tick(), kNothing) << "nobody is there for role3";
}

TEST_F(HierarchicalAllocator, OfferAncestorReservationsToDescendantChild) {
  framework("f1", "a/b/c");
  const Resources of_a = "cpus(a):1;mem(a):512"_r;
  agent("a1", of_a);
  EXPECT_EQ(run(), (Gots{{"f1", "a/b/c", "a1", of_a}}));
  const Resources of_b = "cpus:2;mem:1024;cpus(a/b):4;mem(a/b):2048"_r;
  agent("a2", of_b);
  EXPECT_EQ(run(), (Gots{{"f1", "a/b/c", "a2", of_b}}));
  agent("a3", "cpus(a/b/c/d):1;cpus(a/x):1"_r);
  EXPECT_EQ(run(), kNothing) << "what is reserved below or beside is not for it";
}

// A volume that was created on an allocation comes back as a volume.
TEST_F(HierarchicalAllocator, UpdateAllocation) {
  agent("a1", "cpus:10;mem:100;disk(role1):100"_r);
  framework("f1", "role1");
  const Gots got = run();
  ASSERT_EQ(got.size(), 1u);
  const Resources space = "disk(role1):5"_r;
  const Resources made = volume(space, "data", Sharing::kRegular);
  ASSERT_TRUE(convert(got[0], space, made).has_value());

  const Resources updated = got[0].resources - space + made;
  give_back("f1", "role1", "a1", updated);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", updated}}));
}

TEST_F(HierarchicalAllocator, UpdateAllocationRemoveResources) {
  agent("a1", "cpus:10;mem:100;disk:100"_r);
  framework("f1", "role1");
  const Gots got = run();
  ASSERT_EQ(got.size(), 1u);
  ASSERT_TRUE(convert(got[0], "disk:100"_r, {}).has_value());
  const Resources left = "cpus:10;mem:100"_r;
  give_back("f1", "role1", "a1", left);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", left}}));
}

TEST_F(HierarchicalAllocator, UpdateAllocationSharedPersistentVolume) {
  agent("a1", "cpus:10;mem:100;disk(role1):100"_r);
  framework("f1", {.roles = {"role1"}, .shared_resources = true});
  const Gots before = run();
  ASSERT_EQ(before.size(), 1u);
  const Resources space = "disk(role1):5"_r;
  const Resources made = volume(space, "data", Sharing::kShared);
  ASSERT_TRUE(convert(before[0], space, made).has_value());
  give_back("f1", "role1", "a1", before[0].resources - space + made);
  const Gots with = tick();
  ASSERT_EQ(with, (Gots{{"f1", "role1", "a1", before[0].resources - space + made}}));

  ASSERT_TRUE(convert(with[0], made, space).has_value());
  give_back("f1", "role1", "a1", before[0].resources);
  EXPECT_EQ(tick(), before) << "destroyed: the plain space again";
}

TEST_F(HierarchicalAllocator, SharedResourcesCapability) {
  agent("a1", "cpus:10;mem:100;disk(role1):100"_r);
  framework("f1", "role1");
  const Gots got = run();
  ASSERT_EQ(got.size(), 1u);
  const Resources space = "disk(role1):5"_r;
  const Resources made = volume(space, "data", Sharing::kShared);
  ASSERT_TRUE(convert(got[0], space, made).has_value());
  const Resources rest = got[0].resources - space;
  give_back("f1", "role1", "a1", rest + made);
  const Gots without = tick();
  EXPECT_EQ(without, (Gots{{"f1", "role1", "a1", rest}}));

  give_back(without);
  suppress("f1");
  framework("f2", {.roles = {"role1"}, .shared_resources = true});
  EXPECT_EQ(tick(), (Gots{{"f2", "role1", "a1", rest + made}}));
}

TEST_F(HierarchicalAllocator, UpdateAvailableSuccess) {
  agent("a1", "cpus:100;mem:100;disk:100"_r);
  const Resources plain = "cpus:25;mem:50"_r;
  const Resources reserved = reserve(plain, "role1");
  ASSERT_TRUE(allocator_->convert_available(agents_["a1"], plain, reserved).has_value());
  framework("f1", "role1");
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", "cpus:75;mem:50;disk:100"_r + reserved}}));
}

TEST_F(HierarchicalAllocator, UpdateAvailableFail) {
  const Resources all = "cpus:100;mem:100;disk:100"_r;
  agent("a1", all);
  framework("f1", "role1");
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", all}}));
  const Resources plain = "cpus:25;mem:50"_r;
  EXPECT_FALSE(
      allocator_->convert_available(agents_["a1"], plain, reserve(plain, "role1")).has_value());
  give_back("f1", "role1", "a1", all);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", all}})) << "a failure changes nothing";
}

// ------------------------------------------------------------------------- shared volumes, quota

class WithAndWithoutQuota : public HierarchicalAllocator,
                            public testing::WithParamInterface<bool> {};

// While a task of f1 uses the shared volume, f2 is offered it as well.
TEST_P(WithAndWithoutQuota, AllocateSharedResources) {
  framework("f1", {.roles = {"role1"}, .shared_resources = true});
  framework("f2", {.roles = {"role1"}, .shared_resources = true});
  if (GetParam()) quota("role1", "cpus:8;mem:2048;disk:4096"_r);
  agent("a1", "cpus:4;mem:1024;disk(role1):2048"_r);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "role1", "a1", "cpus:4;mem:1024;disk(role1):2048"_r}}));

  const Resources space = "disk(role1):5"_r;
  const Resources made = volume(space, "data", Sharing::kShared);
  ASSERT_TRUE(convert(got[0], space, made).has_value());
  // The task keeps a processor, some memory and the volume.
  const Resources rest = got[0].resources - space - "cpus:1;mem:64"_r;
  give_back("f1", "role1", "a1", rest);
  EXPECT_EQ(tick(), (Gots{{"f2", "role1", "a1", rest + made}}));
}
INSTANTIATE_TEST_SUITE_P(HierarchicalAllocator, WithAndWithoutQuota, testing::Bool());

INSTANTIATE_TEST_SUITE_P(HierarchicalAllocator, WithReservations,
                         testing::Values(Reservation::Type::kDynamic, Reservation::Type::kStatic));

// What is reserved to a role counts for its quota while nobody uses it.
TEST_P(WithReservations, ReservationUnallocated) {
  const Resources once = "cpus:2;mem:1024"_r;
  const Resources reserved = reserved_to("quota-role", once);
  agent("a1", reserved);
  quota("quota-role", once);
  framework("f1", "quota-role");
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "quota-role", "a1", reserved}}));
  give_back(got, kDay);
  agent("a2", once);
  EXPECT_EQ(tick(), kNothing) << "the limit is used up";
}

TEST_P(WithReservations, ReservationAllocated) {
  const Resources once = "cpus:2;mem:1024"_r;
  const Resources reserved = reserved_to("quota-role", once);
  agent("a1", reserved);
  quota("quota-role", once + once);
  framework("f1", "quota-role");
  ASSERT_EQ(run(), (Gots{{"f1", "quota-role", "a1", reserved}}));
  agent("a2", once);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a2", once}}));
  agent("a3", once);
  EXPECT_EQ(run(), kNothing);
}

TEST_P(WithReservations, NonQuotaRoleReservationWithQuotaRole) {
  const Resources plain = "cpus:2;mem:2048"_r;
  const Resources reserved = reserved_to("other-role", plain);
  agent("a1", plain + reserved);
  quota("quota-role", plain);
  framework("f1", "quota-role");
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "quota-role", "a1", plain}}));
  give_back(got, kDay);
  framework("f2", "other-role");
  EXPECT_EQ(run(), (Gots{{"f2", "other-role", "a1", reserved}}));
}

// A shared volume that is offered while it is used is charged once.
TEST_P(WithReservations, SharedAllocatedResourceQuotaAccounting) {
  quota("quota-role", "cpus:3;mem:2048;disk:100"_r);
  const Resources reserved = reserved_to("quota-role", "cpus:2;mem:1024;disk:50"_r);
  agent("a1", reserved);
  framework("f1", {.roles = {"quota-role"}, .shared_resources = true});
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "quota-role", "a1", reserved}}));
  const Resources space = reserved_to("quota-role", "disk:50"_r);
  const Resources made = volume(space, "data", Sharing::kShared);
  ASSERT_TRUE(convert(got[0], space, made).has_value());

  const Resources back = reserved_to("quota-role", "cpus:1;mem:512"_r);
  give_back("f1", "quota-role", "a1", back);
  ASSERT_EQ(tick(), (Gots{{"f1", "quota-role", "a1", back + made}}));

  const Resources rest = "cpus:1;mem:1024;disk:50"_r;
  agent("a2", rest);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a2", rest}})) << "exactly what the limit leaves";
  agent("a3", "cpus:1;mem:512;disk:50"_r);
  EXPECT_EQ(run(), kNothing);
}

// Who has more reserved than guaranteed takes nothing from the headroom of another role.
TEST_P(WithReservations, QuotaHeadroomWhenReservationsExceedQuota) {
  const Resources once = "cpus:2;mem:1024"_r;
  quota("quota-role-1", once);
  quota("quota-role-2", once);
  agent("a1", reserved_to("quota-role-1", once + once));
  agent("a2", once);
  framework("f1", "plain-role");
  EXPECT_EQ(run(), kNothing) << "what is free is kept for quota-role-2";
  agent("a3", once);
  const Gots got = run();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].resources, once);
}

// Reserving what is allocated already does not count it twice.
TEST_F(HierarchicalAllocator, QuotaAccountingReserveAllocatedResources) {
  quota("quota-role", "cpus:10;mem:1024"_r);
  framework("f1", "quota-role");
  const Resources half = "cpus:5;mem:512"_r;
  agent("a1", half);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "quota-role", "a1", half}}));
  ASSERT_TRUE(convert(got[0], half, reserve(half, "quota-role")).has_value());
  agent("a2", half + half);
  EXPECT_EQ(run(), (Gots{{"f1", "quota-role", "a2", half}}));
}

TEST_F(HierarchicalAllocator, QuotaAccountingUnreserveAllocatedResources) {
  const Resources once = "cpus:2;mem:1024"_r;
  quota("quota-role", once);
  framework("f1", "quota-role");
  const Resources reserved = reserve(once, "quota-role");
  agent("a1", reserved);
  const Gots got = run();
  ASSERT_EQ(got, (Gots{{"f1", "quota-role", "a1", reserved}}));
  agent("a2", once);
  EXPECT_EQ(run(), kNothing);
  ASSERT_TRUE(convert(got[0], reserved, once).has_value());
  EXPECT_EQ(tick(), kNothing) << "it holds as much as before";
  EXPECT_EQ(allocator_->use("quota-role").consumed, once.quantities());
}

}  // namespace
}  // namespace tepui
