#include "perf/report.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tepui::perf {

namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string machine() {
  utsname system{};
  uname(&system);
  return fmt::format("{}, {} cores, Linux {}", processor(), sysconf(_SC_NPROCESSORS_ONLN),
                     system.release);
}

std::string commit() {
  const std::string command =
      fmt::format("git -C '{}' describe --always --dirty 2>/dev/null", TEPUI_SOURCE_ROOT);
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "unknown";
  char buffer[128] = {};
  const size_t size = std::fread(buffer, 1, sizeof buffer - 1, pipe);
  pclose(pipe);
  std::string text(buffer, size);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "unknown" : text;
}

// Three or four significant digits: a benchmark does not know more.
std::string number(double value) {
  const double size = std::abs(value);
  if (size >= 1000) return fmt::format("{:.0f}", value);
  if (size >= 100) return fmt::format("{:.1f}", value);
  if (size >= 1) return fmt::format("{:.2f}", value);
  return fmt::format("{:.4g}", value);
}

std::string verdict(const Outcome& outcome) {
  if (!outcome.against) return "";
  if (!outcome.resolved()) return "not resolved";
  const double ours = outcome.sample.p50;
  const double theirs = outcome.against->sample.p50;
  const double ratio = outcome.better == Better::kLower ? theirs / ours : ours / theirs;
  return ratio >= 1 ? fmt::format("{} times better", number(ratio))
                    : fmt::format("{} times worse", number(1 / ratio));
}

double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return sorted[below] * (1 - part) + sorted[above] * part;
}

}  // namespace

Sample sample_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {.p50 = quantile(values, 0.5),
          .spread = quantile(values, 0.75) - quantile(values, 0.25),
          .n = static_cast<uint32_t>(values.size())};
}

bool Outcome::resolved() const {
  if (!against) return true;
  const double distance = std::abs(sample.p50 - against->sample.p50);
  return distance > std::max(sample.spread, against->sample.spread);
}

Report::Report(std::string name) : name_(std::move(name)) {}

Sample Report::measure(const Metric& metric, const Subject& subject, uint32_t rounds) {
  subject.measure();
  std::vector<double> values;
  for (uint32_t i = 0; i < rounds; ++i) values.push_back(subject.measure());
  const Sample sample = sample_of(std::move(values));
  add({.name = subject.name,
       .unit = metric.unit,
       .better = metric.better,
       .sample = sample,
       .against = std::nullopt});
  return sample;
}

void Report::compare(const Metric& metric, const Subject& a, const Subject& b, uint32_t rounds) {
  a.measure();
  b.measure();
  std::vector<double> ours;
  std::vector<double> theirs;
  for (uint32_t i = 0; i < rounds; ++i) {
    if (i % 2 == 0) ours.push_back(a.measure());
    theirs.push_back(b.measure());
    if (i % 2 != 0) ours.push_back(a.measure());
  }
  add({.name = a.name,
       .unit = metric.unit,
       .better = metric.better,
       .sample = sample_of(std::move(ours)),
       .against = Outcome::Against{.name = b.name, .sample = sample_of(std::move(theirs))}});
}

void Report::add(Outcome outcome) { outcomes_.push_back(std::move(outcome)); }

std::string Report::table() const {
  std::vector<std::vector<std::string>> rows = {
      {"name", "value", "unit", "spread", "n", "against", "value", "spread", ""}};
  for (const Outcome& outcome : outcomes_) {
    std::vector<std::string> row = {outcome.name, number(outcome.sample.p50), outcome.unit,
                                    number(outcome.sample.spread),
                                    fmt::format("{}", outcome.sample.n)};
    row.push_back(outcome.against ? outcome.against->name : "");
    row.push_back(outcome.against ? number(outcome.against->sample.p50) : "");
    row.push_back(outcome.against ? number(outcome.against->sample.spread) : "");
    row.push_back(verdict(outcome));
    rows.push_back(std::move(row));
  }
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text = header();
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool numeric = i == 1 || i == 3 || i == 4 || i == 6 || i == 7;
      line += numeric ? fmt::format("{:>{}}  ", row[i], widths[i])
                      : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string Report::json() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Outcome& outcome : outcomes_) {
    nlohmann::ordered_json entry = {
        {"name", outcome.name},
        {"value", outcome.sample.p50},
        {"unit", outcome.unit},
        {"better", outcome.better == Better::kLower ? "lower" : "higher"}};
    if (outcome.against) {
      entry["against"] = {{"name", outcome.against->name},
                          {"value", outcome.against->sample.p50},
                          {"spread", outcome.against->sample.spread}};
      entry["resolved"] = outcome.resolved();
    }
    entry["n"] = outcome.sample.n;
    entry["p50"] = outcome.sample.p50;
    entry["spread"] = outcome.sample.spread;
    list.push_back(std::move(entry));
  }
  return list.dump(2) + "\n";
}

std::string Report::header() { return fmt::format("{}\ncommit {}\n\n", machine(), commit()); }

int Report::finish() const {
  std::fputs(table().c_str(), stdout);
  return write();
}

int Report::write() const {
  const std::filesystem::path folder = std::filesystem::path(TEPUI_SOURCE_ROOT) / "perf" / "out";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::filesystem::path path = folder / (name_ + ".json");
  std::ofstream file(path);
  file << json();
  file.close();
  if (!file) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    return 1;
  }
  return 0;
}

}  // namespace tepui::perf
