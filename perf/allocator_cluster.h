#pragma once
// AllocatorCluster is an allocator with a cluster in it, as the benchmarks drive one: it asks for a
// round, measures it, and holds what was granted until it is given back.
//
// Times are processor time of the one thread that computes: a round neither waits nor sleeps, and
// what else runs on the machine is not its work. A round goes from the request to the list of
// grants, without encoding.
//
// For benchmarks only.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/resources.h"
#include "common/time.h"
#include "master/allocator/allocator.h"

namespace tepui::perf {

// Processor time of this thread, in microseconds.
double spent_us();

struct ClusterSize {
  uint32_t agents = 0;
  uint32_t frameworks = 0;
  std::string text() const;  // `20000x2000`
};

class AllocatorCluster {
 public:
  explicit AllocatorCluster(AllocatorOptions options = {});
  // Four sizes of agents with cpus, mem, disk and ports; roles in ten departments of ten teams with
  // weights; each framework in one role.
  static std::unique_ptr<AllocatorCluster> departments(ClusterSize size);

  Allocator& allocator() { return *allocator_; }

  FrameworkHandle add_framework(const std::string& role);
  void add_departments(uint32_t frameworks);
  AgentHandle add_agent(Resources total);
  void add_varied_agents(uint32_t agents);
  uint32_t agents() const { return agents_; }
  uint32_t frameworks() const { return frameworks_; }

  // Appends what it grants to `grants`.
  void run_round();
  // The same; microseconds.
  double round();
  std::vector<Grant>& grants() { return grants_; }
  void give_back(const Grant& grant);
  void give_all_back();

  // Everything is given back, which is not measured; microseconds of the round after that.
  double full_round();
  // Microseconds of a round when nothing changed since the one before.
  double idle_round();
  // One agent comes back, and is granted again; both count.
  double one_changed_round();

  // The clock of the allocator stands still unless a benchmark moves it.
  Now now{};

 private:
  // Everything is granted, and the grants are kept aside.
  void hold_everything();

  std::unique_ptr<Allocator> allocator_;
  uint32_t agents_ = 0;
  uint32_t frameworks_ = 0;
  std::vector<Grant> grants_;
  std::vector<Grant> held_;
  size_t next_ = 0;
};

// What the departments of a cluster are called, and what counts for them.
std::string department_role(uint32_t framework);
int64_t department_weight(uint32_t department);
int64_t team_weight(uint32_t team);
Resources varied_total(uint32_t agent);

// What a master is run with.
AllocatorOptions usual_options();

// The agents of the classic workloads.
Resources classic_total();
Resource dynamically_reserved(ResourceKind kind, int64_t milli, const std::string& role,
                              Labels labels);
// With two reservations, whose labels no other agent has.
Resources labelled_total(uint32_t agent, const std::string& first, const std::string& second);

}  // namespace tepui::perf
