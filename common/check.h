#pragma once
// CHECK aborts on a broken assumption of the programmer, in every build. It is never used on input
// from outside: bad input is an Error (common/result.h). One condition each, so that the message
// says which one broke.
//
// Pure: the abort is the compiler's trap after one line on standard error.

#include <cstdio>
#include <cstdlib>

namespace tepui::detail {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace tepui::detail

#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::tepui::detail::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
