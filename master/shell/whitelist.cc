#include "master/shell/whitelist.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/io/files.h"

namespace tepui {

namespace {
constexpr Duration kReadAgain = std::chrono::seconds(5);
// A hundred thousand long names fit.
constexpr size_t kBytesMax = 32 << 20;
}  // namespace

Hostnames parse_whitelist(std::string_view text) {
  Hostnames hostnames;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    constexpr std::string_view kBlank = " \t\r";
    const size_t begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) continue;
    hostnames.emplace(line.substr(begin, line.find_last_not_of(kBlank) - begin + 1));
  }
  return hostnames;
}

Result<std::optional<Hostnames>> Whitelist::read(Instant now) {
  due_ = later(now, kReadAgain);
  Result<std::string> text = read_file(path_, kBytesMax);
  if (!text) {
    if (std::exchange(failed_, true)) return std::optional<Hostnames>();
    return std::unexpected(std::move(text).error().in("agent whitelist"));
  }
  failed_ = false;
  Hostnames hostnames = parse_whitelist(*text);
  if (hostnames == known_) return std::optional<Hostnames>();
  known_ = hostnames;
  return std::optional(std::move(hostnames));
}

}  // namespace tepui
