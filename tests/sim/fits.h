#pragma once
// Whether what tasks use fits what a machine has, counted by the simulation itself: what is shared
// is there for all, and persistent volumes are used as a whole.

#include <algorithm>

#include "common/operations.h"
#include "common/resources.h"

namespace tepui::sim {

inline bool fits(const Resources& total, const Resources& used) {
  const auto is_there = [&total](const Resource& item) {
    return std::ranges::any_of(total.items(), [&item](const Resource& other) {
      return *other.kind == *item.kind && other.amount == item.amount;
    });
  };
  const auto is_whole = [](const Resource& item) { return item.kind->shared || is_volume(item); };
  const Resources whole = used.filter(is_whole);
  return std::ranges::all_of(whole.items(), is_there) &&
         total.contains(used.filter([](const Resource& item) { return !item.kind->shared; }));
}

}  // namespace tepui::sim
