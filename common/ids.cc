#include "common/ids.h"

#include <fmt/format.h>

#include <charconv>

namespace tepui {

namespace {
constexpr int kCounterBits = 40;
constexpr uint64_t kCounterMask = (uint64_t{1} << kCounterBits) - 1;

bool parse_number(std::string_view text, uint64_t max, uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out <= max;
}
}  // namespace

std::string to_text(Uuid uuid) { return fmt::format("{:016x}{:016x}", uuid.high, uuid.low); }

std::string to_text(OfferId id) {
  return fmt::format("e{}-o{}", id.value >> kCounterBits, id.value & kCounterMask);
}

Result<OfferId> parse_offer_id(std::string_view text) {
  const size_t dash = text.find("-o");
  uint64_t epoch = 0;
  uint64_t counter = 0;
  if (text.empty() || text[0] != 'e' || dash == std::string_view::npos ||
      !parse_number(text.substr(1, dash - 1), UINT64_MAX >> kCounterBits, epoch) ||
      !parse_number(text.substr(dash + 2), kCounterMask, counter)) {
    return fail(fmt::format("'{}' is not an offer id, expected one like e3-o991", text));
  }
  return OfferId{(epoch << kCounterBits) | counter};
}

Result<void> validate_id(std::string_view text, std::string_view what) {
  if (text.empty()) return fail(fmt::format("{} is empty", what));
  if (text.size() > 255) {
    return fail(fmt::format("{} has {} bytes, at most 255 are allowed", what, text.size()));
  }
  if (text == "." || text == "..") return fail(fmt::format("{} '{}' is reserved", what, text));
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return fail(fmt::format("{} contains the control character 0x{:02x}", what, byte));
    }
    if (c == '/' || c == '\\') return fail(fmt::format("{} '{}' contains '{}'", what, text, c));
  }
  return {};
}

}  // namespace tepui
