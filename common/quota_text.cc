#include "common/quota_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tepui {

namespace {

void append(std::string& text, std::string_view name, int64_t milli) {
  if (!text.empty()) text += "; ";
  text += fmt::format("{}:{}", name, milli_to_text(milli));
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

Result<std::pair<std::string, int64_t>> parse_item(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return fail(fmt::format("'{}' is not an amount, expected name:number", text));
  }
  const Resources parsed = TRY(Resources::parse(text));
  // An amount of zero leaves nothing behind.
  if (parsed.empty()) {
    const std::string_view name = trimmed(text.substr(0, colon));
    TRY(validate_resource_name(name, "the name of a resource"));
    return std::pair(std::string(name), int64_t{0});
  }
  const Resource& resource = parsed.items().front();
  if (!resource.is_scalar() || *resource.kind != ResourceKind{.name = resource.kind->name}) {
    return fail(fmt::format("'{}' is not a plain scalar, expected name:number", text));
  }
  return std::pair(std::string(resource.name()), resource.scalar_milli());
}

}  // namespace

Result<std::map<std::string, int64_t>> parse_limits(std::string_view text) {
  std::map<std::string, int64_t> limits;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view piece = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (piece.empty()) continue;
    auto [name, milli] = TRY(parse_item(piece));
    if (!limits.emplace(name, milli).second) return fail(fmt::format("{} is named twice", name));
  }
  return limits;
}

Result<Quantities> parse_guarantees(std::string_view text) {
  const std::map<std::string, int64_t> amounts = TRY(parse_limits(text));
  Quantities quantities;
  for (const auto& [name, milli] : amounts) quantities.add(name, milli);
  return quantities;
}

std::string to_text(const Quantities& quantities) {
  std::string text;
  for (const Quantities::Item& item : quantities.items()) append(text, item.name, item.milli);
  return text;
}

std::string to_text(const std::map<std::string, int64_t>& limits_milli) {
  std::string text;
  for (const auto& [name, milli] : limits_milli) append(text, name, milli);
  return text;
}

}  // namespace tepui
