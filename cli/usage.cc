#include "cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "agent/sample_fields.h"
#include "cli/text_values.h"

namespace tepui::cli {

namespace {

struct KeyName {
  UsageKey key;
  std::string_view name;
};
constexpr std::array kKeyNames = std::to_array<KeyName>({{UsageKey::kCpu, "cpu"},
                                                         {UsageKey::kThrottled, "throttled"},
                                                         {UsageKey::kRunQueue, "runqueue"},
                                                         {UsageKey::kCpi, "cpi"},
                                                         {UsageKey::kMemory, "mem"},
                                                         {UsageKey::kPressure, "pressure"},
                                                         {UsageKey::kIo, "io"},
                                                         {UsageKey::kNetwork, "net"},
                                                         {UsageKey::kName, "name"}});

std::string text_at(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  return found != nullptr && found->text() != nullptr ? *found->text() : "";
}

std::optional<double> number_at(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  if (found == nullptr) return std::nullopt;
  if (const auto* whole = std::get_if<int64_t>(&found->value())) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&found->value())) return *real;
  return std::nullopt;
}

std::optional<int64_t> count_at(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  const auto* whole = found == nullptr ? nullptr : std::get_if<int64_t>(&found->value());
  return whole == nullptr ? std::nullopt : std::optional(*whole);
}

const Document::List& list_at(const Document& document, std::string_view key) {
  static const Document::List kNone;
  const Document* found = document.find(key);
  return found != nullptr && found->list() != nullptr ? *found->list() : kNone;
}

void read_tasks(const Document& container, UsageRow& row) {
  for (const Document& task : list_at(container, "tasks")) {
    row.tasks.push_back(text_at(task, "id"));
    if (row.role.empty()) row.role = text_at(task, "role");
    if (const Document* requests = task.find("requests")) {
      row.cpus_request += number_at(*requests, "cpus").value_or(0);
      row.mem_request_mb += number_at(*requests, "mem").value_or(0);
    }
    const Document* revocable = task.find("revocable");
    if (revocable != nullptr && number_at(*revocable, "cpus")) row.revocable = true;
    const Document* limits = task.find("limits");
    if (limits != nullptr && number_at(*limits, "cpus")) {
      row.cpus_limit = row.cpus_limit.value_or(0) + *number_at(*limits, "cpus");
    }
  }
}

Result<UsageRow> read_row(const Document& container, const AgentPlace& agent) {
  UsageRow row{.agent = agent,
               .container_id = {text_at(container, "container_id")},
               .framework_id = text_at(container, "framework_id"),
               .framework = text_at(container, "framework_name"),
               .executor_id = text_at(container, "executor_id"),
               .role = {},
               .tasks = {},
               .samples = {}};
  if (row.container_id.empty()) return fail("a container has no container_id");
  read_tasks(container, row);
  if (const Document* statistics = container.find("statistics")) {
    row.mem_limit_bytes = number_at(*statistics, "mem_limit_bytes");
  }
  for (const Document& item : list_at(container, "samples")) {
    const auto at = count_at(item, "at_ns");
    const auto wall = count_at(item, "timestamp_ns");
    if (!at || !wall) return fail("a sample has no at_ns and timestamp_ns");
    Sample& sample = row.samples.emplace_back();
    sample.at = Instant(Duration(*at));
    for (const SampleField& field : kSampleFields) {
      if (const auto count = count_at(item, field.name)) sample.*field.member = *count;
    }
    row.measured_at = WallTime(Duration(*wall));
  }
  if (const size_t count = row.samples.size(); count >= 2) {
    row.rates = rates_between({row.container_id, row.samples[count - 2]},
                              {row.container_id, row.samples[count - 1]});
  }
  return row;
}

std::optional<double> known(const Measured& count) {
  return count.known() ? std::optional(static_cast<double>(count.value())) : std::nullopt;
}

std::optional<double> known(const UsageRow& row, Measured Sample::* count) {
  return row.latest() == nullptr ? std::nullopt : known(row.latest()->*count);
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  if (!a && !b) return std::nullopt;
  return a.value_or(0) + b.value_or(0);
}

std::optional<double> io_of(const UsageRow& row) {
  return sum(row.rates.io_read_bytes, row.rates.io_written_bytes);
}

std::optional<double> value_of(const UsageRow& row, UsageKey key) {
  const Rates& rates = row.rates;
  switch (key) {
    case UsageKey::kCpu:
      return rates.cpus;
    case UsageKey::kThrottled:
      return rates.throttled;
    case UsageKey::kRunQueue:
      return known(row, &Sample::run_queue_p99_ns);
    case UsageKey::kCpi:
      return rates.cycles_per_instruction;
    case UsageKey::kMemory:
      return known(row, &Sample::memory_bytes);
    case UsageKey::kPressure:
      return std::max({rates.cpu_pressure, rates.memory_pressure, rates.io_pressure});
    case UsageKey::kIo:
      return io_of(row);
    case UsageKey::kNetwork:
      return sum(rates.net_received_bytes, rates.net_sent_bytes);
    case UsageKey::kName:
      return std::nullopt;
  }
  return std::nullopt;
}

struct Column {
  std::string_view heading;
  std::optional<UsageKey> key;
  bool left = false;
};
constexpr std::array kColumns = std::to_array<Column>({{"TASK", UsageKey::kName, true},
                                                       {"FRAMEWORK", {}, true},
                                                       {"AGENT", {}, true},
                                                       {"CPU%", UsageKey::kCpu},
                                                       {"THR%", UsageKey::kThrottled},
                                                       {"RQ99", UsageKey::kRunQueue},
                                                       {"CPI", UsageKey::kCpi},
                                                       {"MEM", UsageKey::kMemory},
                                                       {"LIMIT", {}},
                                                       {"PSI-C", UsageKey::kPressure},
                                                       {"PSI-M", {}},
                                                       {"PSI-IO", {}},
                                                       {"IO/s", UsageKey::kIo},
                                                       {"RX/s", UsageKey::kNetwork},
                                                       {"TX/s", {}}});
using Cells = std::array<std::string, kColumns.size()>;
// A name may take so many columns of its own.
constexpr size_t kNameColumns = 32;

std::string cut_name(std::string text) {
  // What others wrote must not move the cursor of this terminal.
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  if (text.size() > kNameColumns) text = text.substr(0, kNameColumns - 3) + "...";
  return text.empty() ? "-" : text;
}

Cells cells_of(const UsageRow& row) {
  const Rates& rates = row.rates;
  return {cut_name(row.name()),
          cut_name(row.framework),
          cut_name(row.agent.hostname),
          percent_text(rates.cpus),
          percent_text(rates.throttled),
          micros_text(known(row, &Sample::run_queue_p99_ns)),
          rates.cycles_per_instruction ? fmt::format("{:.2f}", *rates.cycles_per_instruction) : "-",
          bytes_text(known(row, &Sample::memory_bytes)),
          bytes_text(row.mem_limit_bytes),
          percent_text(rates.cpu_pressure),
          percent_text(rates.memory_pressure),
          percent_text(rates.io_pressure),
          bytes_text(io_of(row)),
          bytes_text(rates.net_received_bytes),
          bytes_text(rates.net_sent_bytes)};
}

}  // namespace

std::string UsageRow::name() const {
  if (tasks.size() == 1) return tasks.front();
  if (tasks.empty()) return executor_id;
  return fmt::format("{} ({} tasks)", executor_id, tasks.size());
}

Result<std::vector<UsageRow>> read_usage(std::string_view json, const AgentPlace& agent) {
  const Document document = TRY(parse_json(json, "the answer"));
  if (document.list() == nullptr) return fail("the answer is no list of containers");
  std::vector<UsageRow> rows;
  for (const Document& container : *document.list()) {
    rows.push_back(TRY(read_row(container, agent)));
  }
  return rows;
}

std::optional<UsageKey> parse_usage_key(std::string_view text) {
  for (const KeyName& one : kKeyNames) {
    if (one.name == text) return one.key;
  }
  return std::nullopt;
}

std::string_view to_text(UsageKey key) {
  return std::ranges::find(kKeyNames, key, &KeyName::key)->name;
}

std::string usage_key_names() {
  std::string names;
  for (const KeyName& one : kKeyNames) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
  }
  return names;
}

bool matches(const UsageRow& row, const UsageFilter& filter) {
  if (!filter.framework.empty() && filter.framework != row.framework &&
      filter.framework != row.framework_id) {
    return false;
  }
  if (!filter.role.empty() && row.role != filter.role && !row.role.starts_with(filter.role + "/")) {
    return false;
  }
  if (filter.text.empty()) return true;
  const auto has = [&filter](const std::string& name) {
    return name.find(filter.text) != std::string::npos;
  };
  return has(row.framework) || has(row.executor_id) || has(row.agent.hostname) || has(row.role) ||
         std::ranges::any_of(row.tasks, has);
}

void sort_usage(std::vector<UsageRow>& rows, UsageKey key) {
  std::ranges::sort(rows, [key](const UsageRow& a, const UsageRow& b) {
    // An unknown value is less than any.
    const auto of_a = value_of(a, key);
    const auto of_b = value_of(b, key);
    if (of_a != of_b) return of_a > of_b;
    return std::tuple(a.name(), a.container_id) < std::tuple(b.name(), b.container_id);
  });
}

std::vector<std::string> usage_lines(const std::vector<UsageRow>& rows, UsageKey key,
                                     size_t columns) {
  std::vector<Cells> table(1);
  for (size_t c = 0; c < kColumns.size(); ++c) {
    table[0][c] = kColumns[c].heading;
    if (kColumns[c].key == key) table[0][c] += kColumns[c].left ? "" : "*";
  }
  for (const UsageRow& row : rows) table.push_back(cells_of(row));
  std::array<size_t, kColumns.size()> widths{};
  for (const Cells& cells : table) {
    for (size_t c = 0; c < cells.size(); ++c) widths[c] = std::max(widths[c], cells[c].size());
  }
  std::vector<std::string> lines;
  for (const Cells& cells : table) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) line += "  ";
      line += kColumns[c].left ? fmt::format("{:<{}}", cells[c], widths[c])
                               : fmt::format("{:>{}}", cells[c], widths[c]);
    }
    if (columns > 0 && line.size() > columns) line.resize(columns);
    lines.push_back(std::move(line));
  }
  return lines;
}

Document json_of(const UsageRow& row) {
  Document::List tasks;
  for (const std::string& task : row.tasks) tasks.push_back(task);
  Document::Table table{{"container_id", row.container_id.value},
                        {"tasks", std::move(tasks)},
                        {"framework_id", row.framework_id},
                        {"framework", row.framework},
                        {"executor_id", row.executor_id},
                        {"role", row.role},
                        {"agent_id", row.agent.id},
                        {"hostname", row.agent.hostname},
                        {"revocable", row.revocable},
                        {"cpus_request", row.cpus_request},
                        {"mem_request_mb", row.mem_request_mb}};
  // What is not known is null.
  const auto add = [&table](const char* name, std::optional<double> value, double factor) {
    table.emplace_back(name, value ? Document(*value * factor) : Document());
  };
  const Rates& rates = row.rates;
  add("cpus_limit", row.cpus_limit, 1);
  add("cpu_percent", rates.cpus, 100);
  add("throttled_percent", rates.throttled, 100);
  add("run_queue_p99_us", known(row, &Sample::run_queue_p99_ns), 1e-3);
  add("cycles_per_instruction", rates.cycles_per_instruction, 1);
  add("memory_bytes", known(row, &Sample::memory_bytes), 1);
  add("memory_limit_bytes", row.mem_limit_bytes, 1);
  add("cpu_pressure_percent", rates.cpu_pressure, 100);
  add("memory_pressure_percent", rates.memory_pressure, 100);
  add("io_pressure_percent", rates.io_pressure, 100);
  add("io_read_bytes_per_sec", rates.io_read_bytes, 1);
  add("io_written_bytes_per_sec", rates.io_written_bytes, 1);
  add("net_received_bytes_per_sec", rates.net_received_bytes, 1);
  add("net_sent_bytes_per_sec", rates.net_sent_bytes, 1);
  add("switches_per_sec", rates.switches, 1);
  add("page_faults_per_sec", rates.page_faults, 1);
  table.emplace_back("measured_at_ns",
                     row.measured_at ? Document(to_ns(*row.measured_at)) : Document());
  return table;
}

}  // namespace tepui::cli
