// Goal: hot messages are encoded without allocating, once the encoder has seen their like.
// Method: operator new of this program counts.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "common/wire.h"
#include "tests/common/arbitrary.h"

namespace {
size_t allocations = 0;
}

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace tepui {
namespace {

// The size of what was encoded, so that no encoding is optimised away.
template <class Message>
size_t encode_all(Encoder& encoder, const std::vector<Message>& messages) {
  size_t bytes = 0;
  for (const Message& message : messages) bytes += encoder.encode(1, message).size();
  return bytes;
}

template <class Message, class Alternative>
void expect_no_allocation(uint64_t seed) {
  Arbitrary arbitrary(seed);
  std::vector<Message> messages;
  for (int i = 0; i < 50; ++i) messages.emplace_back(arbitrary.make<Alternative>());
  Encoder encoder;
  const size_t bytes = encode_all(encoder, messages);
  const size_t before = allocations;
  EXPECT_EQ(encode_all(encoder, messages), bytes);
  EXPECT_EQ(allocations - before, 0u);
}

TEST(WireAllocation, TheCounterCounts) {
  const size_t before = allocations;
  const auto number = std::make_unique<int>(7);
  EXPECT_GT(allocations, before);
}

TEST(WireAllocation, HotMessagesAreEncodedWithoutAny) {
  expect_no_allocation<SchedulerToMaster, Accepts>(1);
  expect_no_allocation<SchedulerToMaster, Decline>(2);
  expect_no_allocation<SchedulerToMaster, Acknowledge>(3);
  expect_no_allocation<MasterToScheduler, OfferBatch>(4);
  expect_no_allocation<MasterToScheduler, Rescind>(5);
  expect_no_allocation<MasterToScheduler, Updates>(6);
  expect_no_allocation<AgentToMaster, StatusUpdates>(7);
  expect_no_allocation<MasterToAgent, LaunchTasks>(8);
  expect_no_allocation<MasterToAgent, AcknowledgeUpdates>(9);
}

TEST(WireAllocation, ColdMessagesAreEncodedWithoutAny) {
  expect_no_allocation<AgentToMaster, ReregisterAgent>(10);
  expect_no_allocation<ServerToOperator, ListReply>(11);
  expect_no_allocation<AgentToMaster, ReregisterCompactly>(12);
}

}  // namespace
}  // namespace tepui
