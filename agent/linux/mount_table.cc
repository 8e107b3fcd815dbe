#include "agent/linux/mount_table.h"

#include <fmt/format.h>

#include <utility>

namespace tepui {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    bool escaped = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
                   is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!escaped) {
      plain.push_back(text[i]);
      continue;
    }
    int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
    plain.push_back(static_cast<char>(value));
    i += 3;
  }
  return plain;
}

// `31 23 0:28 / /sys/fs/cgroup rw,relatime shared:5 - tmpfs tmpfs rw,mode=755`: the optional fields
// before the lone dash are of any number.
Result<Mount> parse_line(std::string_view line, size_t number) {
  constexpr size_t kFieldsBefore = 6;
  constexpr size_t kFieldsAfter = 3;
  std::vector<std::string_view> fields = split(line, ' ');
  size_t dash = kFieldsBefore;
  while (dash < fields.size() && fields[dash] != "-") ++dash;
  if (fields.size() < dash + 1 + kFieldsAfter) {
    return fail(
        fmt::format("line {} of mountinfo is cut short: expected \" - TYPE SOURCE OPTIONS\""
                    " after the mount point",
                    number));
  }
  Mount mount{.root = unescape(fields[3]),
              .point = unescape(fields[4]),
              .type = std::string(fields[dash + 1]),
              .super_options = {}};
  for (std::string_view option : split(fields[dash + 3], ',')) {
    mount.super_options.emplace_back(option);
  }
  return mount;
}

}  // namespace

Result<std::vector<Mount>> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    mounts.push_back(TRY(parse_line(line, number)));
  }
  return mounts;
}

}  // namespace tepui
