#include "common/roles.h"

#include <algorithm>

#include <fmt/format.h>

namespace tepui {

namespace {
constexpr size_t kRoleBytesMax = 255;

Result<void> check_component(std::string_view role, std::string_view component) {
  if (component.empty()) {
    return fail(
        fmt::format("role '{}' has an empty component, expected one like eng/search", role));
  }
  if (component == "." || component == "..") {
    return fail(fmt::format("role '{}' has the component '{}'", role, component));
  }
  if (component.front() == '-') {
    return fail(fmt::format("role '{}' has a component that begins with '-'", role));
  }
  if (component == "*") return fail(fmt::format("role '{}': '*' can only stand alone", role));
  return {};
}
}  // namespace

Result<void> validate_role(std::string_view role) {
  if (role == kDefaultRole) return {};
  if (role.empty()) return fail("role is empty");
  if (role.size() > kRoleBytesMax) {
    return fail(
        fmt::format("role has {} bytes, at most {} are allowed", role.size(), kRoleBytesMax));
  }
  for (const char c : role) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return fail(fmt::format("role contains the control character 0x{:02x}", byte));
    }
    if (c == ' ' || c == '\\') return fail(fmt::format("role '{}' contains '{}'", role, c));
  }
  for (size_t begin = 0; begin <= role.size();) {
    const size_t end = std::min(role.find('/', begin), role.size());
    TRY(check_component(role, role.substr(begin, end - begin)));
    begin = end + 1;
  }
  return {};
}

bool is_descendant(std::string_view ancestor, std::string_view descendant) {
  return descendant.size() > ancestor.size() && descendant[ancestor.size()] == '/' &&
         descendant.starts_with(ancestor);
}

std::vector<std::string_view> role_path(std::string_view role) {
  std::vector<std::string_view> path;
  for (size_t slash = role.find('/'); slash != std::string_view::npos;
       slash = role.find('/', slash + 1)) {
    path.push_back(role.substr(0, slash));
  }
  path.push_back(role);
  return path;
}

}  // namespace tepui
