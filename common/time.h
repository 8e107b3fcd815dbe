#pragma once
// Time as the cores see it: always an argument, constant during one turn.
//
// Instant counts from the machine's boot and never goes back (timers, leases). WallTime counts from
// 1970-01-01 UTC and may jump (schedules, timestamps in statuses). Both count nanoseconds in int64.
// Neither type can ask a clock: only common/io/clock.h can, once per turn.
//
// Pure.

#include <chrono>
#include <cstdint>

namespace tepui {

using Duration = std::chrono::nanoseconds;

namespace detail {
struct BootTime {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<BootTime, Duration>;
};
struct UnixTime {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<UnixTime, Duration>;
};
}  // namespace detail

using Instant = detail::BootTime::time_point;
using WallTime = detail::UnixTime::time_point;

// The time of one turn.
struct Now {
  Instant mono;
  WallTime wall;
};

inline constexpr Instant kNever = Instant::max();

// `from + by` without overflow: a far deadline is never.
constexpr Instant later(Instant from, Duration by) {
  if (by >= kNever - from) return kNever;
  return from + by;
}

constexpr double to_secs(Duration d) { return static_cast<double>(d.count()) / 1e9; }
constexpr double to_millis(Duration d) { return static_cast<double>(d.count()) / 1e6; }
constexpr int64_t to_ns(WallTime t) { return t.time_since_epoch().count(); }
constexpr int64_t to_ns(Instant t) { return t.time_since_epoch().count(); }

}  // namespace tepui
