#include "common/sample_window.h"

#include <algorithm>
#include <utility>

namespace tepui {

void SampleWindow::add(double value) {
  if (values_.size() < values_max_) {
    values_.push_back(value);
  } else {
    values_[next_] = value;
  }
  next_ = (next_ + 1) % values_max_;
}

void SampleWindow::append_rows(const std::string& key, std::vector<MetricRow>& rows) const {
  if (values_.empty()) return;
  const size_t newest = (next_ + values_max_ - 1) % values_max_;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  // The smallest value that so many ten-thousandths of all do not exceed.
  const auto at = [&sorted](size_t parts) {
    const size_t rank = (sorted.size() * parts + 9999) / 10000;
    return sorted[std::max<size_t>(rank, 1) - 1];
  };
  rows.push_back({.key = key, .value = values_[newest]});
  rows.push_back({.key = key + "/count", .value = static_cast<double>(sorted.size())});
  rows.push_back({.key = key + "/min", .value = sorted.front()});
  rows.push_back({.key = key + "/max", .value = sorted.back()});
  constexpr std::pair<const char*, size_t> kPercentiles[] = {{"/p50", 5000},  {"/p90", 9000},
                                                             {"/p95", 9500},  {"/p99", 9900},
                                                             {"/p999", 9990}, {"/p9999", 9999}};
  for (const auto& [name, parts] : kPercentiles) {
    rows.push_back({.key = key + name, .value = at(parts)});
  }
}

}  // namespace tepui
