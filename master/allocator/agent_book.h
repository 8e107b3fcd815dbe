#pragma once
// AgentBook keeps the books of one agent: what it has in all, what is allocated to whom, and what
// is left.
//
// Invariant: available is the total minus all allocations, never below nothing. An agent whose
// total shrank below what is allocated stays over-allocated until enough comes back. Shared
// resources stay available however many hold them. While something is lent, nothing of that kind
// is available: what comes back is regular again at once (repay).
//
// Pure.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/resources.h"
#include "master/allocator/allocator.h"
#include "master/allocator/cluster_totals.h"

namespace tepui {

class AgentBook {
 public:
  struct Allocation {
    uint32_t framework = 0;  // the allocator's indices
    uint32_t role = 0;
    bool is_total = false;  // it is the whole total; `resources` is not filled in
    Resources resources;
  };

  AgentBook() = default;
  AgentBook(AgentHandle handle, AgentShape shape);
  // True if constraints may answer differently now.
  bool set_shape(AgentShape shape);

  AgentHandle handle() const { return handle_; }
  const Resources& total() const { return total_; }
  const Resources& available() const { return available_; }
  const std::string& region() const { return region_; }
  AgentTraits traits() const;
  std::span<const Allocation> allocations() const { return allocations_; }
  const Allocation* find(uint32_t framework, uint32_t role) const;
  // Never empty.
  const Resources& resources_of(const Allocation& allocation) const {
    return allocation.is_total ? total_ : allocation.resources;
  }

  // Nothing reserved, revocable or shared: what is left can go to anyone as it is.
  bool is_plain() const { return is_plain_; }
  // Something is left that is not reserved to others.
  bool has_for(std::string_view role) const;
  bool has_gpus() const { return has_gpus_; }
  bool has_shared() const { return has_shared_; }
  bool is_over_allocated() const { return over_allocated_; }
  // Nothing of the total is allocated.
  bool is_whole() const { return is_whole_; }

  // All that is left of a plain agent goes to one; answers what that is. Of a whole agent nothing
  // is copied: this is what most grants of a round over free agents are.
  Resources allocate_rest(uint32_t framework, uint32_t role);
  // Also more than what is left.
  void allocate(uint32_t framework, uint32_t role, const Resources& resources);
  // The part of `resources` that is in that allocation.
  Resources held(const Allocation& allocation, const Resources& resources) const;
  // Comes back from an allocation that contains it.
  void give_back(uint32_t framework, uint32_t role, const Resources& resources);

  // What an allocation holds, or what is available, became something else. It contains `from`, and
  // so does the total.
  void convert(uint32_t framework, uint32_t role, const Resources& from, const Resources& to);
  void convert_available(const Resources& from, const Resources& to);

  // What of the total is lent; what of that tasks do not run on, so that offers hold it.
  const Resources& lent() const;
  const Resources& recallable() const;
  bool has_loan() const { return loan_ != nullptr; }  // or had one
  // Of what is available.
  void lend(const Resources& regular);
  // What of it is available becomes regular.
  void repay();
  void set_running(const Resources& revocable);

  // From scratch.
  Resources compute_available(bool& over_allocated) const;

  // Asks the processor to load what a visit will look at.
  void prefetch() const;
  void prefetch_contents() const;

  // The caller's own: kept beside the books because a round looks at all of it.
  bool active = true;
  bool listed = true;        // not excluded by the whitelist
  bool maintenance = false;  // planned to go
  bool held_back = false;    // something of it was kept from someone by quota
  bool unlent = false;       // more of it could have been lent
  uint64_t since_round = 0;  // the last one begun when the agent came
  Amounts total_amounts;     // as it was added to the cluster's totals

 private:
  Allocation* find_mutable(uint32_t framework, uint32_t role);
  void spell_out(Allocation& allocation);
  void set_total(Resources total);
  void recompute();
  void settle_loan();

  // What only constraints look at.
  struct Labels {
    std::string hostname;
    std::string zone;
    std::vector<Attribute> attributes;
    bool operator==(const Labels&) const = default;
  };

  // In the order of a visit.
  AgentHandle handle_;
  bool is_plain_ = true;
  bool is_whole_ = true;
  bool has_gpus_ = false;
  bool has_shared_ = false;
  bool over_allocated_ = false;
  Resources available_;
  std::vector<Allocation> allocations_;
  std::string region_;
  Resources total_;
  std::unique_ptr<Labels> labels_;
  // Most agents have none.
  struct Loan {
    Resources lent;
    Resources recallable;
    Resources running;
  };
  std::unique_ptr<Loan> loan_;
};

}  // namespace tepui
