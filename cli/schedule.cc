#include "cli/schedule.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "cli/file_values.h"
#include "common/text.h"

namespace tepui::cli {

namespace {

// The digits text[at, at + count) as a number up to `max`.
std::optional<int> digits(std::string_view text, size_t at, size_t count, int max) {
  int value = 0;
  const char* const begin = text.data() + at;
  const auto [end, problem] = std::from_chars(begin, begin + count, value);
  if (problem != std::errc() || end != begin + count || value < 0 || value > max) {
    return std::nullopt;
  }
  return value;
}

Result<void> read_key(MaintenanceWindow& window, std::string_view file, const std::string& key,
                      const Document& value, WallTime now) {
  const auto in_file = [&](Error error) {
    return std::unexpected(std::move(error).in(where(file, value)));
  };
  if (key == "hosts") {
    const Document::List* hosts = value.list();
    if (hosts == nullptr) return wrong(file, value, key, "a list of hostnames");
    for (const Document& host : *hosts) {
      window.hostnames.push_back(TRY(text_of(file, key, host)));
    }
  } else if (key == "start") {
    const Result<WallTime> start = parse_start(TRY(text_of(file, key, value)), now);
    if (!start) return in_file(start.error());
    window.unavailability.start = *start;
  } else if (key == "duration") {
    const Result<Duration> duration = parse_duration(TRY(text_of(file, key, value)));
    if (!duration) return in_file(duration.error());
    window.unavailability.duration = *duration;
  } else if (key == "drain") {
    const bool* drain = std::get_if<bool>(&value.value());
    if (drain == nullptr) return wrong(file, value, key, "true or false");
    window.drain = *drain;
  } else {
    return fail(fmt::format("{}: a window has no '{}', only hosts, start, duration and drain",
                            where(file, value), key));
  }
  return {};
}

}  // namespace

Result<WallTime> parse_start(std::string_view text, WallTime now) {
  if (text.starts_with("in ")) return now + TRY(parse_duration(text.substr(3)));
  const auto bad = [text] {
    return fail(fmt::format(
        "'{}' is not a time, expected one like 2026-12-01T08:00:00Z, or \"in 2hrs\"", text));
  };
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text[19] != 'Z') {
    return bad();
  }
  const auto year = digits(text, 0, 4, 2200);
  const auto month = digits(text, 5, 2, 12);
  const auto day = digits(text, 8, 2, 31);
  const auto hour = digits(text, 11, 2, 23);
  const auto minute = digits(text, 14, 2, 59);
  const auto second = digits(text, 17, 2, 59);
  if (!year || !month || !day || !hour || !minute || !second) return bad();
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *year < 1970) return bad();
  const auto since_1970 = std::chrono::sys_days(date).time_since_epoch() +
                          std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
                          std::chrono::seconds(*second);
  return WallTime(std::chrono::duration_cast<Duration>(since_1970));
}

Result<UpdateMaintenanceSchedule> parse_schedule(const Document& document, std::string_view file,
                                                 WallTime now) {
  const Document::Table* table = document.table();
  if (table == nullptr) return wrong(file, document, "the file", "a table");
  UpdateMaintenanceSchedule schedule;
  for (const auto& [key, value] : *table) {
    if (key != "window") {
      return fail(
          fmt::format("{}: a schedule has no '{}', only [[window]]", where(file, value), key));
    }
    const Document::List* windows = value.list();
    if (windows == nullptr) return wrong(file, value, key, "a list: write [[window]]");
    for (const Document& one : *windows) {
      const Document::Table* fields = one.table();
      if (fields == nullptr) return wrong(file, one, key, "a table");
      MaintenanceWindow& window = schedule.windows.emplace_back();
      for (const auto& [name, field] : *fields) TRY(read_key(window, file, name, field, now));
      if (window.hostnames.empty()) {
        return fail(fmt::format("{}: a window names no hosts", where(file, one)));
      }
      if (one.find("start") == nullptr) {
        return fail(fmt::format("{}: a window has no start", where(file, one)));
      }
    }
  }
  return schedule;
}

}  // namespace tepui::cli
