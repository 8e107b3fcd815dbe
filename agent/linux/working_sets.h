#pragma once
// The working sets of containers: the memory in use less what of the page cache was not used
// lately, which the kernel gives back when it is asked for.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace tepui {

// Of the texts of memory.current and memory.stat; nothing if they do not say. Pure.
std::optional<int64_t> parse_working_set(std::string_view current, std::string_view stat);

// Of a cgroup, by its path. Some 30 us, in which the kernel adds up: not for the loop.
Result<int64_t> read_working_set(const std::string& cgroup);

}  // namespace tepui
