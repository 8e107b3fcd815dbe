#pragma once
// Slots<T, H> keeps objects of one kind in a dense array and names them by handle (index and
// generation). Insert and erase are O(1); a handle of an erased object finds nothing; iteration is
// in index order, so it does not depend on the machine.
//
// Pure. References are valid until the next insert.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/ids.h"

namespace tepui {

template <class T, class H>
class Slots {
 public:
  H insert(T value) {
    uint32_t index = 0;
    if (free_.empty()) {
      index = static_cast<uint32_t>(slots_.size());
      CHECK(index != UINT32_MAX);
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.value.emplace(std::move(value));
    ++size_;
    return H{.index = index, .generation = slot.generation};
  }

  T* find(H handle) { return const_cast<T*>(std::as_const(*this).find(handle)); }

  const T* find(H handle) const {
    if (handle.index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[handle.index];
    if (slot.generation != handle.generation || !slot.value) return nullptr;
    return &*slot.value;
  }

  T& at(H handle) {
    T* found = find(handle);
    CHECK(found != nullptr);
    return *found;
  }

  const T& at(H handle) const {
    const T* found = find(handle);
    CHECK(found != nullptr);
    return *found;
  }

  void erase(H handle) {
    CHECK(find(handle) != nullptr);
    Slot& slot = slots_[handle.index];
    slot.value.reset();
    ++slot.generation;
    free_.push_back(handle.index);
    --size_;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // One past the largest index in use or ever used: arrays beside this one need so many places.
  uint32_t capacity() const { return static_cast<uint32_t>(slots_.size()); }

  // The object at a place of the array, below capacity(), if one is there: for walks that pause.
  const T* in_place(uint32_t index) const {
    return slots_[index].value ? &*slots_[index].value : nullptr;
  }

  // Calls visit(handle, object) in index order. The visitor must not insert or erase.
  template <class Visit>
  void each(Visit&& visit) {
    for (uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].value)
        visit(H{.index = i, .generation = slots_[i].generation}, *slots_[i].value);
    }
  }
  template <class Visit>
  void each(Visit&& visit) const {
    for (uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].value)
        visit(H{.index = i, .generation = slots_[i].generation}, *slots_[i].value);
    }
  }

 private:
  struct Slot {
    std::optional<T> value;
    uint32_t generation = 1;
  };

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t size_ = 0;
};

}  // namespace tepui
