#include "master/allocator/clients.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"

namespace tepui {

Clients::Clients(const ClusterTotals& totals, const AllocatorOptions& options)
    : totals_(totals),
      random_roles_(options.role_sorter == SorterPolicy::kRandom),
      random_frameworks_(options.framework_sorter == SorterPolicy::kRandom),
      sorter_(totals) {}

// ---------------------------------------------------------------- members

uint32_t Clients::make_role(std::string_view name) {
  if (const auto found = roles_by_name_.find(name); found != roles_by_name_.end()) {
    return found->second;
  }
  uint32_t index = static_cast<uint32_t>(roles_.size());
  if (free_roles_.empty()) {
    roles_.emplace_back();
  } else {
    index = free_roles_.back();
    free_roles_.pop_back();
  }
  roles_[index] = std::make_unique<Role>(totals_);
  roles_[index]->name = name;
  roles_[index]->client = sorter_.add(name, index);
  roles_by_name_.emplace(name, index);
  return index;
}

Clients::Member& Clients::make_member(Framework& framework, std::string_view role) {
  const uint32_t index = make_role(role);
  // Frameworks of equal share and count come in the order of their handles.
  const DrfSorter::Client client = roles_[index]->frameworks.add(
      fmt::format("{:08x}", framework.handle.index), framework.handle.index);
  return framework.members.emplace_back(Member{.role = index, .client = client});
}

Clients::Member* Clients::member(Framework& framework, std::string_view role) {
  for (Member& member : framework.members) {
    if (roles_[member.role]->name == role) return &member;
  }
  return nullptr;
}

Clients::Member& Clients::member_at(uint32_t framework, uint32_t role) {
  CHECK(frameworks_[framework] != nullptr);
  for (Member& member : frameworks_[framework]->members) {
    if (member.role == role) return member;
  }
  CHECK(!"framework is a member of the role");
  __builtin_unreachable();
}

Clients::Member& Clients::hold(Framework& framework, std::string_view role) {
  if (Member* known = member(framework, role)) return *known;
  return make_member(framework, role);
}

std::vector<uint32_t> Clients::by_name() const {
  std::vector<uint32_t> roles;
  for (const auto& [name, role] : roles_by_name_) roles.push_back(role);
  return roles;
}

bool Clients::is_listed(uint32_t framework, uint32_t role) const {
  const Framework* known = at(framework);
  if (known == nullptr || !known->active) return false;
  return std::ranges::any_of(known->members, [role](const Member& member) {
    return member.role == role && member.subscribed && !member.suppressed;
  });
}

bool Clients::list(const Framework& framework, const Member& member) {
  Role& role = *roles_[member.role];
  const bool listed = framework.active && member.subscribed && !member.suppressed;
  const uint32_t before = role.frameworks.active_clients();
  role.frameworks.set_active(member.client, listed);
  const uint32_t after = role.frameworks.active_clients();
  sorter_.set_active(role.client, after > 0);
  return after > before;
}

void Clients::drop_unused(Framework& framework, uint32_t role) {
  const auto found = std::ranges::find(framework.members, role, &Member::role);
  if (found == framework.members.end() || found->subscribed || found->allocations > 0) return;
  roles_[role]->frameworks.remove(found->client);
  framework.members.erase(found);
  if (roles_[role]->frameworks.clients() > 0) return;
  sorter_.remove(roles_[role]->client);
  roles_by_name_.erase(roles_[role]->name);
  roles_[role].reset();
  free_roles_.push_back(role);
}

// ---------------------------------------------------------------- frameworks

Clients::Framework* Clients::find(FrameworkHandle handle) {
  if (handle.index >= frameworks_.size()) return nullptr;
  Framework* framework = frameworks_[handle.index].get();
  return framework != nullptr && framework->handle == handle ? framework : nullptr;
}

bool Clients::add(FrameworkHandle handle, const FrameworkShape& shape) {
  CHECK(!handle.is_null());
  if (handle.index >= frameworks_.size()) frameworks_.resize(handle.index + 1);
  CHECK(frameworks_[handle.index] == nullptr);
  frameworks_[handle.index] = std::make_unique<Framework>();
  frameworks_[handle.index]->handle = handle;
  frameworks_[handle.index]->active = true;
  std::vector<uint32_t> left;
  return update(handle, shape, left);
}

bool Clients::update(FrameworkHandle handle, const FrameworkShape& shape,
                     std::vector<uint32_t>& left) {
  Framework& framework = *find(handle);
  bool more = (shape.revocable_resources && !framework.revocable_resources) ||
              (shape.gpu_resources && !framework.gpu_resources) ||
              (shape.shared_resources && !framework.shared_resources) ||
              (shape.reservation_refinement && !framework.reservation_refinement) ||
              (shape.region_aware && !framework.region_aware);
  framework.revocable_resources = shape.revocable_resources;
  framework.gpu_resources = shape.gpu_resources;
  framework.shared_resources = shape.shared_resources;
  framework.reservation_refinement = shape.reservation_refinement;
  framework.region_aware = shape.region_aware;

  if (set_rules(framework, shape)) more = true;
  for (const std::string& name : shape.roles) hold(framework, name);
  for (Member& member : framework.members) {
    const std::string& name = roles_[member.role]->name;
    const bool subscribes = std::ranges::find(shape.roles, name) != shape.roles.end();
    if (member.subscribed && !subscribes) left.push_back(member.role);
    member.subscribed = subscribes;
    const auto minimum = framework.min_allocatable.find(name);
    member.minimum = minimum == framework.min_allocatable.end() ? nullptr : &minimum->second;
    const auto filter = framework.constraints.find(name);
    member.filter = filter == framework.constraints.end() ? nullptr : filter->second.get();
    member.suppressed = std::ranges::find(shape.suppressed, name) != shape.suppressed.end();
    if (list(framework, member)) more = true;
  }
  for (const uint32_t role : left) drop_unused(framework, role);
  return more;
}

bool Clients::set_rules(Framework& framework, const FrameworkShape& shape) {
  const bool changed = framework.min_allocatable != shape.min_allocatable ||
                       framework.constraints != shape.constraints;
  with_rules_ -= framework.has_rules() ? 1 : 0;
  with_minimum_ -= framework.min_allocatable.empty() ? 0 : 1;
  framework.min_allocatable = shape.min_allocatable;
  framework.constraints = shape.constraints;
  with_rules_ += framework.has_rules() ? 1 : 0;
  with_minimum_ += framework.min_allocatable.empty() ? 0 : 1;
  return changed;
}

bool Clients::set_active(Framework& framework, bool active) {
  framework.active = active;
  bool more = false;
  for (const Member& member : framework.members) {
    if (list(framework, member)) more = true;
  }
  return more;
}

bool Clients::set_suppressed(Framework& framework, Member& member, bool suppressed) {
  member.suppressed = suppressed;
  return list(framework, member);
}

void Clients::remove(FrameworkHandle handle) {
  Framework& framework = *find(handle);
  set_active(framework, false);
  set_rules(framework, {});
  while (!framework.members.empty()) {
    Member& last = framework.members.back();
    CHECK(last.allocations == 0);
    last.subscribed = false;
    drop_unused(framework, last.role);
  }
  frameworks_[handle.index].reset();
}

// ---------------------------------------------------------------- allocations

void Clients::allocated(uint32_t framework, uint32_t role, const Demand& demand, bool is_new) {
  Member& member = member_at(framework, role);
  if (is_new) ++member.allocations;
  roles_[role]->frameworks.allocated(member.client, demand);
  sorter_.allocated(roles_[role]->client, demand);
}

void Clients::unallocated(uint32_t framework, uint32_t role, const Demand& demand, bool is_last) {
  Member& member = member_at(framework, role);
  roles_[role]->frameworks.unallocated(member.client, demand);
  sorter_.unallocated(roles_[role]->client, demand);
  if (!is_last) return;
  CHECK(member.allocations > 0);
  --member.allocations;
  drop_unused(*frameworks_[framework], role);
}

void Clients::converted(uint32_t framework, uint32_t role, const Demand& before,
                        const Demand& after, bool is_last) {
  Member& member = member_at(framework, role);
  roles_[role]->frameworks.update(member.client, before, after);
  sorter_.update(roles_[role]->client, before, after);
  if (!is_last) return;
  CHECK(member.allocations > 0);
  --member.allocations;
  drop_unused(*frameworks_[framework], role);
}

void Clients::begin_roles() {
  if (random_roles_) {
    random_.begin(draw_);
  } else {
    sorter_.begin();
  }
}

void Clients::begin_frameworks(uint32_t role) {
  Role& known = *roles_[role];
  if (random_frameworks_) {
    known.random.begin(RandomOrder::key_of(draw_, known.name));
  } else {
    known.frameworks.begin();
  }
}

uint32_t Clients::next_role() {
  const DrfSorter::Client client = random_roles_ ? random_.next() : sorter_.next();
  return client == DrfSorter::kNone ? kNone : sorter_.tag(client);
}

uint32_t Clients::next_framework(uint32_t role) {
  DrfSorter& frameworks = roles_[role]->frameworks;
  const DrfSorter::Client client =
      random_frameworks_ ? roles_[role]->random.next() : frameworks.next();
  return client == DrfSorter::kNone ? kNone : frameworks.tag(client);
}

std::vector<RoleShare> Clients::shares() const {
  std::vector<RoleShare> shares;
  for (const auto& [name, index] : roles_by_name_) {
    const Share share = sorter_.share_of(name);
    shares.push_back({.role = roles_[index]->name,
                      .weight_milli = share.weight_milli,
                      .dominant_share_ppm = share.unweighted_ppm(),
                      .frameworks = static_cast<uint32_t>(roles_[index]->frameworks.clients())});
  }
  return shares;
}

Result<void> Clients::audit() const {
  TRY(sorter_.audit());
  size_t members = 0;
  for (const auto& framework : frameworks_) {
    if (!framework) continue;
    for (const Member& member : framework->members) {
      ++members;
      if (member.subscribed || member.allocations > 0) continue;
      return fail(fmt::format("framework {} is kept in role '{}' for nothing",
                              framework->handle.index, roles_[member.role]->name));
    }
  }
  for (const auto& [name, index] : roles_by_name_) {
    const Role& role = *roles_[index];
    if (auto sound = role.frameworks.audit(); !sound) {
      return std::unexpected(std::move(sound).error().in("in role " + name));
    }
    members -= role.frameworks.clients();
  }
  if (members != 0) return fail("roles and frameworks disagree on who is a member");
  return {};
}

}  // namespace tepui
