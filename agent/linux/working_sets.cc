#include "agent/linux/working_sets.h"

#include <fcntl.h>

#include <charconv>

#include "agent/linux/cgroup.h"
#include "agent/linux/files.h"
#include "agent/oversubscription/estimator.h"

namespace tepui {

std::optional<int64_t> parse_working_set(std::string_view current, std::string_view stat) {
  int64_t used = -1;
  std::from_chars(current.data(), current.data() + current.size(), used);
  if (used < 0 || stat.find("inactive_file ") == stat.npos) return std::nullopt;
  return working_set_bytes(used, flat_keyed_value(stat, "inactive_file"));
}

Result<int64_t> read_working_set(const std::string& cgroup) {
  const Fd directory = TRY(open_directory_at(AT_FDCWD, cgroup));
  const std::string current = TRY(read_file_at(directory.get(), "memory.current"));
  const std::string stat = TRY(read_file_at(directory.get(), "memory.stat"));
  const std::optional<int64_t> bytes = parse_working_set(current, stat);
  if (!bytes) return fail("memory.stat of " + cgroup + " does not say what is inactive");
  return *bytes;
}

}  // namespace tepui
