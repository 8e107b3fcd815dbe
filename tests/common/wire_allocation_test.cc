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

// A master decodes hundreds of thousands at once. What is counted: its id and that of its
// container, both again in its last status, and twice the id of its agent.
TEST(WireAllocation, AShortTaskIsDecodedWithOneForEachOfItsIds) {
  Encoder encoder;
  const auto decode = [&encoder](size_t count) {
    const AgentId agent{"7f3a9c12-e3-a12345"};
    Task task{
        .id = {"a-task-with-a-name-of-usual-length"},
        .framework_id = {"7f3a9c12-e3-f1"},
        .agent_id = agent,
        .kind = TaskKind{.name = "a-service-with-a-long-name",
                         .role = "a-department/and-its-role",
                         .resources = Resources::scalars({{"cpus", 1000}, {"mem", 64'000}}),
                         .labels = {{"a-label-that-is-long-enough", "with-a-long-value-too"}}},
        .state = TaskState::kRunning,
        .update_uuid = {1, 2},
        .container_id = {"0f1e2d3c-1111-4222-8333-000000000001"}};
    task.last_status = {.task_id = task.id,
                        .state = TaskState::kRunning,
                        .source = TaskSource::kAgent,
                        .uuid = task.update_uuid,
                        .agent_id = agent,
                        .container_id = task.container_id,
                        .timestamp = WallTime(Duration(7))};
    const AgentToMaster message =
        ReregisterCompactly{.id = agent, .tasks = std::vector<Task>(count, task)};
    const auto payload = encoder.encode(1, message);
    const size_t before = allocations;
    const auto decoded = decode_agent_to_master(payload);
    EXPECT_TRUE(decoded.has_value());
    return allocations - before;
  };
  EXPECT_EQ(decode(110) - decode(10), 100u * 6u);
}

}  // namespace
}  // namespace tepui
