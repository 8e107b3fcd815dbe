// Goal: neither a sample nor a prediction allocates, whatever the predictor, and a task's memory is
// the same after any number of samples. Method: operator new of this program counts.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "agent/oversubscription/predictors.h"
#include "tests/agent/oversubscription/feed.h"

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

TEST(PredictorAllocation, TheCounterCounts) {
  const size_t before = allocations;
  const auto number = std::make_unique<int>(7);
  EXPECT_GT(allocations, before);
}

TEST(PredictorAllocation, SamplesAndPredictionsDoNone) {
  constexpr TaskSlot kTasks = 50;
  for (const std::string_view name : kPredictorNames) {
    auto predictor = std::move(*make_predictor(name, {}));
    for (TaskSlot slot = 0; slot < kTasks; ++slot) {
      predictor->on_task_added(slot, {.request = 4000, .limit = 4000});
    }
    const size_t before = allocations;
    int64_t sum = 0;
    for (int64_t at = 0; at < 30'000; at += 5) {
      for (TaskSlot slot = 0; slot < kTasks; ++slot) {
        predictor->on_sample(slot, minute(at), (at * 7 + slot * 131) % 4000);
      }
      sum += predictor->predict(minute(at)).peak;
    }
    EXPECT_GT(sum, 0);
    EXPECT_EQ(allocations - before, 0U) << name;
  }
}

}  // namespace
}  // namespace tepui
