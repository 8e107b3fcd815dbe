#include "agent/isolation_plan.h"

#include <algorithm>

#include "agent/isolators/cpu.h"
#include "agent/isolators/cpuset.h"
#include "agent/isolators/devices.h"
#include "agent/isolators/disk.h"
#include "agent/isolators/hugetlb.h"
#include "agent/isolators/io.h"
#include "agent/isolators/memory.h"
#include "agent/isolators/network.h"
#include "agent/isolators/pids.h"

namespace tepui {

namespace {

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::ranges::find(list, item) != list.end();
}

}  // namespace

IsolationPlan plan_isolation(const IsolationInput& input) {
  IsolationPlan plan;
  plan_cpu(input, plan);
  plan_cpuset(input, plan);
  plan_memory(input, plan);
  plan_io(input, plan);
  plan_pids(input, plan);
  plan_hugetlb(input, plan);
  plan_devices(input, plan);
  plan_disk(input, plan);
  plan_network(input, plan);
  std::erase_if(plan, [&input](const ControlWrite& write) {
    return !contains(input.controllers, write.controller) ||
           contains(input.settings.missing_files, write.file);
  });
  return plan;
}

const std::vector<std::string>& isolator_names() {
  static const std::vector<std::string> kNames = {"cpu",
                                                  "cpuset",
                                                  "memory",
                                                  "io",
                                                  "pids",
                                                  "hugetlb",
                                                  "devices",
                                                  "disk",
                                                  std::string(kDiskImageIsolator),
                                                  std::string(kEgressIsolator),
                                                  std::string(kPortsIsolator)};
  return kNames;
}

std::vector<std::string> optional_files(const IsolationSettings& settings) {
  std::vector<std::string> files = {"memory.swap.max", "io.weight"};
  if (settings.cpu_burst_percent > 0) files.emplace_back("cpu.max.burst");
  if (settings.revocable_idle) files.emplace_back("cpu.idle");
  if (settings.io_latency_us > 0) files.emplace_back("io.latency");
  for (const std::string& size : settings.hugepage_sizes) {
    files.push_back(hugetlb_reserved_file(size));
  }
  return files;
}

}  // namespace tepui
