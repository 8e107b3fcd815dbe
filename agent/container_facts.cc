#include "agent/container_facts.h"

namespace tepui {

Resources ContainerFacts::resources() const {
  Resources sum = executor_resources;
  for (const ContainerTask& task : tasks) sum += task.resources;
  return sum;
}

int64_t ContainerFacts::maximum_milli(std::string_view name) const {
  int64_t sum = executor_resources.total_milli(name);
  for (const ContainerTask& task : tasks) {
    const auto& limit = name == "cpus" ? task.limits.cpus_milli : task.limits.mem_milli;
    if (limit == kUnlimited) return kUnlimited;
    sum += limit.value_or(task.resources.total_milli(name));
  }
  return sum;
}

}  // namespace tepui
