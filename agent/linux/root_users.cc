#include "agent/linux/root_users.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "agent/linux/files.h"
#include "agent/linux/users.h"
#include "common/io/fd.h"

namespace tepui {
namespace {

constexpr const char* kFolder = "etc";

std::optional<uint32_t> number_of(std::string_view text) {
  uint32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view take_until(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// NAME:PASSWORD:ID:MORE…
struct Entry {
  std::string_view name;
  std::optional<uint32_t> id;
  std::string_view more;
};

std::vector<Entry> parse(std::string_view text) {
  std::vector<Entry> entries;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    Entry entry{.name = take_until(line, ':'), .id = {}, .more = {}};
    take_until(line, ':');
    entry.id = number_of(take_until(line, ':'));
    entry.more = line;
    if (!entry.name.empty() && entry.id) entries.push_back(entry);
  }
  return entries;
}

// Whether a layer has something else in the place of this directory of those below it.
bool hides_below(const Fd& layer, const char* folder) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd found(static_cast<int>(syscall(SYS_openat2, layer.get(), folder, &how, sizeof how)));
  struct stat status{};
  if (!found || fstat(found.get(), &status) != 0) return false;
  if (S_ISLNK(status.st_mode)) return false;
  if (!S_ISDIR(status.st_mode)) return true;
  char value = 0;
  const std::string path = fmt::format("/proc/self/fd/{}", found.get());
  return getxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// Nothing where none of the layers has it; one that hides it from those below has it, empty.
Result<std::optional<std::string>> read_in(const std::vector<std::string>& layers,
                                           const char* path) {
  for (const std::string& layer : layers) {
    const Fd root = TRY(open_directory_at(AT_FDCWD, layer));
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const Fd file(static_cast<int>(syscall(SYS_openat2, root.get(), path, &how, sizeof how)));
    if (!file && (errno == ENOENT || errno == ENOTDIR)) {
      if (hides_below(root, kFolder)) return std::nullopt;
      continue;
    }
    if (!file && errno == ENXIO) return std::nullopt;  // how an overlay marks what is gone
    if (!file) {
      return std::unexpected(system_error(errno, fmt::format("opening {} of {}", path, layer)));
    }
    struct stat status{};
    if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return fail(fmt::format("{} of {} is no file", path, layer));
    }
    return TRY(read_file_at(AT_FDCWD, fmt::format("/proc/self/fd/{}", file.get())));
  }
  return std::nullopt;
}

Result<uint32_t> find_group(const std::vector<Entry>& groups, std::string_view name) {
  if (const std::optional<uint32_t> number = number_of(name)) return *number;
  for (const Entry& one : groups) {
    if (one.name == name) return *one.id;
  }
  return fail(fmt::format("there is no group \"{}\" in the container's root file system", name));
}

bool has_member(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    if (take_until(list, ',') == name) return true;
  }
  return false;
}

}  // namespace

Result<std::optional<UserIds>> user_in_root(const std::vector<std::string>& layers,
                                            const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::string_view group = name;
  const std::string_view user = take_until(group, ':');
  const std::optional<std::string> passwd = TRY(read_in(layers, "etc/passwd"));
  const std::string group_text = TRY(read_in(layers, "etc/group")).value_or("");
  const std::vector<Entry> users = parse(passwd ? std::string_view(*passwd) : std::string_view());
  const std::vector<Entry> groups = parse(group_text);
  const std::optional<uint32_t> number = number_of(user);
  const auto found = std::ranges::find_if(
      users, [&](const Entry& one) { return number ? one.id == number : one.name == user; });
  UserIds ids;
  if (found != users.end()) {
    std::string_view rest = found->more;
    ids = {.uid = *found->id, .gid = number_of(take_until(rest, ':')).value_or(0), .groups = {}};
    for (const Entry& one : groups) {
      if (has_member(one.more, found->name)) ids.groups.push_back(*one.id);
    }
  } else if (number) {
    ids.uid = *number;
  } else if (!passwd && user != "root") {
    ids = TRY(find_user(std::string(user)));
  } else if (user != "root") {
    return fail(fmt::format("there is no user \"{}\" in the container's root file system", user));
  }
  if (!group.empty()) ids = {.uid = ids.uid, .gid = TRY(find_group(groups, group)), .groups = {}};
  if (std::ranges::find(ids.groups, ids.gid) == ids.groups.end()) ids.groups.push_back(ids.gid);
  return ids;
}

}  // namespace tepui
