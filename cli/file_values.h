#pragma once
// What the readers of files that people write share: values of a Document, and errors that say
// where in the file something is wrong and what was expected there. Pure.

#include <fmt/format.h>

#include <expected>
#include <string>
#include <string_view>

#include "common/io/document.h"
#include "common/result.h"

namespace tepui::cli {

inline std::string where(std::string_view file, const Document& at) {
  return at.line > 0 ? fmt::format("{}:{}", file, at.line) : std::string(file);
}

inline std::unexpected<Error> wrong(std::string_view file, const Document& at, std::string_view key,
                                    std::string_view expected) {
  return fail(
      fmt::format("{}: {} is {}, expected {}", where(file, at), key, at.type_name(), expected));
}

inline Result<std::string> text_of(std::string_view file, std::string_view key,
                                   const Document& value) {
  if (const std::string* text = value.text()) return *text;
  return wrong(file, value, key, "text");
}

}  // namespace tepui::cli
