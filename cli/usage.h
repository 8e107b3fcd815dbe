#pragma once
// Usage is what agents say of the containers that they measure: read from their JSON, made into
// rates, filtered, sorted, and laid out for a terminal.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/rates.h"
#include "agent/sample.h"
#include "common/ids.h"
#include "common/io/document.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui::cli {

struct AgentPlace {
  std::string id;
  std::string hostname;
  std::string address;
};

struct UsageRow {
  AgentPlace agent;
  ContainerId container_id;
  std::string framework_id;
  std::string framework;  // its name
  std::string executor_id;
  std::string role;  // of its first task
  std::vector<std::string> tasks;
  double cpus_request = 0;
  double mem_request_mb = 0;
  bool revocable = false;
  std::optional<double> cpus_limit;  // where one is set
  std::optional<double> mem_limit_bytes;
  std::vector<Sample> samples;          // the oldest first
  std::optional<WallTime> measured_at;  // the newest of them
  Rates rates;                          // between the newest two

  // The task, or the executor with the number of its tasks.
  std::string name() const;
  const Sample* latest() const { return samples.empty() ? nullptr : &samples.back(); }
};

// The rows of an agent's answer to GET /containers.
Result<std::vector<UsageRow>> read_usage(std::string_view json, const AgentPlace& agent);

enum class UsageKey : uint8_t {
  kCpu,
  kThrottled,
  kRunQueue,
  kCpi,
  kMemory,
  kPressure,
  kIo,
  kNetwork,
  kName
};
// "cpu", "mem"…; nothing for other words.
std::optional<UsageKey> parse_usage_key(std::string_view text);
std::string_view to_text(UsageKey key);
std::string usage_key_names();

struct UsageFilter {
  std::string framework;  // id or name; empty: all
  std::string role;       // with those below it
  std::string text;       // in any name
};
bool matches(const UsageRow& row, const UsageFilter& filter);
// The largest first, names the other way round; what is not known comes last.
void sort_usage(std::vector<UsageRow>& rows, UsageKey key);

// A heading and a line for each row, columns aligned, none wider than `columns` (0: any width).
std::vector<std::string> usage_lines(const std::vector<UsageRow>& rows, UsageKey key,
                                     size_t columns);
Document json_of(const UsageRow& row);

}  // namespace tepui::cli
