#pragma once
// Durations and byte counts as people write them: `10secs`, `1.5mins`, `2GB`. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/time.h"

namespace tepui {

// A number (decimals permitted) and one of ns us ms secs mins hrs days weeks. Not negative.
Result<Duration> parse_duration(std::string_view text);
// The largest unit that shows the value exactly: "10secs", "1.5mins", "250ms".
std::string to_text(Duration duration);

// A number and one of B KB MB GB TB (powers of 1024); a bare number is refused.
Result<int64_t> parse_bytes(std::string_view text);
std::string bytes_to_text(int64_t bytes);

// A decimal with up to three places in thousandths: "1.5" -> 1500. Refuses signs, more decimals
// and what does not fit.
Result<int64_t> parse_milli(std::string_view text);

// "2026-11-22T19:00:00.123Z"
std::string to_text(WallTime time);

}  // namespace tepui
