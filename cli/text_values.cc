#include "cli/text_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace tepui::cli {

std::string bytes_text(std::optional<double> bytes) {
  if (!bytes) return "-";
  constexpr std::array kUnits = {"", "K", "M", "G", "T", "P"};
  double value = *bytes;
  size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0 || value >= 99.95) return fmt::format("{:.0f}{}", value, kUnits[unit]);
  return fmt::format("{:.1f}{}", value, kUnits[unit]);
}

std::string percent_text(std::optional<double> part) {
  return part ? fmt::format("{:.1f}", *part * 100) : "-";
}

std::string micros_text(std::optional<double> ns) {
  if (!ns) return "-";
  if (*ns < 1e6) return fmt::format("{:.0f}us", *ns / 1e3);
  if (*ns < 1e9) return fmt::format("{:.1f}ms", *ns / 1e6);
  return fmt::format("{:.1f}s", *ns / 1e9);
}

std::string time_text(WallTime at) {
  if (at == WallTime{}) return "-";
  const time_t secs = static_cast<time_t>(to_ns(at) / 1'000'000'000);
  std::tm parts{};
  gmtime_r(&secs, &parts);
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return std::string(text.data(), length);
}

std::string sparkline(const std::vector<double>& values, size_t columns) {
  constexpr std::array kHeights = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t count = std::min(values.size(), columns);
  const double largest =
      count == 0 ? 0
                 : *std::max_element(values.end() - static_cast<ptrdiff_t>(count), values.end());
  std::string line;
  for (size_t i = values.size() - count; i < values.size(); ++i) {
    const double part = largest > 0 ? std::max(values[i], 0.0) / largest : 0;
    line += kHeights[std::min(static_cast<size_t>(part * 8), kHeights.size() - 1)];
  }
  return line;
}

}  // namespace tepui::cli
