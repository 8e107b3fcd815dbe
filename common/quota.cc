#include "common/quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

std::string items_to_text(std::span<const Quantities::Item> items) {
  std::string text;
  for (const Quantities::Item& item : items) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{}:{}", item.name, milli_to_text(item.milli));
  }
  return text;
}

Result<Quantities::Item> parse_item(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return fail(fmt::format("'{}' is not an amount, expected name:number", text));
  }
  std::string_view name = text.substr(0, colon);
  while (name.starts_with(' ')) name.remove_prefix(1);
  while (name.ends_with(' ')) name.remove_suffix(1);
  TRY(validate_resource_name(name, "resource name"));
  const Resources parsed = TRY(Resources::parse(text));
  // An amount of zero leaves nothing behind.
  if (parsed.empty()) return Quantities::Item{.name = std::string(name), .milli = 0};
  const Resource& resource = parsed.items().front();
  if (!resource.is_scalar() || *resource.kind != *plain_kind(resource.name())) {
    return fail(fmt::format("'{}' is not a plain scalar, expected name:number", text));
  }
  return Quantities::Item{.name = std::string(resource.name()), .milli = resource.scalar_milli()};
}

Result<QuotaLimits> parse_items(std::string_view text) {
  QuotaLimits items;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view piece = text.substr(0, end);
    if (piece.find_first_not_of(' ') != std::string_view::npos) {
      items.push_back(TRY(parse_item(piece)));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return make_limits(std::move(items));
}

}  // namespace

std::optional<int64_t> limit_of(const QuotaLimits& limits, std::string_view name) {
  for (const Quantities::Item& item : limits) {
    if (item.name == name) return item.milli;
  }
  return std::nullopt;
}

Result<QuotaLimits> make_limits(std::vector<Quantities::Item> items) {
  std::ranges::sort(items, {}, &Quantities::Item::name);
  for (size_t i = 0; i < items.size(); ++i) {
    TRY(validate_resource_name(items[i].name, "resource name"));
    if (items[i].milli < 0 || items[i].milli > limits::kScalarMilliMax) {
      return fail(fmt::format("{} of {} is not between 0 and {}", milli_to_text(items[i].milli),
                              items[i].name, milli_to_text(limits::kScalarMilliMax)));
    }
    if (i > 0 && items[i].name == items[i - 1].name) {
      return fail(fmt::format("{} is named twice", items[i].name));
    }
  }
  return items;
}

Result<Quantities> parse_quantities(std::string_view text) {
  const QuotaLimits items = TRY(parse_items(text));
  Quantities quantities;
  for (const Quantities::Item& item : items) quantities.add(item.name, item.milli);
  return quantities;
}

Result<QuotaLimits> parse_limits(std::string_view text) { return parse_items(text); }

std::string to_text(const Quantities& quantities) { return items_to_text(quantities.items()); }
std::string to_text(const QuotaLimits& limits) { return items_to_text(limits); }

}  // namespace tepui
