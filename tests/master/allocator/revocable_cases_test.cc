// Totals that grow and shrink, and what is revocable of them.

#include "tests/master/allocator/cases.h"

namespace tepui {
namespace {

const Resources kTotal = "cpus:100;mem:100;disk:100"_r;

TEST_F(HierarchicalAllocator, UpdateSlaveOversubscribedResources) {
  agent("a1", kTotal);
  framework("f1", {.roles = {"role1"}, .revocable_resources = true});
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", kTotal}}));

  total("a1", kTotal + revocable_cpus(10));
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", revocable_cpus(10)}}));
  total("a1", kTotal + revocable_cpus(12));
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", revocable_cpus(2)}}));
  total("a1", kTotal + revocable_cpus(5));
  EXPECT_EQ(run(), kNothing);
  EXPECT_EQ(tick(), kNothing);
}

// An agent may have less than what is allocated of it; what comes back fills that first.
TEST_F(HierarchicalAllocator, UpdateSlaveTotalResources) {
  agent("a1", kTotal);
  framework("f1", "role1");
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", kTotal}}));
  const Resources more = "cpus:12"_r;
  total("a1", kTotal + more);
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", more}}));

  const Resources half = "cpus:50;mem:50;disk:50"_r;
  total("a1", half);
  EXPECT_EQ(run(), kNothing);
  give_back("f1", "role1", "a1", kTotal + more);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", half}}));
  total("a1", kTotal);
  EXPECT_EQ(run(), (Gots{{"f1", "role1", "a1", half}}));
}

TEST_F(HierarchicalAllocator, OversubscribedNotAllocated) {
  agent("a1", kTotal);
  framework("f1", "role1");
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", kTotal}}));
  total("a1", kTotal + revocable_cpus(10));
  EXPECT_EQ(run(), kNothing);
  EXPECT_EQ(tick(), kNothing);
}

TEST_F(HierarchicalAllocator, RecoverOversubscribedResources) {
  agent("a1", kTotal);
  framework("f1", {.roles = {"role1"}, .revocable_resources = true});
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", kTotal}}));
  total("a1", kTotal + revocable_cpus(10));
  ASSERT_EQ(run(), (Gots{{"f1", "role1", "a1", revocable_cpus(10)}}));

  const Resources back = revocable_cpus(6) + "cpus:2"_r;
  give_back("f1", "role1", "a1", back);
  EXPECT_EQ(tick(), (Gots{{"f1", "role1", "a1", back}}));
}

}  // namespace
}  // namespace tepui
