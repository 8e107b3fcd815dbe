#include "agent/linux/machine_load.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "agent/linux/files.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr int64_t kNsPerSec = 1'000'000'000;

std::string_view next_word(std::string_view& text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  text.remove_prefix(word.size());
  return word;
}

int64_t number(std::string_view word) {
  int64_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

// The text behind a line's first word; empty if there is no such line.
std::string_view line_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) return line.substr(key.size());
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return {};
}

int64_t memory(std::string_view meminfo, std::string_view key) {
  std::string_view line = line_of(meminfo, key);
  return number(next_word(line)) * 1024;
}

Result<Fd> open_file(const char* path) {
  Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(system_error(errno, std::string("opening ") + path));
  return file;
}

// The beginning; all that is looked for is there.
std::string_view read_into(const Fd& file, std::array<char, 2048>& buffer) {
  const ssize_t bytes = pread(file.get(), buffer.data(), buffer.size(), 0);
  return bytes <= 0 ? std::string_view()
                    : std::string_view(buffer.data(), static_cast<size_t>(bytes));
}

}  // namespace

MachineSample parse_machine(std::string_view loadavg, std::string_view meminfo,
                            std::string_view stat, int64_t ticks_per_sec) {
  MachineSample sample;
  (void)next_word(loadavg);  // over one minute
  // "0.52": two places.
  sample.load_5min_milli = parse_milli(next_word(loadavg)).value_or(0);
  sample.load_15min_milli = parse_milli(next_word(loadavg)).value_or(0);
  sample.memory_total_bytes = memory(meminfo, "MemTotal:");
  sample.memory_available_bytes = memory(meminfo, "MemAvailable:");
  // user nice system idle iowait irq softirq steal: what somebody did.
  std::string_view cpu = line_of(stat, "cpu ");
  int64_t ticks = 0;
  for (int column = 0; column < 8; ++column) {
    const int64_t value = number(next_word(cpu));
    const bool is_idle = column == 3 || column == 4;
    if (!is_idle) ticks += value;
  }
  sample.cpu_usage_ns = ticks_per_sec <= 0 ? 0 : ticks * (kNsPerSec / ticks_per_sec);
  return sample;
}

MachineLoad::MachineLoad(Fd loadavg, Fd meminfo, Fd stat)
    : loadavg_(std::move(loadavg)), meminfo_(std::move(meminfo)), stat_(std::move(stat)) {}

Result<MachineLoad> MachineLoad::open() {
  Fd loadavg = TRY(open_file("/proc/loadavg"));
  Fd meminfo = TRY(open_file("/proc/meminfo"));
  Fd stat = TRY(open_file("/proc/stat"));
  return MachineLoad(std::move(loadavg), std::move(meminfo), std::move(stat));
}

MachineSample MachineLoad::read(Instant now) const {
  std::array<char, 2048> loadavg{};
  std::array<char, 2048> meminfo{};
  std::array<char, 2048> stat{};
  MachineSample sample = parse_machine(read_into(loadavg_, loadavg), read_into(meminfo_, meminfo),
                                       read_into(stat_, stat), sysconf(_SC_CLK_TCK));
  sample.at = now;
  return sample;
}

}  // namespace tepui
