#include "agent/id_range.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace tepui {

std::string to_text(const IdRange& range) { return fmt::format("{}:{}", range.first, range.count); }

Result<IdRange> parse_id_range(std::string_view text) {
  const auto refused = [text] { return fail(fmt::format("'{}' is not FIRST:COUNT", text)); };
  IdRange range;
  const char* end = text.data() + text.size();
  const auto [colon, bad_first] = std::from_chars(text.data(), end, range.first);
  if (bad_first != std::errc() || colon == end || *colon != ':') return refused();
  const auto [after, bad_count] = std::from_chars(colon + 1, end, range.count);
  if (bad_count != std::errc() || after != end) return refused();
  // The id -1 is nobody's.
  constexpr uint32_t kIdMax = std::numeric_limits<uint32_t>::max() - 1;
  if (range.count == 0 || range.count - 1 > kIdMax - range.first || range.first > kIdMax) {
    return fail(fmt::format("'{}' are not {} ids", text, range.count));
  }
  return range;
}

Result<void> check_divisible(const IdRange& range) {
  if (range.first < kIdsPerContainer) {
    return fail(fmt::format("{} begins among the ids of the machine, below {}", to_text(range),
                            kIdsPerContainer));
  }
  if (range.count % kIdsPerContainer == 0) return {};
  return fail(fmt::format("{} is not a multiple of {}, which each container has", range.count,
                          kIdsPerContainer));
}

}  // namespace tepui
