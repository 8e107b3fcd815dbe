#include "agent/linux/numa.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/linux/files.h"

namespace tepui {

Result<std::vector<NumaNode>> read_numa_nodes() {
  constexpr std::string_view kPrefix = "node";
  std::vector<NumaNode> nodes;
  const Fd directory = TRY(open_directory_at(AT_FDCWD, "/sys/devices/system/node"));
  for (const std::string& name : TRY(list_directories(directory.get()))) {
    NumaNode node;
    const char* end = name.data() + name.size();
    if (!name.starts_with(kPrefix) || name.size() == kPrefix.size() ||
        std::from_chars(name.data() + kPrefix.size(), end, node.id).ptr != end) {
      continue;
    }
    node.cpus = TRY(read_file_at(directory.get(), name + "/cpulist"));
    while (node.cpus.ends_with('\n')) node.cpus.pop_back();
    const std::optional<int64_t> count = count_cpus(node.cpus);
    if (!count) return fail(fmt::format("the list of {}'s processors is '{}'", name, node.cpus));
    node.cpus_milli = *count * 1000;
    if (*count > 0) nodes.push_back(std::move(node));
  }
  std::ranges::sort(nodes, {}, &NumaNode::id);
  return nodes;
}

}  // namespace tepui
