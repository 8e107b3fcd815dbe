#include "agent/linux/cgroup_text.h"

#include <charconv>
#include <limits>

namespace tepui {
namespace {

// Takes the first part off, up to `end`, which goes too.
std::string_view take_until(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(part.size() < text.size() ? part.size() + 1 : text.size());
  return part;
}

Measured number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

Measured micros(std::string_view text) {
  const Measured value = number(text);
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max() / 1000;
  if (!value.known() || value.value() > kMax) return {};
  return value.value() * 1000;
}

// Of devices: a sum that would overflow is none.
void add(Measured& sum, Measured value) {
  int64_t added = 0;
  if (!value.known() || __builtin_add_overflow(sum.value(), value.value(), &added)) return;
  sum = added;
}

}  // namespace

void read_cpu_stat(std::string_view text, Sample& sample) {
  while (!text.empty()) {
    std::string_view value = take_until(text, '\n');
    const std::string_view key = take_until(value, ' ');
    if (key == "usage_usec") sample.cpu_usage_ns = micros(value);
    if (key == "user_usec") sample.cpu_user_ns = micros(value);
    if (key == "system_usec") sample.cpu_system_ns = micros(value);
    if (key == "nr_periods") sample.cpu_periods = number(value);
    if (key == "nr_throttled") sample.cpu_throttled_periods = number(value);
    if (key == "throttled_usec") sample.cpu_throttled_ns = micros(value);
  }
}

void read_memory_events(std::string_view text, Sample& sample) {
  while (!text.empty()) {
    std::string_view value = take_until(text, '\n');
    const std::string_view key = take_until(value, ' ');
    if (key == "high") sample.memory_high_events = number(value);
    if (key == "max") sample.memory_max_events = number(value);
    if (key == "oom_kill") sample.oom_kills = number(value);
  }
}

void read_io_stat(std::string_view text, Sample& sample) {
  for (Measured* sum :
       {&sample.io_read_bytes, &sample.io_written_bytes, &sample.io_reads, &sample.io_writes}) {
    *sum = 0;  // a container that did nothing has no lines
  }
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    take_until(line, ' ');  // the device
    while (!line.empty()) {
      std::string_view value = take_until(line, ' ');
      const std::string_view key = take_until(value, '=');
      if (key == "rbytes") add(sample.io_read_bytes, number(value));
      if (key == "wbytes") add(sample.io_written_bytes, number(value));
      if (key == "rios") add(sample.io_reads, number(value));
      if (key == "wios") add(sample.io_writes, number(value));
    }
  }
}

void read_pressure(std::string_view text, Measured& some_ns, Measured& full_ns) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view kind = take_until(line, ' ');
    constexpr std::string_view kTotal = "total=";
    const size_t at = line.find(kTotal);
    if (at == std::string_view::npos) continue;
    const Measured total = micros(line.substr(at + kTotal.size()));
    if (kind == "some") some_ns = total;
    if (kind == "full") full_ns = total;
  }
}

Measured read_number(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return number(text);
}

}  // namespace tepui
