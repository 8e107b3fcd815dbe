// Goal: counters count the containers whose turn it is, and say for how long they did. Method:
// events that the kernel counts itself, on the same path as those of the processor, which virtual
// machines lack; processes in cgroups of this test, whose work is known beforehand; a clock of the
// test's own.

#include "agent/linux/counters.h"

#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/mman.h>

#include <memory>
#include <optional>

#include "common/io/clock.h"
#include "tests/agent/linux/cgroup_tree.h"
#include "tests/agent/linux/work.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kPages = 1000;
constexpr Counters::Events kSoftware = {{{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK},
                                         {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
                                         {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS}}};

void touch_pages() {
  constexpr size_t kBytes = kPages * 4096;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(madvise(memory, kBytes, MADV_NOHUGEPAGE) == 0);
  for (size_t i = 0; i < kBytes; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
}

class CountersTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<CgroupTree> tree = CgroupTree::create("tepui-counters");
    if (!tree) GTEST_SKIP() << tree.error().message;
    tree_.emplace(*std::move(tree));
    reactor_ = *Reactor::create();
  }
  Result<std::unique_ptr<Counters>> create(const Counters::Events& events, size_t groups_max) {
    return Counters::create(*reactor_, {.cgroup = tree_->top().path,
                                        .slots = 8,
                                        .events = events,
                                        .groups_max = groups_max,
                                        .turn = 1s});
  }
  void open(size_t groups_max) {
    Result<std::unique_ptr<Counters>> counters = create(kSoftware, groups_max);
    if (!counters) GTEST_SKIP() << counters.error().message;
    counters_ = *std::move(counters);
  }
  void read_at(Duration time) {
    const uint64_t before = counters_->readings();
    counters_->start(Instant(100s + time));
    const Instant deadline = later(now().mono, 20s);
    while (counters_->readings() == before && now().mono < deadline) {
      reactor_->run_once(later(now().mono, 5ms));
    }
    ASSERT_EQ(counters_->readings(), before + 1);
  }
  Sample sample(uint32_t slot) const {
    Sample sample;
    counters_->fill(slot, sample);
    return sample;
  }

  std::optional<CgroupTree> tree_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Counters> counters_;
};

TEST_F(CountersTest, WhatAContainerDoesIsCounted) {
  open(8);
  if (counters_ == nullptr) return;
  const CgroupTree::Cgroup busy = tree_->make("container-a");
  const CgroupTree::Cgroup idle = tree_->make("container-b");
  counters_->add(1, busy.path);
  counters_->add(2, idle.path);
  read_at(0s);
  EXPECT_FALSE(sample(1).cycles.known()) << "nothing has been counted yet";
  tree_->wait_for(tree_->start(busy, [] {
    burn(20'000'000);
    touch_pages();
  }));
  read_at(1s);
  EXPECT_GE(sample(1).cycles.value(), 20'000'000) << "nanoseconds, of this event";
  EXPECT_GE(sample(1).cache_misses.value(), kPages) << "page faults, of this event";
  EXPECT_EQ(sample(1).counted_permille.value(), 1000);
  EXPECT_TRUE(sample(2).cache_misses.known());
  EXPECT_EQ(sample(2).cache_misses.value(), 0);
  EXPECT_FALSE(sample(3).cycles.known());
}

TEST_F(CountersTest, ManyAreCountedInTurns) {
  open(1);
  if (counters_ == nullptr) return;
  const CgroupTree::Cgroup first = tree_->make("container-a");
  const CgroupTree::Cgroup second = tree_->make("container-b");
  counters_->add(1, first.path);
  counters_->add(2, second.path);
  read_at(0s);
  for (int turn = 1; turn <= 4; ++turn) {
    tree_->wait_for(tree_->start(first, touch_pages));
    tree_->wait_for(tree_->start(second, touch_pages));
    read_at(std::chrono::seconds(turn));
  }
  for (const uint32_t slot : {1, 2}) {
    EXPECT_EQ(sample(slot).counted_permille.value(), 500) << slot;
    EXPECT_GE(sample(slot).cache_misses.value(), 2 * kPages) << "of two turns of four";
    EXPECT_LT(sample(slot).cache_misses.value(), 3 * kPages);
  }
}

TEST_F(CountersTest, APlaceIsAnothersAfterwards) {
  open(8);
  if (counters_ == nullptr) return;
  const CgroupTree::Cgroup first = tree_->make("container-a");
  const CgroupTree::Cgroup second = tree_->make("container-b");
  counters_->add(1, first.path);
  read_at(0s);
  tree_->wait_for(tree_->start(first, touch_pages));
  read_at(1s);
  EXPECT_GE(sample(1).cache_misses.value(), kPages);
  counters_->remove(1);
  EXPECT_FALSE(sample(1).cache_misses.known());
  counters_->add(1, second.path);
  read_at(2s);
  tree_->wait_for(tree_->start(first, touch_pages));
  read_at(3s);
  EXPECT_EQ(sample(1).cache_misses.value(), 0);
  EXPECT_EQ(sample(1).counted_permille.value(), 1000);
}

TEST_F(CountersTest, TheProcessorsOwnAreCountedOrItIsSaid) {
  Result<std::unique_ptr<Counters>> counters = create(Counters::kHardware, 8);
  if (!counters) {
    EXPECT_FALSE(counters.error().message.empty());
    GTEST_SKIP() << counters.error().message;
  }
  counters_ = *std::move(counters);
  const CgroupTree::Cgroup busy = tree_->make("container-a");
  counters_->add(1, busy.path);
  read_at(0s);
  tree_->wait_for(tree_->start(busy, [] { burn(20'000'000); }));
  read_at(1s);
  EXPECT_GT(sample(1).instructions.value(), 1'000'000);
  EXPECT_GT(sample(1).cycles.value(), 1'000'000);
}

}  // namespace
}  // namespace tepui
