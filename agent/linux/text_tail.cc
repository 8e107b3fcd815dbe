#include "agent/linux/text_tail.h"

#include <cstdint>

namespace tepui {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// How many bytes at the start of `text` are one well-formed character; 0: none.
size_t character_bytes(std::string_view text) {
  auto at = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) {
    const bool shown = (first >= 0x20 && first != 0x7F) || first == '\n' || first == '\t';
    return shown ? 1 : 0;
  }
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const uint8_t second = at(1);
  // Overlong forms, surrogates, and what lies above the last code point.
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string text_tail(std::string_view bytes, size_t bytes_max) {
  while (bytes.ends_with('\n')) bytes.remove_suffix(1);
  std::string text;
  while (!bytes.empty()) {
    const size_t length = character_bytes(bytes);
    text.append(length == 0 ? kReplacement : bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  if (text.size() <= bytes_max) return text;
  size_t start = text.size() - bytes_max;
  const size_t line = text[start - 1] == '\n' ? start : text.find('\n', start) + 1;
  // npos + 1 is 0: one line fills all there is room for.
  if (line != 0) return text.substr(line);
  while (start < text.size() && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) ++start;
  return text.substr(start);
}

}  // namespace tepui
