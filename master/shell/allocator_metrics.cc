#include "master/shell/allocator_metrics.h"

#include <utility>

namespace tepui {

namespace {

// As many as Mesos keeps of each of its timers.
constexpr size_t kSamplesMax = 1000;

void put(MetricRows& rows, std::string key, double value) {
  MetricRow& row = rows[key];
  row = {.key = std::move(key), .value = value};
}

double units(int64_t milli) { return static_cast<double>(milli) / 1000; }

}  // namespace

TimedAllocator::TimedAllocator(AllocatorOptions options, uint64_t seed, Clock& clock)
    : DrfAllocator(std::move(options), seed),
      clock_(clock),
      run_ms_(kSamplesMax),
      latency_ms_(kSamplesMax) {}

void TimedAllocator::note_turn() {
  if (wanted_ == kNever && !running_ && wants_round()) wanted_ = clock_.read().mono;
}

Allocator::Step TimedAllocator::step(Now now, uint32_t agents_max, std::vector<Grant>& grants) {
  const Instant began = clock_.read().mono;
  if (!running_) {
    // Wanted in this very turn: no wait at all.
    latency_ms_.add(wanted_ == kNever ? 0 : to_millis(began - wanted_));
    wanted_ = kNever;
    spent_ = {};
    running_ = true;
  }
  const Step step = DrfAllocator::step(now, agents_max, grants);
  spent_ += clock_.read().mono - began;
  if (step == Step::kDone) {
    running_ = false;
    run_ms_.add(to_millis(spent_));
  }
  return step;
}

void TimedAllocator::append_rows(std::vector<MetricRow>& rows) const {
  run_ms_.append_rows("allocator/mesos/allocation_run_ms", rows);
  latency_ms_.append_rows("allocator/mesos/allocation_run_latency_ms", rows);
  for (const RoleShare& share : shares()) {
    rows.push_back(
        {.key = "allocator/mesos/offer_filters/roles/" + std::string(share.role) + "/active",
         .value = static_cast<double>(share.filters_active)});
  }
  rows.push_back({.key = "allocator/mesos/loans", .value = static_cast<double>(stats().loans)});
  rows.push_back({.key = "allocator/mesos/recalls", .value = static_cast<double>(stats().recalls)});
  const LentSums sums = lent_sums();
  for (const Quantities::Item& item : sums.lent.items()) {
    const std::string prefix = "allocator/mesos/resources/" + item.name;
    rows.push_back({.key = prefix + "/lent", .value = units(item.milli)});
    rows.push_back({.key = prefix + "/lent_offered", .value = units(sums.offered.get(item.name))});
  }
}

void put_cluster_rows(const ClusterUse& use, MetricRows& rows) {
  for (const auto& [name, total] : use.total_milli) {
    const int64_t used = use.allocated.get(name);
    const double part = static_cast<double>(used) / static_cast<double>(total);
    put(rows, "master/" + name + "_total", units(total));
    put(rows, "master/" + name + "_used", units(used));
    put(rows, "master/" + name + "_percent", total > 0 ? part : 0);
  }
  // These three are there even where no agent is.
  std::map<std::string, int64_t> totals = use.total_milli;
  for (const char* name : {"cpus", "disk", "mem"}) totals.try_emplace(name, 0);
  for (const auto& [name, total] : totals) {
    const std::string prefix = "allocator/mesos/resources/" + name;
    put(rows, prefix + "/total", units(total));
    put(rows, prefix + "/offered_or_allocated",
        units(use.allocated.get(name) + use.offered.get(name)));
  }
}

void put_quota_rows(const std::map<std::string, RoleRow>& roles,
                    const std::function<Quantities(const std::string&)>& consumed,
                    MetricRows& rows) {
  const auto held_by = [&roles](const std::string& name) {
    Quantities held;
    const std::string below = name + "/";
    for (auto row = roles.lower_bound(name); row != roles.end(); ++row) {
      if (!row->first.starts_with(name)) break;
      if (row->first != name && !row->first.starts_with(below)) continue;
      held.add(row->second.allocated.quantities());
      held.add(row->second.offered.quantities());
    }
    return held;
  };
  for (const auto& [role, row] : roles) {
    if (row.quota.is_default()) continue;
    const std::string prefix = "allocator/mesos/quota/roles/" + role + "/resources/";
    const Quantities held = held_by(role);
    const Quantities used = consumed(role);
    const auto put_one = [&](const std::string& name, const char* what, int64_t milli) {
      put(rows, prefix + name + what, units(milli));
      put(rows, prefix + name + "/offered_or_allocated", units(held.get(name)));
      put(rows, prefix + name + "/consumed", units(used.get(name)));
    };
    for (const Quantities::Item& item : row.quota.guarantees.items()) {
      put_one(item.name, "/guarantee", item.milli);
    }
    for (const auto& [name, milli] : row.quota.limits_milli) put_one(name, "/limit", milli);
  }
}

}  // namespace tepui
