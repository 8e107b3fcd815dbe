#include "agent/linux/id_ranges.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "agent/linux/files.h"

namespace tepui {

Result<void> IdRanges::check(const IdRange& whole) {
  for (const char* path : {"/proc/self/uid_map", "/proc/self/gid_map"}) {
    std::istringstream map(TRY(read_file_at(AT_FDCWD, path)));
    bool is_held = false;
    for (uint64_t first = 0, outside = 0, count = 0; map >> first >> outside >> count;) {
      is_held |= first <= whole.first && uint64_t{whole.first} + whole.count <= first + count;
    }
    if (!is_held) {
      return fail(
          fmt::format("the ids {} of --user-namespace-ids are not in {}", to_text(whole), path));
    }
  }
  return {};
}

Result<std::unique_ptr<IdRanges>> IdRanges::create(const std::string& directory,
                                                   const IdRange& whole,
                                                   const std::set<std::string>& containers) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(system_error(errno, "creating the directory " + directory));
  }
  std::unique_ptr<IdRanges> ranges(
      new IdRanges(TRY(open_directory_at(AT_FDCWD, directory)), whole));
  TRY(ranges->load(directory, containers));
  return ranges;
}

Result<void> IdRanges::load(const std::string& path, const std::set<std::string>& containers) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    const std::string id = entry.path().filename();
    if (!containers.contains(id)) {
      TRY(remove_file_at(directory_.get(), id));
      continue;
    }
    const std::filesystem::path text = std::filesystem::read_symlink(entry.path(), code);
    if (code) break;
    Result<IdRange> range = parse_id_range(text.string());
    if (!range) return std::unexpected(std::move(range).error().in(entry.path().string()));
    taken_[id] = *range;
  }
  if (code) return std::unexpected(system_error(code.value(), "reading what is in " + path));
  return {};
}

// Those of an earlier life may be of another whole.
bool IdRanges::is_taken(const IdRange& range) const {
  return std::ranges::any_of(taken_, [&range](const auto& one) {
    const IdRange& its = one.second;
    return uint64_t{its.first} < uint64_t{range.first} + range.count &&
           uint64_t{range.first} < uint64_t{its.first} + its.count;
  });
}

Result<IdRange> IdRanges::take(const ContainerId& container) {
  const std::lock_guard lock(mutex_);
  if (const auto found = taken_.find(container.value); found != taken_.end()) return found->second;
  const uint32_t parts = whole_.count / kIdsPerContainer;
  for (uint32_t tried = 0; tried < parts; ++tried) {
    const IdRange range{.first = next_, .count = kIdsPerContainer};
    const bool is_last = next_ - whole_.first >= whole_.count - kIdsPerContainer;
    next_ = is_last ? whole_.first : next_ + kIdsPerContainer;
    if (is_taken(range)) continue;
    const std::string text = to_text(range);
    if (symlinkat(text.c_str(), directory_.get(), container.value.c_str()) != 0) {
      return std::unexpected(system_error(errno, "noting the ids of the container"));
    }
    taken_[container.value] = range;
    return range;
  }
  return fail(fmt::format("all {} ranges of --user-namespace-ids are taken", parts));
}

void IdRanges::release(const ContainerId& container) {
  const std::lock_guard lock(mutex_);
  if (taken_.erase(container.value) == 0) return;
  // If it stays, the next start removes it.
  unlinkat(directory_.get(), container.value.c_str(), 0);
}

}  // namespace tepui
