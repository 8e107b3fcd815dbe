#include "agent/linux/isolation_facts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "agent/linux/files.h"

namespace tepui {
namespace {

// Nothing if it is on no disk: an overlay, a file system in memory.
Result<std::optional<std::string>> disk_of(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return std::unexpected(system_error(errno, fmt::format("looking for the disk of '{}'", path)));
  }
  const dev_t device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
  std::string at = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  if (access(at.c_str(), F_OK) != 0) return std::nullopt;
  // The folder of a partition is in that of its disk.
  if (access((at + "/partition").c_str(), F_OK) == 0) at += "/..";
  std::string number = TRY(read_file_at(AT_FDCWD, at + "/dev"));
  while (number.ends_with('\n')) number.pop_back();
  return number;
}

std::string size_name(int64_t kilobytes) {
  constexpr int64_t kMb = 1 << 10;
  constexpr int64_t kGb = 1 << 20;
  if (kilobytes >= kGb) return fmt::format("{}GB", kilobytes / kGb);
  if (kilobytes >= kMb) return fmt::format("{}MB", kilobytes / kMb);
  return fmt::format("{}KB", kilobytes);
}

}  // namespace

Result<std::vector<std::string>> find_io_devices(const std::vector<std::string>& paths,
                                                 const std::string& work_dir) {
  std::vector<std::string> devices;
  for (const std::string& path : paths) {
    std::optional<std::string> disk = TRY(disk_of(path));
    if (!disk) return fail(fmt::format("'{}' is no disk and on none", path));
    devices.push_back(*std::move(disk));
  }
  if (paths.empty()) {
    if (std::optional<std::string> disk = TRY(disk_of(work_dir))) devices.push_back(*disk);
  }
  std::ranges::sort(devices);
  const auto repeated = std::ranges::unique(devices);
  devices.erase(repeated.begin(), repeated.end());
  return devices;
}

std::vector<std::string> find_hugepage_sizes() {
  constexpr std::string_view kPrefix = "hugepages-";
  std::vector<std::string> sizes;
  const Result<Fd> directory = open_directory_at(AT_FDCWD, "/sys/kernel/mm/hugepages");
  if (!directory) return sizes;  // a kernel without them
  const Result<std::vector<std::string>> names = list_directories(directory->get());
  if (!names) return sizes;
  for (const std::string& name : *names) {
    int64_t kilobytes = 0;
    if (!name.starts_with(kPrefix)) continue;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), kilobytes);
    if (kilobytes > 0) sizes.push_back(size_name(kilobytes));
  }
  std::ranges::sort(sizes);
  return sizes;
}

}  // namespace tepui
