#pragma once
// Alarm is the wake_at of one core in the simulation: one wish at a time, a later one replaces it.

#include <functional>
#include <memory>
#include <utility>

#include "tests/sim/world.h"

namespace tepui::sim {

class Alarm {
 public:
  Alarm(World& world, std::function<void()> ring) : world_(world), ring_(std::move(ring)) {}
  // What was wished for is forgotten with it.
  ~Alarm() { ++*wishes_; }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  void set(Instant when) {
    const uint64_t wish = ++*wishes_;
    if (when == kNever) return;
    const Instant now = world_.now().mono;
    const Duration wait = when <= now ? Duration{} : when - now;
    world_.after(wait, [this, wish, wishes = wishes_] {
      if (*wishes == wish) ring_();
    });
  }
  void cancel() { ++*wishes_; }

 private:
  World& world_;
  std::function<void()> ring_;
  // Owned by the alarm and by the events it has in the queue, which may outlive it.
  std::shared_ptr<uint64_t> wishes_ = std::make_shared<uint64_t>(0);
};

}  // namespace tepui::sim
