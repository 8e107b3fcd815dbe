#include "common/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <optional>
#include <span>

namespace tepui {

namespace {

__extension__ typedef __int128 Wide;

struct Unit {
  std::string_view name;
  int64_t size;
};

constexpr std::array<Unit, 8> kDurationUnits{{{"weeks", 604'800'000'000'000},
                                              {"days", 86'400'000'000'000},
                                              {"hrs", 3'600'000'000'000},
                                              {"mins", 60'000'000'000},
                                              {"secs", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"us", 1'000},
                                              {"ns", 1}}};
constexpr std::array<Unit, 5> kByteUnits{{{"TB", int64_t{1} << 40},
                                          {"GB", int64_t{1} << 30},
                                          {"MB", int64_t{1} << 20},
                                          {"KB", int64_t{1} << 10},
                                          {"B", 1}}};

// 1.25 is 1 + 25 / 100.
struct Decimal {
  int64_t whole = 0;
  int64_t fraction = 0;
  int64_t scale = 1;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr int kPlacesMax = 9;

// Digits, and a point with at least one and at most `places_max` digits after it. Nothing if the
// text is not of this form or does not fit.
std::optional<Decimal> read_decimal(std::string_view text, int places_max) {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view before = text.substr(0, point);
  const std::string_view after = text.substr(std::min(point + 1, text.size()));
  if (before.empty() || (after.empty() && point < text.size())) return std::nullopt;
  if (after.size() > static_cast<size_t>(places_max)) return std::nullopt;
  Decimal decimal;
  for (const char c : before) {
    if (!is_digit(c) || __builtin_mul_overflow(decimal.whole, 10, &decimal.whole) ||
        __builtin_add_overflow(decimal.whole, c - '0', &decimal.whole)) {
      return std::nullopt;
    }
  }
  for (const char c : after) {
    if (!is_digit(c)) return std::nullopt;
    decimal.fraction = decimal.fraction * 10 + (c - '0');
    decimal.scale *= 10;
  }
  return decimal;
}

// A decimal and a unit as a whole number of the smallest unit.
Result<int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                std::string_view expected) {
  size_t split = 0;
  while (split < text.size() && (is_digit(text[split]) || text[split] == '.')) ++split;
  const std::optional<Decimal> number = read_decimal(text.substr(0, split), kPlacesMax);
  const Unit* unit = nullptr;
  for (const Unit& candidate : units) {
    if (candidate.name == text.substr(split)) unit = &candidate;
  }
  if (!number || unit == nullptr) return fail(fmt::format("'{}' is not {}", text, expected));
  const Wide part = static_cast<Wide>(number->fraction) * unit->size;
  if (part % number->scale != 0) {
    return fail(fmt::format("'{}' is finer than 1{}", text, units.back().name));
  }
  const Wide total = static_cast<Wide>(number->whole) * unit->size + part / number->scale;
  if (total > std::numeric_limits<int64_t>::max()) {
    return fail(fmt::format("'{}' is too large", text));
  }
  return static_cast<int64_t>(total);
}

// In the largest unit that gives at least 1 and at most kPlacesMax decimals.
std::string format_with_unit(int64_t amount, std::span<const Unit> units) {
  constexpr int64_t kScale = 1'000'000'000;
  for (const Unit& unit : units) {
    const Wide scaled = static_cast<Wide>(amount % unit.size) * kScale;
    if (amount < unit.size || scaled % unit.size != 0) continue;
    std::string text = fmt::format("{}", amount / unit.size);
    if (const auto fraction = static_cast<int64_t>(scaled / unit.size); fraction != 0) {
      text += fmt::format(".{:09}", fraction);
      text.erase(text.find_last_not_of('0') + 1);
    }
    return text.append(unit.name);
  }
  return fmt::format("0{}", units.back().name);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  return Duration(TRY(parse_with_unit(
      text, kDurationUnits,
      "a duration, expected a number and one of ns, us, ms, secs, mins, hrs, days, weeks")));
}

std::string to_text(Duration duration) {
  const int64_t count = duration.count();
  if (count == 0) return "0secs";
  if (count > 0) return format_with_unit(count, kDurationUnits);
  // The smallest number has no positive counterpart; one nanosecond is no loss in 292 years.
  const int64_t size = count == std::numeric_limits<int64_t>::min() ? -(count + 1) : -count;
  return "-" + format_with_unit(size, kDurationUnits);
}

Result<int64_t> parse_bytes(std::string_view text) {
  return parse_with_unit(text, kByteUnits,
                         "a size, expected a number and one of B, KB, MB, GB, TB");
}

std::string bytes_to_text(int64_t bytes) {
  return bytes < 0 ? fmt::format("{}B", bytes) : format_with_unit(bytes, kByteUnits);
}

Result<int64_t> parse_milli(std::string_view text) {
  const std::optional<Decimal> number = read_decimal(text, 3);
  if (!number) {
    return fail(fmt::format("'{}' is not a number with at most three decimals", text));
  }
  int64_t milli = 0;
  if (__builtin_mul_overflow(number->whole, 1000, &milli) ||
      __builtin_add_overflow(milli, number->fraction * (1000 / number->scale), &milli)) {
    return fail(fmt::format("'{}' is too large", text));
  }
  return milli;
}

std::string to_text(WallTime time) {
  using std::chrono::floor;
  const std::chrono::sys_time<Duration> point(time.time_since_epoch());
  const auto day = floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::milliseconds>(point - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace tepui
