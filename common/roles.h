#pragma once
// Roles: paths like `eng/search`, to which resources are allocated and reserved. `*` is the role of
// those who name none. Pure.

#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

inline constexpr std::string_view kDefaultRole = "*";

// Not empty; at most 255 bytes; no '/' at either end and no "//"; no component "." or ".." or one
// that begins with '-'; no white space, control character or backslash; '*' only alone.
Result<void> validate_role(std::string_view role);

// True if `descendant` is strictly below `ancestor`: ("a", "a/b"), not ("a", "a") nor ("a", "ab").
bool is_descendant(std::string_view ancestor, std::string_view descendant);

// "a", "a/b", "a/b/c" for "a/b/c": the role and its ancestors, outermost first.
std::vector<std::string_view> role_path(std::string_view role);

}  // namespace tepui
