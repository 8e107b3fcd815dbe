#pragma once
// The cpuset isolator: a task with the label tepui.cpuset=numa gets the processors and the memory
// of one NUMA node, the one on which others that asked left most. Which one that is can only be
// told where the container is made, so the plan has a request, "numa 1500" with the milli-cpus that
// are asked for, in the place of the node, and agent/linux writes cpuset.cpus and cpuset.mems.
//
// A request that is larger than any node is not placed at all. All else runs everywhere.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/isolation_plan.h"
#include "common/result.h"

namespace tepui {

inline constexpr std::string_view kCpusetLabel = "tepui.cpuset";
inline constexpr std::string_view kCpusetNuma = "numa";

struct NumaNode {
  int id = 0;
  std::string cpus;        // as the kernel lists them: "0-3,8"
  int64_t cpus_milli = 0;  // how many those are
  int64_t taken_milli = 0;
};

void plan_cpuset(const IsolationInput& input, IsolationPlan& plan);

// The milli-cpus of such a request; nothing if it is none.
std::optional<int64_t> numa_request(const ControlWrite& write);

// The node with most left of those that are large enough, the first of equals; null if none is.
const NumaNode* choose_node(const std::vector<NumaNode>& nodes, int64_t request_milli);

// How many of the last processors a correction asks for, "last 2" (agent/corrections.h); nothing if
// the value is something else.
std::optional<int64_t> last_cpus(std::string_view value);

// The last `count` processors of a list as the kernel writes it, or all that there are: "2-3,8".
Result<std::string> last_of_cpus(std::string_view list, int64_t count);

// How many processors a list such as "0-3,8" names; nothing if it is not one.
std::optional<int64_t> count_cpus(std::string_view list);

}  // namespace tepui
