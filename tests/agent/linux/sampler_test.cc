// Goal: the three ways to measure say the same of the same containers, and each says what it has
// not. Method: real processes in cgroups of this test, measured by three samplers side by side.
// Skips where no cgroup can be made; what needs hooks skips where the kernel takes none.

#include "agent/linux/sampler.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <optional>

#include "agent/linux/cgroup_files.h"
#include "agent/linux/network.h"
#include "common/io/clock.h"
#include "tests/agent/linux/cgroup_tree.h"
#include "tests/agent/linux/work.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

class Owner final : public SamplerOwner {
 public:
  void on_oom_victim(const ContainerId& id, int64_t) override { victims.push_back(id.value); }
  void on_sampling_failed(const Error& error) override { ADD_FAILURE() << error.message; }
  std::vector<std::string> victims;
};

class SamplerTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<CgroupTree> tree = CgroupTree::create("tepui-sampler");
    if (!tree) GTEST_SKIP() << tree.error().message;
    tree_.emplace(*std::move(tree));
    // As many controllers as this machine has.
    for (const char* controller : {"+cpu", "+memory", "+io"}) {
      (void)write_control_at(tree_->top().directory.get(), "cgroup.subtree_control", controller)
          .has_value();
    }
    reactor_ = *Reactor::create();
  }
  std::unique_ptr<Sampler> make(SampleSource best, Duration interval = 5ms) {
    auto sampler = std::make_unique<Sampler>(
        *reactor_,
        Sampler::Options{
            .cgroup = tree_->top().path, .best = best, .interval = interval, .slots = 64},
        owner_);
    sampler->prepare();
    const Result<void> begun = sampler->begin();
    EXPECT_TRUE(begun.has_value()) << begun.error().message;
    return sampler;
  }
  bool run_until(const std::function<bool()>& done) {
    const Instant deadline = later(now().mono, 20s);
    while (!done()) {
      if (now().mono >= deadline) return false;
      reactor_->run_once(later(now().mono, 5ms));
    }
    return true;
  }
  // What is measured from now on.
  Sample next_sample(const Sampler& sampler, const std::string& id) {
    const uint64_t after = sampler.counts().samplings + 1;
    EXPECT_TRUE(run_until([&] { return sampler.counts().samplings > after; }));
    const SampleHistory* history = sampler.find({.value = id});
    EXPECT_NE(history, nullptr);
    return history == nullptr ? Sample{} : history->latest();
  }

  Owner owner_;
  std::optional<CgroupTree> tree_;
  std::unique_ptr<Reactor> reactor_;
};

bool has(const Sampler& sampler, SampleSource source) {
  if (sampler.source() == source) return true;
  EXPECT_FALSE(sampler.notes().empty()) << "it says why";
  return false;
}

TEST_F(SamplerTest, ThreeSourcesSayTheSame) {
  const auto iterator = make(SampleSource::kIterator);
  const auto hooks = make(SampleSource::kHooks);
  const auto files = make(SampleSource::kFiles);
  ASSERT_TRUE(iterator && hooks && files);
  if (!has(*iterator, SampleSource::kIterator)) GTEST_SKIP() << iterator->notes()[0];
  const CgroupTree::Cgroup one = tree_->make("container-one");
  const CgroupTree::Cgroup two = tree_->make("container-two");
  for (Sampler* sampler : {iterator.get(), hooks.get(), files.get()}) {
    ASSERT_TRUE(sampler->add({.value = "one"}, "container-one"));
    ASSERT_TRUE(sampler->add({.value = "two"}, "container-two"));
  }
  tree_->wait_for(tree_->start(one, [] { burn(100'000'000); }));
  tree_->wait_for(tree_->start(two, [] { burn(10'000'000); }));
  for (const auto& [id, at_least] : {std::pair{"one", 100'000'000}, std::pair{"two", 10'000'000}}) {
    const Sample walked = next_sample(*iterator, id);
    const Sample mixed = next_sample(*hooks, id);
    const Sample read = next_sample(*files, id);
    EXPECT_GE(walked.cpu_usage_ns.value(), at_least);
    // Files have whole microseconds; nothing runs any more.
    EXPECT_EQ(walked.cpu_usage_ns.value() / 1000, read.cpu_usage_ns.value() / 1000);
    EXPECT_EQ(mixed.cpu_usage_ns, read.cpu_usage_ns);
    EXPECT_NEAR(static_cast<double>(walked.cpu_user_ns.value()),
                static_cast<double>(read.cpu_user_ns.value()), 8e6);
    // Two sets of hooks counted the same.
    EXPECT_NEAR(static_cast<double>(walked.on_cpu_ns.value()),
                static_cast<double>(walked.cpu_usage_ns.value()), at_least * 0.03);
    EXPECT_EQ(walked.on_cpu_ns, mixed.on_cpu_ns);
    EXPECT_EQ(walked.switches_forced, mixed.switches_forced);
    EXPECT_FALSE(read.on_cpu_ns.known());
    EXPECT_FALSE(read.switches_voluntary.known());
    EXPECT_FALSE(read.net_sent_bytes.known());
    // What controllers this host has, all three agree on.
    EXPECT_EQ(walked.memory_bytes.known(), read.memory_bytes.known());
    EXPECT_EQ(walked.memory_bytes, read.memory_bytes);
    EXPECT_EQ(walked.memory_max_events, read.memory_max_events);
    EXPECT_EQ(walked.oom_kills, read.oom_kills);
    EXPECT_EQ(walked.io_reads, read.io_reads);
    EXPECT_EQ(walked.io_written_bytes, read.io_written_bytes);
    EXPECT_EQ(walked.cpu_periods.known(), read.cpu_periods.known());
    EXPECT_EQ(walked.cpu_some_ns.known(), read.cpu_some_ns.known());
    // The iterator's may be older, never newer.
    EXPECT_LE(walked.cpu_some_ns.value(), read.cpu_some_ns.value() + 1000);
  }
}

TEST_F(SamplerTest, FilesAreReadWhereNothingElseIsWished) {
  const auto sampler = make(SampleSource::kFiles);
  ASSERT_TRUE(sampler);
  EXPECT_EQ(sampler->source(), SampleSource::kFiles);
  EXPECT_TRUE(sampler->notes().empty());
  const CgroupTree::Cgroup one = tree_->make("container-one");
  ASSERT_TRUE(sampler->add({.value = "one"}, "container-one"));
  tree_->wait_for(tree_->start(one, [] { burn(20'000'000); }));
  const Sample sample = next_sample(*sampler, "one");
  EXPECT_EQ(sample.cpu_usage_ns.value(),
            keyed_value(one.directory.get(), "cpu.stat", "usage_usec") * 1000);
  EXPECT_GE(sample.cpu_usage_ns.value(), 20'000'000);
}

// Reading a file adds up what each processor counted, also for the iterator: here nobody reads one.
TEST_F(SamplerTest, TheIteratorNeedsNoFileToBeRead) {
  const auto sampler = make(SampleSource::kIterator);
  ASSERT_TRUE(sampler);
  if (!has(*sampler, SampleSource::kIterator)) GTEST_SKIP() << sampler->notes()[0];
  const CgroupTree::Cgroup one = tree_->make("container-one");
  ASSERT_TRUE(sampler->add({.value = "one"}, "container-one"));
  for (int64_t burnt = 1; burnt <= 3; ++burnt) {
    tree_->wait_for(tree_->start(one, [] { burn(20'000'000); }));
    EXPECT_GE(next_sample(*sampler, "one").cpu_usage_ns.value(), burnt * 20'000'000);
  }
}

TEST_F(SamplerTest, FewDescriptorsAreEnoughForManyCgroups) {
  class Nobody final : public CgroupReaderOwner {
    void on_cgroups_read(const Result<void>&) override {}
  } owner;
  const auto files = *CgroupFiles::create(*reactor_, 8, owner);
  files->keep_at_most(2 * 9);
  for (uint32_t slot = 1; slot < 6; ++slot) {
    const CgroupTree::Cgroup cgroup = tree_->make("container-" + std::to_string(slot));
    files->add(slot, cgroup.id, cgroup.path);
  }
  for (int reading = 0; reading < 2; ++reading) {
    files->read_all();
    EXPECT_EQ(files->kept(), 2u);
    for (uint32_t slot = 1; slot < 6; ++slot) {
      Sample sample;
      files->fill(slot, sample);
      EXPECT_TRUE(sample.cpu_usage_ns.known()) << slot;
    }
  }
  files->remove(1);
  EXPECT_EQ(files->kept(), 1u);
  files->read_all();
  EXPECT_EQ(files->kept(), 2u) << "another one's";
}

TEST_F(SamplerTest, ContainersComeAndGo) {
  for (const SampleSource best :
       {SampleSource::kIterator, SampleSource::kHooks, SampleSource::kFiles}) {
    const auto sampler = make(best);
    ASSERT_TRUE(sampler);
    const std::string name = std::string("container-") + name_of(best);
    EXPECT_FALSE(sampler->add({.value = "one"}, name)) << "there is no such cgroup";
    {
      const CgroupTree::Cgroup cgroup = tree_->make(name);
      ASSERT_TRUE(sampler->add({.value = "one"}, name));
      EXPECT_TRUE(sampler->add({.value = "one"}, name)) << "twice is as good as once";
      EXPECT_EQ(sampler->find({.value = "one"}), nullptr) << "not measured yet";
      EXPECT_TRUE(next_sample(*sampler, "one").cpu_usage_ns.known());
      EXPECT_EQ(rmdir(cgroup.path.c_str()), 0);
    }
    EXPECT_FALSE(next_sample(*sampler, "one").cpu_usage_ns.known()) << "its cgroup is gone";
    sampler->remove({.value = "one"});
    sampler->remove({.value = "one"});
    EXPECT_EQ(sampler->find({.value = "one"}), nullptr);
    EXPECT_EQ(sampler->counts().containers, 0u);
  }
}

TEST_F(SamplerTest, SlotsAreBoundedAndUsedAgain) {
  const auto sampler = make(SampleSource::kIterator);
  ASSERT_TRUE(sampler);
  for (int i = 0; i < 70; ++i) tree_->make("container-" + std::to_string(i));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 70; ++i) {
      const bool added =
          sampler->add({.value = std::to_string(i)}, "container-" + std::to_string(i));
      EXPECT_EQ(added, i < 63) << i;
    }
    EXPECT_TRUE(next_sample(*sampler, "62").cpu_usage_ns.known());
    for (int i = 0; i < 70; ++i) sampler->remove({.value = std::to_string(i)});
    const uint64_t after = sampler->counts().samplings + 1;
    ASSERT_TRUE(run_until([&] { return sampler->counts().samplings > after; }));
  }
  EXPECT_EQ(sampler->counts().refused, 3u * 7u);
}

TEST_F(SamplerTest, AnExitIsSeen) {
  const auto sampler = make(SampleSource::kIterator);
  ASSERT_TRUE(sampler);
  if (sampler->source() == SampleSource::kFiles) GTEST_SKIP() << sampler->notes()[0];
  const CgroupTree::Cgroup one = tree_->make("container-one");
  const CgroupTree::Cgroup stranger = tree_->make("stranger");
  ASSERT_TRUE(sampler->add({.value = "one"}, "container-one"));
  tree_->wait_for(tree_->start(stranger, [] {}));
  for (int i = 0; i < 3; ++i) tree_->wait_for(tree_->start(one, [] {}));
  EXPECT_TRUE(run_until([&] { return sampler->counts().exits >= 3; }));
  EXPECT_EQ(sampler->counts().exits, 3u) << "of containers only";
  EXPECT_EQ(sampler->counts().events_lost, 0u);
}

TEST_F(SamplerTest, WhatALimitDroppedIsNotSent) {
  const auto sampler = make(SampleSource::kIterator);
  ASSERT_TRUE(sampler);
  const CgroupTree::Cgroup limited = tree_->make("container-limited");
  const CgroupTree::Cgroup free = tree_->make("container-free");
  NetworkPrograms programs;
  const Result<void> attached =
      programs.attach(limited.directory.get(), {"network/egress", "network.egress.max", "1"});
  if (!attached) GTEST_SKIP() << attached.error().message;
  ASSERT_TRUE(sampler->add({.value = "limited"}, "container-limited"));
  ASSERT_TRUE(sampler->add({.value = "free"}, "container-free"));
  constexpr int kDatagrams = 200;
  constexpr int kBytes = 1000;
  for (const CgroupTree::Cgroup* cgroup : {&limited, &free}) {
    tree_->wait_for(tree_->start(*cgroup, [] {
      const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      sockaddr_in nobody{};
      nobody.sin_family = AF_INET;
      nobody.sin_port = htons(9);
      nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const char bytes[kBytes - 28] = {};
      for (int i = 0; i < kDatagrams; ++i) {
        sendto(socket, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&nobody), sizeof nobody);
      }
    }));
  }
  constexpr int kFits = (128 << 10) / kBytes;
  const Sample counted = next_sample(*sampler, "limited");
  EXPECT_EQ(counted.net_dropped_packets.value(), kDatagrams - kFits);
  EXPECT_EQ(counted.net_dropped_bytes.value(), (kDatagrams - kFits) * kBytes);
  const Sample without = next_sample(*sampler, "free");
  EXPECT_FALSE(without.net_dropped_packets.known());
  EXPECT_FALSE(without.net_dropped_bytes.known());
  if (sampler->source() == SampleSource::kFiles) return;
  EXPECT_EQ(counted.net_sent_packets.value(), kFits);
  EXPECT_EQ(counted.net_sent_bytes.value(), kFits * kBytes);
  EXPECT_EQ(without.net_sent_packets.value(), kDatagrams);
}

void use_too_much() {
  constexpr size_t kBytes = 64 << 20;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < kBytes; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
}

// Where there is a memory controller: in the virtual machine, mostly.
TEST_F(SamplerTest, AnOomVictimIsTold) {
  const auto sampler = make(SampleSource::kIterator, 1h);
  ASSERT_TRUE(sampler);
  if (sampler->source() == SampleSource::kFiles) GTEST_SKIP() << sampler->notes()[0];
  const CgroupTree::Cgroup one = tree_->make("container-one");
  if (!write_control_at(one.directory.get(), "memory.max", "16777216").has_value()) {
    GTEST_SKIP() << "no memory controller here";
  }
  ASSERT_TRUE(sampler->add({.value = "one"}, "container-one"));
  const pid_t pid = tree_->start(one, use_too_much);
  const int status = tree_->wait_for(pid);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(run_until([&] { return sampler->counts().oom_victims > 0; })) << "without a sampling";
  ASSERT_FALSE(owner_.victims.empty());
  EXPECT_TRUE(owner_.victims.back() == "one" || owner_.victims.back().empty());
}

// By the next sampling also where the kernel did not say it at once.
TEST_F(SamplerTest, WhoseTheOomVictimWasIsTold) {
  const auto sampler = make(SampleSource::kIterator);
  ASSERT_TRUE(sampler);
  if (sampler->source() == SampleSource::kFiles) GTEST_SKIP() << sampler->notes()[0];
  const CgroupTree::Cgroup one = tree_->make("container-one");
  if (!write_control_at(one.directory.get(), "memory.max", "16777216").has_value()) {
    GTEST_SKIP() << "no memory controller here";
  }
  ASSERT_TRUE(sampler->add({.value = "one"}, "container-one"));
  tree_->wait_for(tree_->start(one, use_too_much));
  EXPECT_TRUE(run_until([&] { return !owner_.victims.empty() && owner_.victims.back() == "one"; }));
}

TEST_F(SamplerTest, KeepsTheLastSamples) {
  SampleHistory history(3);
  for (int i = 1; i <= 5; ++i) {
    history.add({.at = Instant(Duration(i))});
    EXPECT_EQ(history.latest().at, Instant(Duration(i)));
  }
  ASSERT_EQ(history.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(history.at(i).at, Instant(Duration(3 + i)));
}

}  // namespace
}  // namespace tepui
