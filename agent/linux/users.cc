#include "agent/linux/users.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

#include "agent/linux/files.h"

namespace tepui {

namespace {

// "1000" or "1000:100"; without the second the group has the same number.
std::optional<UserIds> parse_ids(const std::string& text) {
  UserIds ids;
  const char* end = text.data() + text.size();
  const auto [after, problem] = std::from_chars(text.data(), end, ids.uid);
  if (problem != std::errc()) return std::nullopt;
  ids.gid = ids.uid;
  if (after != end) {
    if (*after != ':') return std::nullopt;
    const auto [last, wrong] = std::from_chars(after + 1, end, ids.gid);
    if (wrong != std::errc() || last != end) return std::nullopt;
  }
  ids.groups = {ids.gid};
  return ids;
}

}  // namespace

Result<UserIds> find_user(const std::string& name) {
  if (std::optional<UserIds> ids = parse_ids(name)) return *std::move(ids);
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  int code = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  constexpr size_t kBufferMax = 1 << 20;
  while (code == ERANGE && buffer.size() < kBufferMax) {
    buffer.resize(buffer.size() * 4);
    code = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  }
  if (code != 0) {
    return std::unexpected(system_error(code, fmt::format("looking up the user \"{}\"", name)));
  }
  if (found == nullptr) return fail(fmt::format("there is no user \"{}\" on this machine", name));
  UserIds ids{.uid = entry.pw_uid, .gid = entry.pw_gid, .groups = {}};
  int count = 32;
  ids.groups.resize(static_cast<size_t>(count));
  while (getgrouplist(name.c_str(), entry.pw_gid, ids.groups.data(), &count) < 0) {
    ids.groups.resize(static_cast<size_t>(count));
  }
  ids.groups.resize(static_cast<size_t>(count));
  return ids;
}

Result<std::optional<UserIds>> user_to_switch_to(const std::string& name) {
  if (name.empty()) return std::nullopt;
  UserIds ids = TRY(find_user(name));
  if (ids.uid == geteuid()) return std::nullopt;
  if (geteuid() != 0) {
    return fail(fmt::format("cannot run a command as user \"{}\": the agent is not root", name),
                EPERM);
  }
  return ids;
}

}  // namespace tepui
