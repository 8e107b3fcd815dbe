#pragma once
// Clients are those among whom the allocator divides: roles, and the frameworks in each role, both
// in order of share.
//
// A framework is a member of a role while it subscribes to it or holds anything in it; a role
// exists while it has members. A member is listed, that is, takes part in rounds, while its
// framework is active, subscribes to the role and has not suppressed it; a role is listed while a
// member is.
//
// Pure. Frameworks are named by the index of their handle, roles by an index of their own that is
// reused when the role is gone.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/result.h"
#include "master/allocator/allocator.h"
#include "master/allocator/cluster_totals.h"
#include "master/allocator/demand.h"
#include "master/allocator/drf_sorter.h"
#include "master/allocator/random_order.h"

namespace tepui {

class Clients {
 public:
  struct Member {
    uint32_t role = 0;
    DrfSorter::Client client = 0;  // in the role's sorter
    bool subscribed = false;
    bool suppressed = false;
    uint32_t allocations = 0;  // agents on which it holds something
    // Of the framework, for this role; null: none.
    const std::vector<Quantities>* minimum = nullptr;
    const AgentFilter* filter = nullptr;
  };
  struct Framework {
    FrameworkHandle handle;
    bool active = false;
    bool revocable_resources = false;
    bool gpu_resources = false;
    bool shared_resources = false;
    bool reservation_refinement = false;
    bool region_aware = false;
    std::map<std::string, std::vector<Quantities>> min_allocatable;
    std::map<std::string, std::shared_ptr<const AgentFilter>> constraints;
    std::vector<Member> members;
    bool has_rules() const { return !min_allocatable.empty() || !constraints.empty(); }
  };
  struct Role {
    explicit Role(const ClusterTotals& totals) : frameworks(totals), random(frameworks) {}
    std::string name;
    DrfSorter::Client client = 0;  // in the sorter of roles
    DrfSorter frameworks;
    RandomOrder random;  // instead of the order by share, if that is the policy
    // The allocator's own: where the quota book has the role, as of that version of it.
    mutable uint32_t quota_node = 0;
    mutable uint64_t quota_version = 0;
  };

  Clients(const ClusterTotals& totals, const AllocatorOptions& options);

  // These answer whether anyone is listed now who was not before, or can use more than before.
  bool add(FrameworkHandle handle, const FrameworkShape& shape);
  // `left`: the roles that the framework does not subscribe to any more.
  bool update(FrameworkHandle handle, const FrameworkShape& shape, std::vector<uint32_t>& left);
  bool set_active(Framework& framework, bool active);
  bool set_suppressed(Framework& framework, Member& member, bool suppressed);

  // Nothing is allocated to it any more.
  void remove(FrameworkHandle handle);

  Framework* find(FrameworkHandle handle);
  const Framework* find(FrameworkHandle handle) const {
    return const_cast<Clients*>(this)->find(handle);
  }
  const Framework* at(uint32_t index) const { return frameworks_[index].get(); }
  Member* member(Framework& framework, std::string_view role);
  const Member& member(uint32_t framework, uint32_t role) const {
    return const_cast<Clients*>(this)->member_at(framework, role);
  }
  // Any framework has rules of its own; any a minimum of its own.
  bool any_rules() const { return with_rules_ > 0; }
  bool any_minimum() const { return with_minimum_ > 0; }
  const Role& role(uint32_t index) const { return *roles_[index]; }
  // Becomes a member without subscribing, if it is none.
  Member& hold(Framework& framework, std::string_view role);

  void set_weight(std::string_view role, int64_t weight_milli) {
    sorter_.set_weight(role, weight_milli);
  }

  // `is_new`: the first allocation of this member on that agent.
  void allocated(uint32_t framework, uint32_t role, const Demand& demand, bool is_new);
  // `is_last`: the member holds nothing on that agent any more. A member that does not subscribe
  // and holds nothing anywhere is gone after that.
  void unallocated(uint32_t framework, uint32_t role, const Demand& demand, bool is_last);

  // What the member holds became something else, which is no allocation.
  void converted(uint32_t framework, uint32_t role, const Demand& before, const Demand& after,
                 bool is_last);

  // All roles that exist, in order of name.
  std::vector<uint32_t> by_name() const;
  // The framework takes part in rounds under that role.
  bool is_listed(uint32_t framework, uint32_t role) const;
  bool any_listed() const { return sorter_.active_clients() > 0; }
  uint32_t listed_roles() const { return sorter_.active_clients(); }
  bool allocates(uint32_t name) const { return sorter_.allocates(name); }

  bool any_random() const { return random_roles_ || random_frameworks_; }
  // What random orders are drawn with from now on.
  void set_draw(uint64_t key) { draw_ = key; }

  // The walk over the roles, then over the frameworks of one; see DrfSorter. kNone at the end.
  static constexpr uint32_t kNone = UINT32_MAX;
  void begin_roles();
  uint32_t next_role();
  void begin_frameworks(uint32_t role);
  uint32_t next_framework(uint32_t role);

  std::vector<RoleShare> shares() const;
  size_t frameworks_capacity() const { return frameworks_.size(); }
  Result<void> audit() const;

 private:
  uint32_t make_role(std::string_view name);
  Member& make_member(Framework& framework, std::string_view role);
  Member& member_at(uint32_t framework, uint32_t role);
  // Lists the member or not, as it should be; true if it was not listed before and is now.
  bool list(const Framework& framework, const Member& member);
  void drop_unused(Framework& framework, uint32_t role);
  // True if any rule changed.
  bool set_rules(Framework& framework, const FrameworkShape& shape);

  const ClusterTotals& totals_;
  const bool random_roles_;
  const bool random_frameworks_;
  uint64_t draw_ = 0;
  DrfSorter sorter_;
  RandomOrder random_{sorter_};
  std::map<std::string, uint32_t, std::less<>> roles_by_name_;
  std::vector<std::unique_ptr<Role>> roles_;
  std::vector<uint32_t> free_roles_;
  std::vector<std::unique_ptr<Framework>> frameworks_;
  uint32_t with_rules_ = 0;
  uint32_t with_minimum_ = 0;
};

}  // namespace tepui
