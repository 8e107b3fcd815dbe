#pragma once
// Values as people read them in tables: short, and "-" for what is not known.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/time.h"

namespace tepui::cli {

std::string bytes_text(std::optional<double> bytes);   // 1536 -> "1.5K", 12 -> "12"
std::string percent_text(std::optional<double> part);  // 0.251 -> "25.1"
std::string micros_text(std::optional<double> ns);     // 4500000 -> "4.5ms"
std::string time_text(WallTime at);                    // UTC, "2026-11-28 04:11:44"
// Each value as one of eight heights, the highest that of the largest: "▁▃█". At most the last
// `columns` of them.
std::string sparkline(const std::vector<double>& values, size_t columns);

}  // namespace tepui::cli
