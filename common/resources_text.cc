// Resources and attributes as people write them.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "common/ranges.h"
#include "common/resources.h"
#include "common/roles.h"
#include "common/text.h"

namespace tepui {

namespace {

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

// Cuts the part before the next `separator` off the front of `rest`.
std::string_view next_part(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return trim(part);
}

bool is_enclosed(std::string_view text, char open, char close) {
  return text.size() >= 2 && text.front() == open && text.back() == close;
}

Result<uint64_t> parse_whole(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(fmt::format("'{}' is not a whole number", text));
  }
  return number;
}

// The inside of [..]: `31000-32000, 40000-40000`.
Result<Ranges> parse_ranges(std::string_view inside) {
  Ranges ranges;
  while (!inside.empty()) {
    const std::string_view part = next_part(inside, ',');
    const size_t dash = part.find('-');
    if (dash == std::string_view::npos) {
      return fail(fmt::format("'{}' is not a range like 31000-32000", part));
    }
    const uint64_t first = TRY(parse_whole(trim(part.substr(0, dash))));
    const uint64_t last = TRY(parse_whole(trim(part.substr(dash + 1))));
    if (first > last) {
      return fail(fmt::format("range {}-{} ends before it begins", first, last));
    }
    ranges.push_back({.first = first, .last = last});
  }
  normalize(ranges);
  return ranges;
}

// The inside of {..}: `a,b`.
Result<Set> parse_set(std::string_view inside) {
  Set set;
  while (!inside.empty()) {
    const std::string_view member = next_part(inside, ',');
    TRY(validate_resource_name(member, "set member"));
    set.emplace_back(member);
  }
  normalize(set);
  return set;
}

// `2GB` as thousandths of a MB, rounded down: more than there is must never be offered.
Result<int64_t> parse_megabytes(std::string_view text) {
  const int64_t bytes = TRY(parse_bytes(text));
  constexpr int64_t kMegabyte = 1 << 20;
  const int64_t milli = bytes / kMegabyte * 1000 + bytes % kMegabyte * 1000 / kMegabyte;
  if (milli == 0 && bytes > 0) return fail(fmt::format("'{}' is less than 0.001 MB", text));
  return milli;
}

Result<Amount> parse_amount(std::string_view name, std::string_view text) {
  if (is_enclosed(text, '[', ']')) return TRY(parse_ranges(text.substr(1, text.size() - 2)));
  if (is_enclosed(text, '{', '}')) return TRY(parse_set(text.substr(1, text.size() - 2)));
  const bool counts_bytes = name == "mem" || name == "disk";
  if (counts_bytes && text.ends_with('B')) return TRY(parse_megabytes(text));
  Result<int64_t> milli = parse_milli(text);
  if (milli) return *milli;
  return fail(fmt::format("'{}' is not an amount, expected one like {}, [1-10] or {{a,b}}", text,
                          counts_bytes ? "512, 2GB" : "1.5"));
}

// `cpus:4` or `cpus(role):4`.
Result<Resource> parse_item(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return fail(fmt::format("'{}' has no ':', expected one like cpus:4", text));
  }
  std::string_view name = trim(text.substr(0, colon));
  ResourceKind kind;
  if (const size_t open = name.find('('); open != std::string_view::npos) {
    if (name.back() != ')') return fail(fmt::format("'{}' has no ')' after the role", text));
    const std::string_view role = trim(name.substr(open + 1, name.size() - open - 2));
    TRY(validate_role(role));
    if (role != kDefaultRole) kind.reservations.push_back({.role = std::string(role)});
    name = trim(name.substr(0, open));
  }
  TRY(validate_resource_name(name, "resource name"));
  kind.name = std::string(name);
  Result<Amount> amount = parse_amount(name, trim(text.substr(colon + 1)));
  if (!amount) {
    return std::unexpected(std::move(amount).error().in(fmt::format("resource '{}'", name)));
  }
  return Resource{.kind = make_kind(std::move(kind)), .amount = *std::move(amount)};
}

std::string to_text(const Ranges& ranges) {
  std::string text = "[";
  for (const Range& range : ranges) {
    fmt::format_to(std::back_inserter(text), "{}{}-{}", text.size() > 1 ? "," : "", range.first,
                   range.last);
  }
  return text + "]";
}

std::string to_text(const Set& set) { return fmt::format("{{{}}}", fmt::join(set, ",")); }

std::string to_text(const Amount& amount) {
  if (const auto* milli = std::get_if<int64_t>(&amount)) return milli_to_text(*milli);
  if (const auto* ranges = std::get_if<Ranges>(&amount)) return to_text(*ranges);
  return to_text(std::get<Set>(amount));
}

// `disk(role)[id:/path]:512 shared`
std::string to_text(const Resource& item) {
  const ResourceKind& kind = *item.kind;
  std::string text = kind.name;
  if (kind.is_reserved()) text += fmt::format("({})", kind.reservation_role());
  if (kind.disk && !kind.disk->source_root.empty()) {
    text += fmt::format("[{}]", kind.disk->source_root);
  }
  if (kind.disk && !kind.disk->persistence_id.empty()) {
    text += fmt::format("[{}:{}]", kind.disk->persistence_id, kind.disk->container_path);
  }
  text += ":" + to_text(item.amount);
  if (kind.revocable) text += " revocable";
  if (kind.shared) text += fmt::format(" shared by {}", item.shares);
  return text;
}

Result<Attribute> parse_attribute(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return fail(fmt::format("'{}' has no ':', expected one like rack:r12", text));
  }
  const std::string_view name = trim(text.substr(0, colon));
  const std::string_view value = trim(text.substr(colon + 1));
  TRY(validate_resource_name(name, "attribute name"));
  Attribute attribute{.name = std::string(name)};
  if (value.empty()) return fail(fmt::format("attribute '{}' has no value", name));
  const std::string_view inside = value.substr(1, value.size() - std::min<size_t>(value.size(), 2));
  if (is_enclosed(value, '[', ']')) {
    attribute.value = TRY(parse_ranges(inside));
  } else if (is_enclosed(value, '{', '}')) {
    attribute.value = TRY(parse_set(inside));
  } else if (const Result<int64_t> milli = parse_milli(value); milli) {
    attribute.value = *milli;
  } else {
    attribute.value = std::string(value);
  }
  return attribute;
}

}  // namespace

Result<Resources> Resources::parse(std::string_view text) {
  std::vector<Resource> items;
  while (!text.empty()) {
    const std::string_view part = next_part(text, ';');
    if (part.empty()) continue;
    items.push_back(TRY(parse_item(part)));
  }
  return create(std::move(items));
}

std::string to_text(const Resources& resources) {
  std::string text;
  for (const Resource& item : resources.items()) {
    if (!text.empty()) text += "; ";
    text += to_text(item);
  }
  return text;
}

std::string milli_to_text(int64_t milli) {
  // The magnitude as unsigned: the smallest number has no positive counterpart.
  const uint64_t size =
      milli < 0 ? uint64_t{0} - static_cast<uint64_t>(milli) : static_cast<uint64_t>(milli);
  std::string text = fmt::format("{}{}", milli < 0 ? "-" : "", size / 1000);
  if (const uint64_t part = size % 1000; part != 0) {
    text += fmt::format(".{:03}", part);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text;
}

Result<std::vector<Attribute>> parse_attributes(std::string_view text) {
  std::vector<Attribute> attributes;
  while (!text.empty()) {
    const std::string_view part = next_part(text, ';');
    if (part.empty()) continue;
    attributes.push_back(TRY(parse_attribute(part)));
  }
  return attributes;
}

std::string to_text(const std::vector<Attribute>& attributes) {
  std::string text;
  for (const Attribute& attribute : attributes) {
    if (!text.empty()) text += ";";
    text += attribute.name + ":";
    if (const auto* milli = std::get_if<int64_t>(&attribute.value)) {
      text += milli_to_text(*milli);
    } else if (const auto* ranges = std::get_if<Ranges>(&attribute.value)) {
      text += to_text(*ranges);
    } else if (const auto* set = std::get_if<Set>(&attribute.value)) {
      text += to_text(*set);
    } else {
      text += std::get<std::string>(attribute.value);
    }
  }
  return text;
}

}  // namespace tepui
