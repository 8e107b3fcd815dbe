// Goal: what the hooks count is what happened, by the kernel's own books. Method: real processes in
// cgroups of this test, whose work is known beforehand. Skips where the kernel takes no BPF program
// from this user.

#include "agent/linux/hooks.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>

#include "agent/linux/bpf_place.h"
#include "agent/linux/isolation_facts.h"
#include "common/io/clock.h"
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

// Whoever waits for a task may go on before the switch that ends it has been counted. What it used
// is then as of the last tick of the scheduler, some milliseconds old.
TEST_F(HooksTest, ProcessorTimeIsThereAsSoonAsATaskHasEnded) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  constexpr int64_t kBurnt = 25'000'000;
  int64_t before = 0;
  for (int i = 0; i < 60; ++i) {
    tree_->wait_for(tree_->start(cgroup, [] { burn(kBurnt); }));
    const int64_t after = sample(1).on_cpu_ns.value();
    ASSERT_GE(after - before, kBurnt / 2) << "at task " << i;
    before = after;
  }
  const int64_t usage_ns = keyed_value(cgroup.directory.get(), "cpu.stat", "usage_usec") * 1000;
  expect_close(before, usage_ns, 0.03, 0);
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

// A directory on a disk, where requests are made; nothing if there is none.
std::optional<std::string> directory_on_disk() {
  for (const char* directory : {"/run/disk", "/var/tmp"}) {
    const auto disks = find_io_devices({}, directory);
    if (disks && !disks->empty()) return directory;
  }
  return std::nullopt;
}

// Without a name, so that nothing is left of it.
Fd open_temporary(const std::string& directory, int flags) {
  Fd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600));
  CHECK(static_cast<bool>(file));
  return file;
}

// Where the io controller is v2: in the virtual machine, mostly.
TEST_F(HooksTest, RequestsToADiskAreCountedWithTheirLatency) {
  const auto directory = directory_on_disk();
  if (!directory) GTEST_SKIP() << "no disk here";
  (void)write_control_at(tree_->top().directory.get(), "cgroup.subtree_control", "+io").has_value();
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  const CgroupTree::Cgroup other = tree_->make("container-b");
  if (access((cgroup.path + "/io.stat").c_str(), R_OK) != 0) GTEST_SKIP() << "no io controller";
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  ASSERT_TRUE(hooks_->add(other.id, 2));
  constexpr int kWrites = 32;
  constexpr size_t kBytes = 64 << 10;
  const pid_t writes = tree_->start(cgroup, [&] {
    const Fd file = open_temporary(*directory, O_DIRECT);
    void* bytes = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(bytes, 'x', kBytes);
    for (int i = 0; i < kWrites; ++i) {
      CHECK(pwrite(file.get(), bytes, kBytes, off_t{i} * off_t{kBytes}) == ssize_t{kBytes});
    }
    for (int i = 0; i < kWrites; ++i) {
      CHECK(pread(file.get(), bytes, kBytes, off_t{i} * off_t{kBytes}) == ssize_t{kBytes});
    }
  });
  EXPECT_EQ(tree_->wait_for(writes), 0);
  const Sample counted = sample(1);
  // A request may be cut in two, or made by the journal in the name of the writer.
  EXPECT_GE(counted.block_requests.value(), 2 * kWrites);
  EXPECT_LE(counted.block_requests.value(), 4 * kWrites);
  EXPECT_GT(counted.block_latency_ns.value(), 0);
  EXPECT_GT(counted.block_p50_ns.value(), 0);
  EXPECT_GE(counted.block_p99_ns.value(), counted.block_p50_ns.value());
  EXPECT_EQ(sample(2).block_requests.value(), 0) << "those of others";
  EXPECT_FALSE(sample(1).block_p99_ns.known()) << "none since";
}

// Likewise, of the memory controller.
TEST_F(HooksTest, WaitingForMemoryIsCounted) {
  const auto directory = directory_on_disk();
  if (!directory) GTEST_SKIP() << "no disk here";
  (void)write_control_at(tree_->top().directory.get(), "cgroup.subtree_control", "+memory")
      .has_value();
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  if (!write_control_at(cgroup.directory.get(), "memory.max", "16777216").has_value()) {
    GTEST_SKIP() << "no memory controller";
  }
  ASSERT_TRUE(hooks_->add(cgroup.id, 1));
  // Pages of a file that are on disk can be taken back: the writer looks for some himself, and goes
  // on.
  const pid_t writes = tree_->start(cgroup, [&] {
    const Fd file = open_temporary(*directory, 0);
    const std::string bytes(64 << 10, 'x');
    for (int i = 0; i < 1024; ++i) {
      CHECK(write(file.get(), bytes.data(), bytes.size()) > 0);
      if (i % 16 == 0) CHECK(fdatasync(file.get()) == 0);
    }
  });
  EXPECT_EQ(tree_->wait_for(writes), 0);
  const Sample counted = sample(1);
  EXPECT_GT(counted.reclaim_stalls.value(), 0);
  EXPECT_GT(counted.reclaim_stall_ns.value(), 0);
}

// A program that lets nothing of weight come in: handshakes and acknowledgements do.
Fd load_packet_loss() {
  constexpr int kSmall = 500;
  const std::array<bpf_insn, 6> code = {{
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_1, offsetof(__sk_buff, len), 0},
      {BPF_JMP | BPF_JGT | BPF_K, BPF_REG_0, 0, 2, kSmall},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  }};
  Fd program(bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "tepui_loss", "GPL", code.data(), code.size(),
                           nullptr));
  CHECK(static_cast<bool>(program));
  return program;
}

TEST_F(HooksTest, SegmentsThatAreSentAgainAreCounted) {
  const CgroupTree::Cgroup sender = tree_->make("container-a");
  const CgroupTree::Cgroup receiver = tree_->make("container-b");
  ASSERT_TRUE(hooks_->add(sender.id, 1));
  ASSERT_TRUE(hooks_->add(receiver.id, 2));
  const Fd loss = load_packet_loss();
  ASSERT_EQ(bpf_prog_attach(loss.get(), receiver.directory.get(), BPF_CGROUP_INET_INGRESS,
                            BPF_F_ALLOW_MULTI),
            0);
  const Signal bound;
  auto* address = static_cast<sockaddr_in*>(mmap(
      nullptr, sizeof(sockaddr_in), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  constexpr int kBytes = 1000;
  const pid_t receives = tree_->start(receiver, [&] {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof *address;
    CHECK(bind(listener.get(), reinterpret_cast<sockaddr*>(address), size) == 0);
    CHECK(getsockname(listener.get(), reinterpret_cast<sockaddr*>(address), &size) == 0);
    CHECK(listen(listener.get(), 1) == 0);
    bound.give();
    const Fd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char bytes[kBytes];
    CHECK(recv(connection.get(), bytes, sizeof bytes, MSG_WAITALL) == kBytes);
  });
  bound.await();
  const pid_t sends = tree_->start(sender, [&] {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(connect(socket.get(), reinterpret_cast<sockaddr*>(address), sizeof *address) == 0);
    const char bytes[kBytes] = {};
    CHECK(send(socket.get(), bytes, sizeof bytes, 0) == kBytes);
    char nothing = 0;
    CHECK(recv(socket.get(), &nothing, 1, 0) == 0);  // until all has come
  });
  const Instant deadline = later(now().mono, std::chrono::seconds(20));
  while (sample(1).net_retransmissions.value() == 0 && now().mono < deadline) {
  }
  EXPECT_GT(sample(1).net_retransmissions.value(), 0);
  ASSERT_EQ(bpf_prog_detach2(loss.get(), receiver.directory.get(), BPF_CGROUP_INET_INGRESS), 0);
  EXPECT_EQ(tree_->wait_for(receives), 0);
  EXPECT_EQ(tree_->wait_for(sends), 0);
  munmap(address, sizeof(sockaddr_in));
  EXPECT_EQ(sample(2).net_retransmissions.value(), 0) << "those of others";
}

}  // namespace
}  // namespace tepui
