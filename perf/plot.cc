#include "perf/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace tepui::perf {

namespace {

constexpr double kLeft = 80;
constexpr double kTop = 50;
constexpr double kWidth = 560;
constexpr double kHeight = 380;
constexpr std::array<const char*, 8> kColours = {"#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2",
                                                 "#b58900", "#2aa198", "#555555", "#d33682"};

// Powers of ten that hold all values.
struct Axis {
  double first = 0;
  double last = 1;

  void include(double value) {
    first = std::min(first, std::floor(std::log10(value)));
    last = std::max(last, std::ceil(std::log10(value)));
  }
  double place(double value) const { return (std::log10(value) - first) / (last - first); }
};

Axis axis_of(const std::vector<PlotLine>& lines, double std::pair<double, double>::* which) {
  Axis axis = {.first = 99, .last = -99};
  for (const PlotLine& line : lines) {
    for (const auto& point : line.points) axis.include(point.*which);
  }
  if (axis.last <= axis.first) axis.last = axis.first + 1;
  return axis;
}

void draw_text(std::string& out, double x, double y, const char* anchor, const std::string& text) {
  fmt::format_to(std::back_inserter(out),
                 "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                 text);
}

void draw_grid(std::string& out, const Axis& x, const Axis& y) {
  for (double power = x.first; power <= x.last; ++power) {
    const double at = kLeft + kWidth * (power - x.first) / (x.last - x.first);
    fmt::format_to(std::back_inserter(out),
                   "<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" stroke=\"#ddd\"/>\n", at, kTop,
                   kTop + kHeight);
    draw_text(out, at, kTop + kHeight + 18, "middle", fmt::format("{:g}", std::pow(10, power)));
  }
  for (double power = y.first; power <= y.last; ++power) {
    const double at = kTop + kHeight * (1 - (power - y.first) / (y.last - y.first));
    fmt::format_to(std::back_inserter(out),
                   "<path d=\"M{0:.1f} {1:.1f}H{2:.1f}\" stroke=\"#ddd\"/>\n", kLeft, at,
                   kLeft + kWidth);
    draw_text(out, kLeft - 8, at + 4, "end", fmt::format("{:g}", std::pow(10, power)));
  }
}

}  // namespace

std::string LogPlot::svg() const {
  const Axis x = axis_of(lines, &std::pair<double, double>::first);
  const Axis y = axis_of(lines, &std::pair<double, double>::second);
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"500\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"900\" height=\"500\" fill=\"white\"/>\n";
  draw_text(out, kLeft, 24, "start", title);
  draw_text(out, kLeft, 42, "start", y_name);
  draw_text(out, kLeft + kWidth / 2, kTop + kHeight + 40, "middle", x_name);
  draw_grid(out, x, y);
  for (size_t i = 0; i < lines.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    std::string path;
    for (const auto& [at, value] : lines[i].points) {
      fmt::format_to(std::back_inserter(path), "{:.1f},{:.1f} ", kLeft + kWidth * x.place(at),
                     kTop + kHeight * (1 - y.place(value)));
    }
    fmt::format_to(std::back_inserter(out),
                   "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n"
                   "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n",
                   path, colour, kLeft + kWidth + 12, kTop + 20 * static_cast<double>(i), colour);
    draw_text(out, kLeft + kWidth + 30, kTop + 20 * static_cast<double>(i) + 10, "start",
              lines[i].name);
  }
  return out + "</svg>\n";
}

}  // namespace tepui::perf
