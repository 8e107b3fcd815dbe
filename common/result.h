#pragma once
// Result<T> is how a function that can fail answers: a value, or an Error that a person can act on.
//
// An Error carries an errno (0 where there is none) and one sentence without a full stop. Context
// grows outward: `return std::move(error).in("loading agent config")` gives "loading agent config:
// <what was wrong>". Bad input is an Error; a broken assumption is a CHECK (common/check.h).
//
// Pure.

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tepui {

struct [[nodiscard]] Error {
  std::string message;
  int code = 0;  // errno, or 0

  // Puts `context` in front; the outermost context comes first.
  Error in(std::string_view context) && {
    std::string outer(context);
    outer.append(": ").append(message);
    return Error{.message = std::move(outer), .code = code};
  }
};

template <class T>
using Result = std::expected<T, Error>;

// `return fail("port 99999 is above 65535");`
inline std::unexpected<Error> fail(std::string message, int code = 0) {
  return std::unexpected(Error{.message = std::move(message), .code = code});
}

namespace detail {
template <class T>
T take(Result<T>&& result) {
  return *std::move(result);
}
inline void take(Result<void>&&) {}
}  // namespace detail

}  // namespace tepui

// Evaluates to the value of a Result, or returns its Error from the enclosing function.
#define TRY(expression)                                         \
  __extension__({                                               \
    auto tepui_result_ = (expression);                          \
    if (!tepui_result_.has_value()) [[unlikely]]                \
      return std::unexpected(std::move(tepui_result_).error()); \
    ::tepui::detail::take(std::move(tepui_result_));            \
  })
