#include "common/sample_window.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace tepui {
namespace {

std::map<std::string, double> rows_of(const SampleWindow& window) {
  std::vector<MetricRow> rows;
  window.append_rows("x", rows);
  std::map<std::string, double> values;
  for (const MetricRow& row : rows) values[row.key] = row.value;
  return values;
}

TEST(SampleWindow, SaysNothingWithoutValues) { EXPECT_TRUE(rows_of(SampleWindow(3)).empty()); }

TEST(SampleWindow, AnswersHowItsValuesAreSpread) {
  SampleWindow window(100);
  for (int i = 100; i >= 1; --i) window.add(i);
  EXPECT_EQ(rows_of(window), (std::map<std::string, double>{{"x", 1},
                                                            {"x/count", 100},
                                                            {"x/min", 1},
                                                            {"x/max", 100},
                                                            {"x/p50", 50},
                                                            {"x/p90", 90},
                                                            {"x/p95", 95},
                                                            {"x/p99", 99},
                                                            {"x/p999", 100},
                                                            {"x/p9999", 100}}));
}

TEST(SampleWindow, ForgetsTheOldestValues) {
  SampleWindow window(3);
  for (const double value : {9.0, 8.0, 2.0, 3.0, 4.0}) window.add(value);
  const auto rows = rows_of(window);
  EXPECT_EQ(rows.at("x"), 4);
  EXPECT_EQ(rows.at("x/count"), 3);
  EXPECT_EQ(rows.at("x/max"), 4);
  EXPECT_EQ(rows.at("x/min"), 2);
}

}  // namespace
}  // namespace tepui
