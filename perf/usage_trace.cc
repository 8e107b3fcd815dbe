#include "perf/usage_trace.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "perf/usage_generator.h"

namespace tepui::perf {

namespace {

constexpr int64_t kSecondsADay = 86400;
constexpr int64_t kSecondsASample = 300;
// A file of 8 days of 10,000 machines fits.
constexpr size_t kMaxBytes = 256U << 20;

using Lines = std::vector<std::string>;

Result<Lines> read_lines(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) return fail("cannot be opened");
  std::string text;
  std::vector<char> buffer(1U << 16);
  for (int got = 0; (got = gzread(file.get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0) return fail("cannot be read, or its gzip is damaged");
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kMaxBytes) return fail("is larger than 256 MB");
  }
  Lines lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    at = end + 1;
  }
  if (lines.empty()) return fail("is empty");
  return lines;
}

std::vector<std::string_view> fields(std::string_view line, char separator) {
  std::vector<std::string_view> all;
  while (true) {
    const size_t end = line.find(separator);
    std::string_view field = line.substr(0, end);
    while (field.starts_with(' ') || field.starts_with('\t')) field.remove_prefix(1);
    all.push_back(field);
    if (end == std::string_view::npos) return all;
    line.remove_prefix(end + 1);
  }
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// Of percent of one cpu.
int64_t milli(double percent) { return std::llround(std::clamp(percent, 0.0, 100.0) * 10); }

std::unexpected<Error> bad(size_t line, std::string_view what) {
  return fail(fmt::format("line {}: {}", line + 1, what));
}

Result<std::vector<TaskUsage>> planetlab(const Lines& lines) {
  std::vector<TaskUsage> tasks;
  for (size_t i = 0; i < lines.size(); ++i) {
    TaskUsage task;
    for (const std::string_view field : fields(lines[i], ',')) {
      const std::optional<double> value = number(field);
      if (!value) return bad(i, fmt::format("'{}' is not a number", field));
      task.usage_milli.push_back(milli(*value));
    }
    if (task.usage_milli.size() != kSamplesADay) {
      return bad(i, fmt::format("has {} samples, expected 288", task.usage_milli.size()));
    }
    tasks.push_back(std::move(task));
  }
  return tasks;
}

// One machine's series, of which each whole day becomes a task.
Result<std::vector<TaskUsage>> column(const Lines& lines, char separator, std::string_view name) {
  const std::vector<std::string_view> names = fields(lines[0], separator);
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return fail(fmt::format("has no column '{}'", name));
  const auto at = static_cast<size_t>(found - names.begin());
  std::vector<TaskUsage> tasks;
  TaskUsage day;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string_view> row = fields(lines[i], separator);
    const std::optional<double> value = at < row.size() ? number(row[at]) : std::nullopt;
    if (!value) return bad(i, fmt::format("has no number in column '{}'", name));
    day.usage_milli.push_back(milli(*value));
    if (day.usage_milli.size() == kSamplesADay) tasks.push_back(std::exchange(day, {}));
  }
  return tasks;
}

Result<std::vector<TaskUsage>> openb(const Lines& lines) {
  const std::vector<std::string_view> names = fields(lines[0], ',');
  const auto place = [&names](std::string_view name) {
    return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
  };
  const size_t cpu = place("cpu_milli");
  const size_t from = place("creation_time");
  const size_t to = place("deletion_time");
  if (std::max({cpu, from, to}) >= names.size()) {
    return fail("has no columns 'cpu_milli', 'creation_time' and 'deletion_time'");
  }
  Rng rng(1);
  std::vector<TaskUsage> tasks;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string_view> row = fields(lines[i], ',');
    if (row.size() != names.size()) return bad(i, "has another number of fields than the header");
    const std::optional<double> limit = number(row[cpu]);
    const std::optional<double> created = number(row[from]);
    const std::optional<double> deleted = number(row[to]);
    if (!limit) return bad(i, "has no cpu_milli");
    if (!created || !deleted || *deleted <= *created || *limit < 1) continue;  // never ran
    // The days of the trace are laid over each other.
    const auto first = static_cast<size_t>(std::fmod(*created, kSecondsADay) / kSecondsASample);
    const auto length = std::min(kSamplesADay - first,
                                 static_cast<size_t>((*deleted - *created) / kSecondsASample) + 1);
    const auto limit_milli = static_cast<int64_t>(*limit);
    tasks.push_back({.limit_milli = limit_milli,
                     .first = first,
                     .usage_milli = generated_usage(rng, limit_milli, length)});
  }
  return tasks;
}

struct Loaded {
  std::string format;  // of files that belong together; empty: a trace of its own
  std::vector<TaskUsage> tasks;
};

Result<Loaded> load(const std::string& path) {
  const Lines lines = TRY(read_lines(path));
  const std::string& head = lines[0];
  if (head.starts_with("timestamp,value")) {
    return Loaded{.format = "cloudwatch", .tasks = TRY(column(lines, ',', "value"))};
  }
  if (head.find(';') != std::string::npos && head.starts_with("Timestamp")) {
    return Loaded{.format = "bitbrains", .tasks = TRY(column(lines, ';', "CPU usage [%]"))};
  }
  if (head.find("cpu_milli") != std::string::npos) return Loaded{.tasks = TRY(openb(lines))};
  return Loaded{.tasks = TRY(planetlab(lines))};
}

std::string name_of(const std::filesystem::path& path) {
  const std::string name = path.filename();
  return name.substr(0, name.find(".csv"));
}

Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      inside.push_back(entry.path());
    }
    if (error) return fail(fmt::format("{}: {}", path, error.message()), error.value());
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

}  // namespace

Result<std::vector<UsageTrace>> read_usage_traces(const std::vector<std::string>& paths) {
  std::vector<UsageTrace> traces;
  std::map<std::string, size_t> joint;  // format -> its trace
  for (const std::string& path : TRY(files_of(paths))) {
    auto loaded = load(path);
    if (!loaded) return std::unexpected(std::move(loaded).error().in(path));
    const bool alone = loaded->format.empty();
    const auto [place, fresh] = joint.try_emplace(alone ? path : loaded->format, traces.size());
    if (fresh) traces.push_back({.name = alone ? name_of(path) : loaded->format});
    std::vector<TaskUsage>& tasks = traces[place->second].tasks;
    std::ranges::move(loaded->tasks, std::back_inserter(tasks));
  }
  return traces;
}

}  // namespace tepui::perf
