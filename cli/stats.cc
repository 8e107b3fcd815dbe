// stats: one task in full.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "agent/sample_fields.h"
#include "cli/agent_usage.h"
#include "cli/operate.h"
#include "cli/output.h"
#include "cli/text_values.h"
#include "common/io/clock.h"

namespace tepui::cli {

namespace {

// All that an agent keeps, and more.
constexpr size_t kHistory = 1000;

// Values of a history, one for each pair of neighbours.
struct History {
  std::vector<double> cpus;
  std::vector<double> io;
  std::vector<double> net;
  std::vector<double> memory;
  std::vector<double> run_queue_p99;
  double secs = 0;  // from the first sample to the last
};

History history_of(const UsageRow& row) {
  History history;
  for (size_t i = 0; i < row.samples.size(); ++i) {
    const Sample& sample = row.samples[i];
    if (sample.memory_bytes.known()) {
      history.memory.push_back(static_cast<double>(sample.memory_bytes.value()));
    }
    if (sample.run_queue_p99_ns.known()) {
      history.run_queue_p99.push_back(static_cast<double>(sample.run_queue_p99_ns.value()));
    }
    if (i == 0) continue;
    const Rates rates =
        rates_between({row.container_id, row.samples[i - 1]}, {row.container_id, sample});
    if (rates.cpus) history.cpus.push_back(*rates.cpus);
    if (rates.io_read_bytes && rates.io_written_bytes) {
      history.io.push_back(*rates.io_read_bytes + *rates.io_written_bytes);
    }
    if (rates.net_received_bytes && rates.net_sent_bytes) {
      history.net.push_back(*rates.net_received_bytes + *rates.net_sent_bytes);
    }
  }
  if (!row.samples.empty()) history.secs = to_secs(row.samples.back().at - row.samples.front().at);
  return history;
}

std::optional<double> largest(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(*std::ranges::max_element(values));
}

std::string counted(const Measured& count) {
  return count.known() ? fmt::format("{}", count.value()) : "-";
}

std::optional<double> as_number(const Measured& count) {
  return count.known() ? std::optional(static_cast<double>(count.value())) : std::nullopt;
}

void print_text(const UsageRow& row) {
  constexpr size_t kColumns = 32;
  const History history = history_of(row);
  const Rates& rates = row.rates;
  const Sample sample = row.latest() == nullptr ? Sample{} : *row.latest();
  TextTable facts({"FACT", "NOW", "PEAK", "HISTORY"});
  const auto add = [&facts](std::string fact, std::string now, std::string peak = "",
                            std::string line = "") {
    facts.add({std::move(fact), std::move(now), std::move(peak), std::move(line)});
  };
  const double age = row.measured_at ? to_secs(now().wall - *row.measured_at) : 0;
  add("task", row.name());
  add("framework", fmt::format("{} ({})", row.framework, row.framework_id));
  add("role", row.role + (row.revocable ? ", revocable" : ""));
  add("agent", fmt::format("{} ({})", row.agent.hostname, row.agent.id));
  add("container", row.container_id.value);
  add("sampled", row.latest() == nullptr ? "never" : fmt::format("{:.1f}s ago", age), "",
      fmt::format("{} samples over {:.0f}s", row.samples.size(), history.secs));
  add("cpu %", percent_text(rates.cpus), percent_text(largest(history.cpus)),
      sparkline(history.cpus, kColumns));
  add("cpu requested, limit %",
      fmt::format("{}, {}", percent_text(row.cpus_request), percent_text(row.cpus_limit)));
  add("throttled %", percent_text(rates.throttled), "",
      fmt::format("{} of {} periods", counted(sample.cpu_throttled_periods),
                  counted(sample.cpu_periods)));
  add("run queue p50, p99",
      fmt::format("{}, {}", micros_text(as_number(sample.run_queue_p50_ns)),
                  micros_text(as_number(sample.run_queue_p99_ns))),
      micros_text(largest(history.run_queue_p99)), sparkline(history.run_queue_p99, kColumns));
  add("memory", bytes_text(as_number(sample.memory_bytes)),
      bytes_text(as_number(sample.memory_peak_bytes)), sparkline(history.memory, kColumns));
  add("memory limit", bytes_text(row.mem_limit_bytes));
  add("oom kills", counted(sample.oom_kills));
  add("pressure cpu, mem, io %",
      fmt::format("{}, {}, {}", percent_text(rates.cpu_pressure),
                  percent_text(rates.memory_pressure), percent_text(rates.io_pressure)),
      "", "of the last seconds: the kernel adds it up every 2 s");
  add("io read, written /s",
      fmt::format("{}, {}", bytes_text(rates.io_read_bytes), bytes_text(rates.io_written_bytes)),
      bytes_text(largest(history.io)), sparkline(history.io, kColumns));
  add("block p50, p99", fmt::format("{}, {}", micros_text(as_number(sample.block_p50_ns)),
                                    micros_text(as_number(sample.block_p99_ns))));
  add("net received, sent /s",
      fmt::format("{}, {}", bytes_text(rates.net_received_bytes), bytes_text(rates.net_sent_bytes)),
      bytes_text(largest(history.net)), sparkline(history.net, kColumns));
  add("retransmissions", counted(sample.net_retransmissions));
  std::fputs(facts.to_text(isatty(STDOUT_FILENO) != 0).c_str(), stdout);
}

Document json_in_full(const UsageRow& row) {
  Document::Table table = *json_of(row).table();
  Document::List samples;
  for (const Sample& sample : row.samples) {
    Document::Table counts{{"at_ns", to_ns(sample.at)}};
    for (const SampleField& field : kSampleFields) {
      const Measured& count = sample.*field.member;
      if (count.known()) counts.emplace_back(std::string(field.name), count.value());
    }
    samples.push_back(std::move(counts));
  }
  const History history = history_of(row);
  const auto peak = [&table](const char* name, const std::vector<double>& values, double factor) {
    const auto value = largest(values);
    table.emplace_back(name, value ? Document(*value * factor) : Document());
  };
  peak("cpu_percent_peak", history.cpus, 100);
  peak("run_queue_p99_us_peak", history.run_queue_p99, 1e-3);
  peak("memory_bytes_peak", history.memory, 1);
  table.emplace_back(
      "age_secs", row.measured_at ? Document(to_secs(now().wall - *row.measured_at)) : Document());
  table.emplace_back("samples", std::move(samples));
  return table;
}

struct Answer final : AgentUsageOwner {
  std::optional<ClusterUsage> usage;
  void on_usage(ClusterUsage answer) override { usage = std::move(answer); }
};

}  // namespace

Outcome<int> stats(const Settings& settings) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto task = find_task(**client, settings);
  if (!task) return std::unexpected(task.error());
  auto reactor = Reactor::create();
  if (!reactor) return std::unexpected(Failure{kUsage, reactor.error().message});
  Answer answer;
  AgentUsage agents(**reactor, answer);
  if (auto found = agents.find_agents(common, task->agent_id.value); !found) {
    return std::unexpected(found.error());
  }
  agents.ask(
      fmt::format("/containers?history={}&framework={}&task={}", kHistory,
                  percent_encoded(task->framework_id.value), percent_encoded(task->id.value)),
      common.timeout);
  while (!answer.usage) (*reactor)->run_once(kNever);
  if (!answer.usage->silent.empty()) {
    const SilentAgent& silent = answer.usage->silent.front();
    return std::unexpected(Failure{
        kNoMaster, fmt::format("agent {} says nothing: {}", silent.agent.hostname, silent.why)});
  }
  if (answer.usage->rows.empty()) {
    return std::unexpected(
        Failure{kNotFound, fmt::format("task '{}' has no container any more: it is {}",
                                       task->id.value, to_text(task->state))});
  }
  const UsageRow& row = answer.usage->rows.front();
  if (common.json) {
    std::printf("%s\n", to_json(json_in_full(row), -1).c_str());
  } else {
    print_text(row);
  }
  return kDone;
}

}  // namespace tepui::cli
