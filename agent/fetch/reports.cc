#include "agent/fetch/reports.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/io/clock.h"

namespace tepui {

namespace {

constexpr Duration kInterval = std::chrono::seconds(1);

void say(const FetchReport& report) {
  const std::string bytes = encode(report);
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t count = write(STDOUT_FILENO, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) _exit(1);
    rest.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

void Reports::progress(uint64_t bytes, uint64_t total) {
  const Instant at = now().mono;
  if (at < next_) return;
  next_ = later(at, kInterval);
  say(FetchProgress{.bytes = bytes, .total = total});
}

void Reports::answer(FetchAnswer answer) { say(std::move(answer)); }

}  // namespace tepui
