// Goal: what the hooks count is what happened, by the kernel's own books. Method: real processes in
// cgroups of this test, whose work is known beforehand. Skips where the kernel takes no BPF program
// from this user.

#include "agent/linux/hooks.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <memory>
#include <optional>

#include "agent/linux/bpf_place.h"
#include "tests/agent/linux/cgroup_tree.h"
#include "tests/agent/linux/work.h"

namespace tepui {
namespace {

constexpr uint32_t kSlots = 16;

class HooksTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<CgroupTree> tree = CgroupTree::create("tepui-hooks");
    if (!tree) GTEST_SKIP() << tree.error().message;
    tree_.emplace(*std::move(tree));
    const Result<cgroup_place> place = find_bpf_place(tree_->top().directory.get());
    if (!place) GTEST_SKIP() << place.error().message;
    EXPECT_EQ(place->cgroup_id, tree_->top().id);
    options_ = {.cgroup = tree_->top().directory.get(), .place = *place, .slots = kSlots};
    open();
  }
  void open() {
    Result<std::unique_ptr<Hooks>> hooks = Hooks::create(options_);
    ASSERT_TRUE(hooks.has_value()) << hooks.error().message;
    hooks_ = *std::move(hooks);
    for (const std::string& missing : hooks_->missing()) ADD_FAILURE() << missing;
  }
  Sample sample(uint32_t slot) {
    Sample sample;
    hooks_->begin_read();
    hooks_->fill(slot, sample);
    return sample;
  }

  std::optional<CgroupTree> tree_;
  Hooks::Options options_;
  std::unique_ptr<Hooks> hooks_;
};

void expect_close(int64_t value, int64_t expected, double share, int64_t absolute) {
  const auto room = std::max(static_cast<int64_t>(static_cast<double>(expected) * share), absolute);
  EXPECT_GE(value, expected - room);
  EXPECT_LE(value, expected + room);
}

TEST_F(HooksTest, ProcessorTimeIsThatOfCpuStat) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  tree_->wait_for(tree_->start(cgroup, [] { burn(200'000'000); }));
  const int64_t usage_ns = keyed_value(cgroup.directory.get(), "cpu.stat", "usage_usec") * 1000;
  EXPECT_GE(usage_ns, 200'000'000);
  expect_close(sample(1).on_cpu_ns.value(), usage_ns, 0.03, 0);
}

TEST_F(HooksTest, ProcessorTimeCountsWhileATaskGoesOn) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  const Signal burnt;
  tree_->start(cgroup, [&burnt] {
    burn(200'000'000);
    burnt.give();
    while (true) burn(1'000'000'000);
  });
  burnt.await();
  const Sample before = sample(1);
  const int64_t usage_ns = keyed_value(cgroup.directory.get(), "cpu.stat", "usage_usec") * 1000;
  const Sample after = sample(1);
  // Both are as of the last tick of the scheduler, which may come between.
  EXPECT_GE(after.on_cpu_ns.value(), usage_ns * 95 / 100);
  expect_close(before.on_cpu_ns.value(), usage_ns, 0.05, 20'000'000);
}

TEST_F(HooksTest, SwitchesAreThoseOfTheKernel) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  constexpr int kTurns = 500;
  const Signal there;
  const Signal back;
  const Signal done;
  const pid_t one = tree_->start(cgroup, [&] {
    for (int i = 0; i < kTurns; ++i) {
      there.give();
      back.await();
    }
    done.give();
    pause();
  });
  const pid_t other = tree_->start(cgroup, [&] {
    for (int i = 0; i < kTurns; ++i) {
      there.await();
      back.give();
    }
    done.give();
    pause();
  });
  done.await();
  done.await();
  // Until both sleep in pause() they may still switch: read the books around the sample.
  const auto switches = [&](const std::string& key) {
    return status_value(one, key) + status_value(other, key);
  };
  const int64_t voluntary_before = switches("voluntary_ctxt_switches");
  const int64_t forced_before = switches("nonvoluntary_ctxt_switches");
  const Sample counted = sample(1);
  const int64_t voluntary_after = switches("voluntary_ctxt_switches");
  const int64_t forced_after = switches("nonvoluntary_ctxt_switches");
  EXPECT_GE(counted.switches_voluntary.value(), kTurns) << "each turn, somebody waits";
  // The kernel notes a switch just before its hook runs.
  EXPECT_GE(counted.switches_voluntary.value(), voluntary_before - 2);
  EXPECT_LE(counted.switches_voluntary.value(), voluntary_after);
  EXPECT_GE(counted.switches_forced.value(), forced_before - 2);
  EXPECT_LE(counted.switches_forced.value(), forced_after);
  // Whoever waited was queued again.
  EXPECT_GE(counted.run_queue_waits.value(), kTurns);
  EXPECT_GT(counted.run_queue_p99_ns.value(), 0);
  EXPECT_GE(counted.run_queue_p99_ns.value(), counted.run_queue_p50_ns.value());
}

TEST_F(HooksTest, WaitsForAProcessorAreMeasured) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  // Two tasks on one processor: each waits about as long as the other runs.
  const auto body = [] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    burn(150'000'000);
  };
  const pid_t first = tree_->start(cgroup, body);
  const pid_t second = tree_->start(cgroup, body);
  tree_->wait_for(first);
  tree_->wait_for(second);
  const Sample counted = sample(1);
  EXPECT_GT(counted.run_queue_wait_ns.value(), 100'000'000);
  EXPECT_GT(counted.run_queue_p99_ns.value(), 500'000) << "a slice of time is some milliseconds";
  EXPECT_FALSE(sample(1).run_queue_p99_ns.known()) << "nothing waited since";
}

TEST_F(HooksTest, WithoutLatencyTheRestIsCounted) {
  hooks_.reset();
  options_.waits = false;
  open();
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  tree_->wait_for(tree_->start(cgroup, [] { burn(20'000'000); }));
  const Sample counted = sample(1);
  EXPECT_GT(counted.on_cpu_ns.value(), 19'000'000);
  EXPECT_FALSE(counted.run_queue_waits.known());
}

TEST_F(HooksTest, WhatAContainerMakesBelowItselfIsItsOwn) {
  const CgroupTree::Cgroup outer = tree_->make("container-a");
  const CgroupTree::Cgroup inner = tree_->make("container-a/container-b");
  const CgroupTree::Cgroup deep = tree_->make("container-a/container-b/made");
  const CgroupTree::Cgroup deeper = tree_->make("container-a/container-b/made/by");
  const CgroupTree::Cgroup made = tree_->make("container-a/made");
  const CgroupTree::Cgroup stranger = tree_->make("stranger");
  ASSERT_TRUE(hooks_->add(outer.id, 1));
  ASSERT_TRUE(hooks_->add(inner.id, 2));
  for (const CgroupTree::Cgroup* cgroup : {&deep, &deeper, &made, &stranger}) {
    tree_->wait_for(tree_->start(*cgroup, [] { burn(20'000'000); }));
  }
  const auto usage_ns = [](const CgroupTree::Cgroup& cgroup) {
    return keyed_value(cgroup.directory.get(), "cpu.stat", "usage_usec") * 1000;
  };
  expect_close(sample(2).on_cpu_ns.value(), usage_ns(inner), 0.05, 0);
  expect_close(sample(1).on_cpu_ns.value(), usage_ns(outer) - usage_ns(inner), 0.05, 0);
  EXPECT_EQ(sample(3).on_cpu_ns.value(), 0);
}

TEST_F(HooksTest, ASlotBeginsAtZeroAndEndsWithItsContainer) {
  const CgroupTree::Cgroup first = tree_->make("container-a");
  const CgroupTree::Cgroup second = tree_->make("container-b");
  ASSERT_TRUE(hooks_->add(first.id, 1));
  tree_->wait_for(tree_->start(first, [] { burn(10'000'000); }));
  EXPECT_GT(sample(1).on_cpu_ns.value(), 0);
  hooks_->remove(first.id);
  const int64_t before = sample(1).on_cpu_ns.value();
  tree_->wait_for(tree_->start(first, [] { burn(10'000'000); }));
  EXPECT_EQ(sample(1).on_cpu_ns.value(), before) << "nobody's any more";
  ASSERT_TRUE(hooks_->add(second.id, 1));
  EXPECT_EQ(sample(1).on_cpu_ns.value(), 0);
  EXPECT_EQ(sample(1).page_faults.value(), 0);
  EXPECT_FALSE(hooks_->add(second.id + 1, 0)) << "slot 0 is nobody's";
  EXPECT_FALSE(hooks_->add(second.id + 1, kSlots));
}

TEST_F(HooksTest, BytesAndPacketsOfBothDirections) {
  const CgroupTree::Cgroup sender = tree_->make("container-a");
  const CgroupTree::Cgroup receiver = tree_->make("container-b");
  ASSERT_TRUE(hooks_->add(sender.id, 1));
  ASSERT_TRUE(hooks_->add(receiver.id, 2));
  constexpr int kDatagrams = 50;
  constexpr int kBytes = 1000;
  constexpr int kHeaders = 20 + 8;  // IP, UDP
  const Signal bound;
  auto* port = static_cast<in_port_t*>(
      mmap(nullptr, sizeof(in_port_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const auto local = [](in_port_t at) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = at;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  };
  const pid_t receives = tree_->start(receiver, [&] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    CHECK(bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    *port = address.sin_port;
    bound.give();
    char bytes[kBytes];
    for (int i = 0; i < kDatagrams; ++i) CHECK(recv(socket, bytes, kBytes, 0) == kBytes);
  });
  bound.await();
  const pid_t sends = tree_->start(sender, [&] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = local(*port);
    const char bytes[kBytes] = {};
    for (int i = 0; i < kDatagrams; ++i) {
      CHECK(sendto(socket, bytes, kBytes, 0, reinterpret_cast<sockaddr*>(&address),
                   sizeof address) == kBytes);
    }
  });
  EXPECT_EQ(tree_->wait_for(sends), 0);
  EXPECT_EQ(tree_->wait_for(receives), 0);
  munmap(port, sizeof(in_port_t));
  const Sample sent = sample(1);
  EXPECT_EQ(sent.net_sent_packets.value(), kDatagrams);
  EXPECT_EQ(sent.net_sent_bytes.value(), kDatagrams * (kBytes + kHeaders));
  EXPECT_EQ(sent.net_received_packets.value(), 0);
  const Sample received = sample(2);
  EXPECT_EQ(received.net_received_packets.value(), kDatagrams);
  EXPECT_EQ(received.net_received_bytes.value(), kDatagrams * (kBytes + kHeaders));
  EXPECT_EQ(received.net_sent_packets.value(), 0);
  EXPECT_TRUE(received.net_retransmissions.known());
}

TEST_F(HooksTest, PageFaultsAreCounted) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  constexpr size_t kPages = 1000;
  tree_->wait_for(tree_->start(cgroup, [] {
    const size_t bytes = kPages * 4096;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(madvise(memory, bytes, MADV_NOHUGEPAGE) == 0);
    for (size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
  }));
  const Sample counted = sample(1);
  EXPECT_GE(counted.page_faults.value(), static_cast<int64_t>(kPages));
  EXPECT_LT(counted.page_faults.value(), static_cast<int64_t>(2 * kPages));
  EXPECT_TRUE(counted.reclaim_stalls.known());
}

}  // namespace
}  // namespace tepui
