#pragma once
// LogPlot draws lines over two logarithmic axes as an SVG of its own few elements: a line that
// stays level grows as its cause does, one that rises does not.
//
// For benchmarks only.

#include <string>
#include <utility>
#include <vector>

namespace tepui::perf {

struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x and y, both positive
};

struct LogPlot {
  std::string title;
  std::string x_name;
  std::string y_name;
  std::vector<PlotLine> lines;

  std::string svg() const;
};

}  // namespace tepui::perf
