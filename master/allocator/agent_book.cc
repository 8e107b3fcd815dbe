#include "master/allocator/agent_book.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

namespace {
Resources without_shared(const Resources& resources) {
  return resources.filter([](const Resource& item) { return !item.kind->shared; });
}

bool any_shared(const Resources& resources) {
  return std::ranges::any_of(resources.items(),
                             [](const Resource& item) { return item.kind->shared; });
}
}  // namespace

AgentBook::AgentBook(AgentHandle handle, AgentShape shape) : handle_(handle) {
  set_shape(std::move(shape));
}

void AgentBook::set_shape(AgentShape shape) {
  total_ = std::move(shape.total);
  region_ = std::move(shape.region);
  is_plain_ = true;
  has_gpus_ = false;
  has_shared_ = false;
  for (const Resource& item : total_.items()) {
    if (item.kind->is_reserved() || item.kind->revocable || item.kind->shared) is_plain_ = false;
    if (item.name() == "gpus") has_gpus_ = true;
    if (item.kind->shared) has_shared_ = true;
  }
  recompute();
}

const AgentBook::Allocation* AgentBook::find(uint32_t framework, uint32_t role) const {
  for (const Allocation& allocation : allocations_) {
    if (allocation.framework == framework && allocation.role == role) return &allocation;
  }
  return nullptr;
}

AgentBook::Allocation* AgentBook::find_mutable(uint32_t framework, uint32_t role) {
  return const_cast<Allocation*>(std::as_const(*this).find(framework, role));
}

Resources AgentBook::compute_available(bool& over_allocated) const {
  Resources left = total_;
  over_allocated = false;
  for (const Allocation& allocation : allocations_) {
    const Resources used = without_shared(allocation.resources);
    if (!left.contains(used)) over_allocated = true;
    left = left.minus(used);
  }
  return left;
}

void AgentBook::recompute() { available_ = compute_available(over_allocated_); }

Resources AgentBook::allocate_rest(uint32_t framework, uint32_t role) {
  CHECK(is_plain_);
  Resources rest = available_;
  if (Allocation* allocation = find_mutable(framework, role)) {
    allocation->resources += available_;
    available_ = Resources();
  } else {
    allocations_.push_back(
        {.framework = framework, .role = role, .resources = std::move(available_)});
    available_ = Resources();
  }
  return rest;
}

void AgentBook::allocate(uint32_t framework, uint32_t role, const Resources& resources) {
  const bool fits = !over_allocated_ && !has_shared_ && available_.contains(resources);
  if (Allocation* allocation = find_mutable(framework, role)) {
    allocation->resources += resources;
  } else {
    allocations_.push_back({.framework = framework, .role = role, .resources = resources});
  }
  if (fits) {
    available_ -= resources;
  } else {
    recompute();
  }
}

Resources AgentBook::held(uint32_t framework, uint32_t role, const Resources& resources) const {
  const Allocation* allocation = find(framework, role);
  if (allocation == nullptr) return {};
  if (allocation->resources.contains(resources)) return resources;
  return allocation->resources.minus(allocation->resources.minus(resources));
}

void AgentBook::give_back(uint32_t framework, uint32_t role, const Resources& resources) {
  Allocation* allocation = find_mutable(framework, role);
  CHECK(allocation != nullptr);
  // A shared volume can be held although the agent has it no more.
  const bool simple = !over_allocated_ && !has_shared_ && !any_shared(resources);
  if (allocation->resources == resources) {
    if (simple && available_.empty()) {
      available_ = std::move(allocation->resources);
    } else if (simple) {
      available_ += resources;
    }
    if (allocation != &allocations_.back()) *allocation = std::move(allocations_.back());
    allocations_.pop_back();
  } else {
    allocation->resources -= resources;
    if (simple) available_ += resources;
  }
  if (!simple) recompute();
}

}  // namespace tepui
