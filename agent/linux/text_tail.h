#pragma once
// The end of what a program wrote, fit for a status message. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace tepui {

// The last whole lines of `bytes` that fit into `bytes_max` (of one overlong line its end), without
// the final newline; what is not UTF-8, and control characters but tab and newline, become U+FFFD.
std::string text_tail(std::string_view bytes, size_t bytes_max);

}  // namespace tepui
