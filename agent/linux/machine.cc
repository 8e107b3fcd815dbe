#include "agent/linux/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "agent/configured.h"
#include "agent/linux/files.h"
#include "agent/linux/volumes.h"
#include "common/io/resource_document.h"

namespace tepui {
namespace {

constexpr int64_t kMb = 1 << 20;
constexpr int64_t kMilli = 1000;

// The processors this process may run on, however many the machine has room for.
Result<int64_t> count_processors() {
  constexpr int kProcessorsMax = 1 << 16;
  for (int room = 1024; room <= kProcessorsMax; room *= 2) {
    auto release = [](cpu_set_t* set) { CPU_FREE(set); };
    std::unique_ptr<cpu_set_t, decltype(release)> set(CPU_ALLOC(room), release);
    const size_t bytes = CPU_ALLOC_SIZE(room);
    if (sched_getaffinity(0, bytes, set.get()) == 0) return CPU_COUNT_S(bytes, set.get());
    if (errno != EINVAL) break;
  }
  return std::unexpected(system_error(errno, "counting the processors"));
}

Result<Resources> detect_resources(const std::string& work_dir) {
  struct sysinfo memory{};
  if (sysinfo(&memory) != 0) {
    return std::unexpected(system_error(errno, "measuring the memory"));
  }
  struct statvfs disk{};
  if (statvfs(work_dir.c_str(), &disk) != 0) {
    return std::unexpected(system_error(errno, "measuring the disk of " + work_dir));
  }
  const int64_t memory_mb =
      static_cast<int64_t>(memory.totalram) * static_cast<int64_t>(memory.mem_unit) / kMb;
  const int64_t disk_mb =
      static_cast<int64_t>(disk.f_blocks) * static_cast<int64_t>(disk.f_frsize) / kMb;
  std::vector<Resource> items;
  items.push_back({.kind = plain_kind("cpus"), .amount = TRY(count_processors()) * kMilli});
  items.push_back({.kind = plain_kind("mem"), .amount = offered_memory_mb(memory_mb) * kMilli});
  items.push_back({.kind = plain_kind("disk"), .amount = offered_disk_mb(disk_mb) * kMilli});
  items.push_back({.kind = plain_kind("ports"), .amount = Ranges{{.first = 31000, .last = 32000}}});
  return Resources::create(std::move(items));
}

Result<void> check_usable(const Resources& given, const std::string& work_dir) {
  TRY(check_configured(given, work_dir));
  for (const Resource& item : given.items()) {
    if (item.kind->disk) TRY(check_disk(*item.kind->disk));
  }
  return {};
}

}  // namespace

int64_t offered_memory_mb(int64_t total_mb) {
  constexpr int64_t kKept = 1024;
  return total_mb >= 2 * kKept ? total_mb - kKept : total_mb / 2;
}

int64_t offered_disk_mb(int64_t total_mb) {
  constexpr int64_t kKept = 5 * 1024;
  return total_mb >= 2 * kKept ? total_mb - kKept : total_mb / 2;
}

Resources override_resources(const Resources& detected, const Resources& given) {
  const std::vector<std::string> names = given.names();
  return given + detected.filter([&names](const Resource& resource) {
    return !std::ranges::binary_search(names, resource.name());
  });
}

Result<Machine> detect_machine(const std::string& work_dir, const std::string& resources_flag) {
  Machine machine;
  Resources given;
  if (!resources_flag.empty()) {
    given = TRY(read_resources(resources_flag, "--resources"));
    if (Result<void> usable = check_usable(given, work_dir); !usable) {
      return std::unexpected(std::move(usable).error().in("--resources"));
    }
  }
  machine.resources = override_resources(TRY(detect_resources(work_dir)), given);
  char name[HOST_NAME_MAX + 1] = {};
  if (gethostname(name, sizeof name - 1) != 0) {
    return std::unexpected(system_error(errno, "asking for the name of this machine"));
  }
  machine.hostname = name;
  machine.boot_id = TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  while (machine.boot_id.ends_with('\n')) machine.boot_id.pop_back();
  return machine;
}

}  // namespace tepui
