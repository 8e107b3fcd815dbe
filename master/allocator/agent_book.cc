#include "master/allocator/agent_book.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/loans.h"

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

bool AgentBook::set_shape(AgentShape shape) {
  auto labels = std::make_unique<Labels>(Labels{.hostname = std::move(shape.hostname),
                                                .zone = std::move(shape.zone),
                                                .attributes = std::move(shape.attributes)});
  const bool changed = labels_ == nullptr || *labels_ != *labels || region_ != shape.region;
  labels_ = std::move(labels);
  region_ = std::move(shape.region);
  if (loan_ == nullptr && !shape.lent.empty()) loan_ = std::make_unique<Loan>();
  if (loan_ != nullptr) loan_->lent = std::move(shape.lent);
  set_total(std::move(shape.total));
  return changed;
}

AgentTraits AgentBook::traits() const {
  return {.hostname = labels_->hostname,
          .region = region_,
          .zone = labels_->zone,
          .attributes = labels_->attributes};
}

void AgentBook::set_total(Resources total) {
  for (Allocation& allocation : allocations_) spell_out(allocation);
  total_ = std::move(total);
  is_plain_ = true;
  has_gpus_ = false;
  has_shared_ = false;
  for (const Resource& item : total_.items()) {
    if (item.kind->is_reserved() || item.kind->revocable || item.kind->shared) is_plain_ = false;
    if (item.name() == "gpus") has_gpus_ = true;
    if (item.kind->shared) has_shared_ = true;
  }
  recompute();
  if (loan_ != nullptr) settle_loan();
}

bool AgentBook::has_for(std::string_view role) const {
  return std::ranges::any_of(available_.items(), [role](const Resource& item) {
    if (!item.kind->is_reserved()) return true;
    const std::string_view owner = item.kind->reservation_role();
    return role.starts_with(owner) && (role.size() == owner.size() || role[owner.size()] == '/');
  });
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

void AgentBook::spell_out(Allocation& allocation) {
  if (!allocation.is_total) return;
  allocation.resources = total_;
  allocation.is_total = false;
}

Resources AgentBook::compute_available(bool& over_allocated) const {
  Resources left = total_;
  over_allocated = false;
  for (const Allocation& allocation : allocations_) {
    const Resources used = without_shared(resources_of(allocation));
    if (!left.contains(used)) over_allocated = true;
    left = left.minus(used);
  }
  return left;
}

void AgentBook::recompute() {
  available_ = compute_available(over_allocated_);
  is_whole_ = allocations_.empty();
}

Resources AgentBook::allocate_rest(uint32_t framework, uint32_t role) {
  CHECK(is_plain_);
  if (is_whole_) {
    is_whole_ = false;
    allocations_.push_back(
        {.framework = framework, .role = role, .is_total = true, .resources = {}});
    return std::exchange(available_, {});
  }
  Resources rest = std::exchange(available_, {});
  if (Allocation* allocation = find_mutable(framework, role)) {
    spell_out(*allocation);
    allocation->resources += rest;
  } else {
    allocations_.push_back(
        {.framework = framework, .role = role, .is_total = false, .resources = rest});
  }
  return rest;
}

void AgentBook::allocate(uint32_t framework, uint32_t role, const Resources& resources) {
  const bool fits = !over_allocated_ && !has_shared_ && available_.contains(resources);
  if (Allocation* allocation = find_mutable(framework, role)) {
    spell_out(*allocation);
    allocation->resources += resources;
  } else {
    allocations_.push_back(
        {.framework = framework, .role = role, .is_total = false, .resources = resources});
  }
  is_whole_ = false;
  if (fits) {
    available_ -= resources;
  } else {
    recompute();
  }
}

Resources AgentBook::held(const Allocation& allocation, const Resources& resources) const {
  const Resources& all = resources_of(allocation);
  return all.minus(all.minus(resources));
}

void AgentBook::give_back(uint32_t framework, uint32_t role, const Resources& resources) {
  Allocation* allocation = find_mutable(framework, role);
  CHECK(allocation != nullptr);
  // A shared volume can be held although the agent has it no more.
  const bool simple = !over_allocated_ && !has_shared_ && !any_shared(resources);
  if (resources_of(*allocation) == resources) {
    if (allocation != &allocations_.back()) *allocation = std::move(allocations_.back());
    allocations_.pop_back();
  } else {
    spell_out(*allocation);
    allocation->resources -= resources;
  }
  is_whole_ = allocations_.empty();
  if (!simple) {
    recompute();
  } else {
    available_ += resources;
  }
}

void AgentBook::convert(uint32_t framework, uint32_t role, const Resources& from,
                        const Resources& to) {
  Allocation* allocation = find_mutable(framework, role);
  CHECK(allocation != nullptr);
  spell_out(*allocation);
  allocation->resources -= from;
  allocation->resources += to;
  if (allocation->resources.empty()) {
    if (allocation != &allocations_.back()) *allocation = std::move(allocations_.back());
    allocations_.pop_back();
  }
  set_total(total_ - from + to);
}

void AgentBook::convert_available(const Resources& from, const Resources& to) {
  set_total(total_ - from + to);
}

// ---------------------------------------------------------------- loans

namespace {
const Resources kNothing;
}

const Resources& AgentBook::lent() const { return loan_ == nullptr ? kNothing : loan_->lent; }

const Resources& AgentBook::recallable() const {
  return loan_ == nullptr ? kNothing : loan_->recallable;
}

void AgentBook::lend(const Resources& regular) {
  if (loan_ == nullptr) loan_ = std::make_unique<Loan>();
  const Resources lent = as_revocable(regular);
  loan_->lent += lent;
  set_total(total_ - regular + lent);
}

void AgentBook::repay() {
  if (loan_ == nullptr) return;
  const Resources back = common_part(loan_->lent, available_);
  if (back.empty()) return;
  loan_->lent -= back;
  set_total(total_ - back + as_regular(back));
}

void AgentBook::set_running(const Resources& revocable) {
  if (loan_ == nullptr && revocable.empty()) return;
  if (loan_ == nullptr) loan_ = std::make_unique<Loan>();
  loan_->running = revocable;
  settle_loan();
}

void AgentBook::settle_loan() {
  const Resources revocable = total_.revocable();
  loan_->lent = common_part(loan_->lent, revocable);
  loan_->recallable = common_part(loan_->lent, revocable.minus(loan_->running));
}

void AgentBook::prefetch() const {
  const char* record = reinterpret_cast<const char*>(this);
  for (size_t line = 0; line < sizeof *this; line += 64) __builtin_prefetch(record + line);
}

void AgentBook::prefetch_contents() const {
  __builtin_prefetch(total_amounts.data());
  __builtin_prefetch(allocations_.data());
}

}  // namespace tepui
