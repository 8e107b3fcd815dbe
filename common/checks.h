#pragma once
// Checks look at a running task again and again: by a command beside it, an HTTP GET or a tcp
// connection to a port of its machine.
//
// A check only reports what it saw. A health check judges it, and a task that is unhealthy too
// often in a row is killed. Numbers are those of Apache Mesos' v1 API. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/commands.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

struct CheckInfo {
  enum class Type : uint8_t { kCommand = 1, kHttp = 2, kTcp = 3 };
  Type type = Type::kCommand;
  CommandInfo command;                           // kCommand
  uint32_t port = 0;                             // kHttp, kTcp: on the task's loopback
  std::string path;                              // kHttp; empty: "/"
  Duration delay = std::chrono::seconds(15);     // from RUNNING to the first
  Duration interval = std::chrono::seconds(10);  // from the end of one to the next
  Duration timeout = std::chrono::seconds(20);   // zero: none
  bool operator==(const CheckInfo&) const = default;
};
inline constexpr int kCheckTypeCount = 4;  // 0 is none

struct HealthCheckInfo {
  CheckInfo check;
  // Failures in this time from RUNNING on do not count, until the first success.
  Duration grace_period = std::chrono::seconds(10);
  uint32_t consecutive_failures = 3;  // so many kill the task; at least 1
  bool operator==(const HealthCheckInfo&) const = default;
};

// What a check saw last. `value` is the exit status of a command, the status code of HTTP, and 1 or
// 0 for tcp: connected or not; absent: nothing yet, or the last attempt did not come to an end.
struct CheckStatus {
  CheckInfo::Type type = CheckInfo::Type::kCommand;
  std::optional<int32_t> value;
  bool operator==(const CheckStatus&) const = default;
};

// "command", "http", "tcp".
std::string_view to_text(CheckInfo::Type type);

// The errors begin with "check" and "health check".
Result<void> validate(const CheckInfo& check);
Result<void> validate(const HealthCheckInfo& check);

}  // namespace tepui
