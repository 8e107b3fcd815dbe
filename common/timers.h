#pragma once
// Timers is a heap of deadlines: arm, cancel, and take what is due. It knows no clock; its owner
// asks next_deadline() when to come back, and takes what is due with advance_to().
//
// Timers that are due at the same instant fire in the order in which they were armed, so that a run
// can be repeated. Arm, cancel and fire cost O(log n); nothing is allocated while the number of
// armed timers does not exceed its highest so far.
//
// Pure. Payload is what the owner wants back: a handle, a variant; cheap to copy.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/time.h"

namespace tepui {

// Names an armed timer; a stale one (fired or cancelled) is recognised.
struct TimerId {
  uint32_t index = UINT32_MAX;
  uint32_t generation = 0;

  bool is_null() const { return index == UINT32_MAX; }
  bool operator==(const TimerId&) const = default;
};

template <class Payload>
class Timers {
 public:
  // A deadline of kNever is kept and never fires.
  TimerId arm(Instant when, Payload payload) {
    uint32_t index = 0;
    if (free_.empty()) {
      index = static_cast<uint32_t>(timers_.size());
      timers_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Timer& timer = timers_[index];
    timer.payload.emplace(std::move(payload));
    timer.when = std::max(when, floor_);
    timer.order = next_order_++;
    heap_.push_back(index);
    sift_up(heap_.size() - 1);
    return {.index = index, .generation = timer.generation};
  }

  // False if it has fired or was cancelled before.
  bool cancel(TimerId id) {
    if (!is_armed(id)) return false;
    remove(timers_[id.index].place);
    return true;
  }

  // Cancels `id` if it is armed, and arms anew.
  TimerId rearm(TimerId id, Instant when, Payload payload) {
    cancel(id);
    return arm(when, std::move(payload));
  }

  bool is_armed(TimerId id) const {
    return id.index < timers_.size() && timers_[id.index].generation == id.generation &&
           timers_[id.index].payload.has_value();
  }

  // kNever if nothing is armed.
  Instant next_deadline() const { return heap_.empty() ? kNever : timers_[heap_.front()].when; }

  size_t size() const { return heap_.size(); }
  bool empty() const { return heap_.empty(); }

  // The earliest timer due at `now`, which is then no longer armed.
  std::optional<Payload> take_due(Instant now) {
    if (heap_.empty() || timers_[heap_.front()].when > now) return std::nullopt;
    if (timers_[heap_.front()].when == kNever) return std::nullopt;
    std::optional<Payload> due = std::move(timers_[heap_.front()].payload);
    remove(0);
    return due;
  }

  // Calls fire(payload) for all that is due. `fire` may arm and cancel; what it arms for a time
  // that is already due waits for the next call, so that this one ends.
  template <class Fire>
  void advance_to(Instant now, Fire&& fire) {
    floor_ = std::max(floor_, now);
    const uint64_t armed_before = next_order_;
    while (!heap_.empty() && timers_[heap_.front()].order < armed_before) {
      std::optional<Payload> due = take_due(now);
      if (!due) return;
      fire(*std::move(due));
    }
  }

 private:
  struct Timer {
    std::optional<Payload> payload;  // present while armed
    Instant when = kNever;
    uint64_t order = 0;
    uint32_t generation = 1;
    uint32_t place = 0;  // in heap_
  };

  bool precedes(uint32_t a, uint32_t b) const {
    const Timer& first = timers_[a];
    const Timer& second = timers_[b];
    return first.when != second.when ? first.when < second.when : first.order < second.order;
  }

  void put(size_t place, uint32_t index) {
    heap_[place] = index;
    timers_[index].place = static_cast<uint32_t>(place);
  }

  void sift_up(size_t place) {
    const uint32_t index = heap_[place];
    while (place > 0 && precedes(index, heap_[(place - 1) / 2])) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, index);
  }

  void sift_down(size_t place) {
    const uint32_t index = heap_[place];
    for (size_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
      if (child + 1 < heap_.size() && precedes(heap_[child + 1], heap_[child])) ++child;
      if (!precedes(heap_[child], index)) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, index);
  }

  void remove(size_t place) {
    CHECK(place < heap_.size());
    const uint32_t index = heap_[place];
    Timer& timer = timers_[index];
    timer.payload.reset();
    ++timer.generation;
    free_.push_back(index);
    const uint32_t last = heap_.back();
    heap_.pop_back();
    if (last == index) return;
    put(place, last);
    sift_up(place);
    sift_down(timers_[last].place);
  }

  std::vector<Timer> timers_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> heap_;  // indices into timers_, earliest at the front
  uint64_t next_order_ = 0;
  // What is armed for a time before this counts as armed for it, so that it comes after all that
  // was due before.
  Instant floor_ = Instant::min();
};

}  // namespace tepui
