#pragma once
// What an operator sees of the allocator as metrics, under Mesos' keys: how long its rounds take
// and wait, the filters in force, and, from the reader's tables, what is offered or allocated of
// the cluster and of each quota.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/io/clock.h"
#include "common/messages.h"
#include "common/sample_window.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

// The allocator with a clock beside it: decides nothing else than the one it is.
class TimedAllocator final : public DrfAllocator {
 public:
  // `clock` outlives the allocator.
  TimedAllocator(AllocatorOptions options, uint64_t seed, Clock& clock);

  // At the end of a turn: from here on a round that is wanted waits.
  void note_turn();
  Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) override;

  void append_rows(std::vector<MetricRow>& rows) const;

 private:
  Clock& clock_;
  Instant wanted_ = kNever;
  bool running_ = false;
  Duration spent_{};  // on the slices of the round so far
  SampleWindow run_ms_;
  SampleWindow latency_ms_;
};

using MetricRows = std::map<std::string, MetricRow>;

struct ClusterUse {
  std::map<std::string, int64_t> total_milli;  // of all agents that can be reached
  Quantities allocated;
  Quantities offered;
};
// Also those that Mesos' master has of the same: `master/cpus_total`, `_used`, `_percent`.
void put_cluster_rows(const ClusterUse& use, MetricRows& rows);
// What a role holds, it holds with all below it.
void put_quota_rows(const std::map<std::string, RoleRow>& roles,
                    const std::function<Quantities(const std::string&)>& consumed,
                    MetricRows& rows);

}  // namespace tepui
