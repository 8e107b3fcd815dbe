#pragma once
// AgentBook keeps the books of one agent: what it has in all, what is allocated to whom, and what
// is left.
//
// Invariant: available is the total minus all allocations, never below nothing. An agent whose
// total shrank below what is allocated stays over-allocated until enough comes back. Shared
// resources stay available however many hold them.
//
// Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
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
    Resources resources;  // never empty
  };

  AgentBook() = default;
  AgentBook(AgentHandle handle, AgentShape shape);
  void set_shape(AgentShape shape);

  AgentHandle handle() const { return handle_; }
  const Resources& total() const { return total_; }
  const Resources& available() const { return available_; }
  const std::string& region() const { return region_; }
  std::span<const Allocation> allocations() const { return allocations_; }
  const Allocation* find(uint32_t framework, uint32_t role) const;

  // Nothing reserved, revocable or shared: what is left can go to anyone as it is.
  bool is_plain() const { return is_plain_; }
  bool has_gpus() const { return has_gpus_; }
  bool has_shared() const { return has_shared_; }
  bool is_over_allocated() const { return over_allocated_; }

  // All that is left goes to one; answers what that is.
  Resources allocate_rest(uint32_t framework, uint32_t role);
  // Also more than what is left.
  void allocate(uint32_t framework, uint32_t role, const Resources& resources);
  // The part of `resources` that is allocated there.
  Resources held(uint32_t framework, uint32_t role, const Resources& resources) const;
  // What held() answered comes back.
  void give_back(uint32_t framework, uint32_t role, const Resources& resources);

  // From scratch.
  Resources compute_available(bool& over_allocated) const;

  // The caller's own: kept beside the books because a round looks at all of it.
  bool active = true;
  uint64_t since_round = 0;  // the last one begun when the agent came
  Amounts total_amounts;     // as it was added to the cluster's totals

 private:
  Allocation* find_mutable(uint32_t framework, uint32_t role);
  void recompute();

  AgentHandle handle_;
  bool is_plain_ = true;
  bool has_gpus_ = false;
  bool has_shared_ = false;
  bool over_allocated_ = false;
  Resources available_;
  std::vector<Allocation> allocations_;
  Resources total_;
  std::string region_;
};

}  // namespace tepui
