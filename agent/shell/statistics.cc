#include "agent/shell/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "agent/sample_fields.h"
#include "common/check.h"

namespace tepui {

namespace {

// Each holds a copy of what it writes.
constexpr size_t kUnderWayMax = 4;
constexpr int64_t kBytesPerMb = 1 << 20;
constexpr double kNsPerSec = 1e9;

Result<std::string> percent_decoded(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || parsed.ptr != digits.data() + 2) {
      return fail(fmt::format("'{}' has a % without two digits", text));
    }
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

double in_units(int64_t milli) { return static_cast<double>(milli) / 1000; }

int64_t bytes_of_mem(int64_t milli) {
  return static_cast<int64_t>(static_cast<double>(milli) / 1000 * kBytesPerMb);
}

WallTime wall_of(Instant at, Now now) { return now.wall - (now.mono - at); }

// Under Mesos' names.
Document statistics_of(const ContainerReading& container, Now now) {
  const ContainerFacts& facts = container.facts;
  Document::Table table;
  const auto add = [&table](const char* name, Document value) {
    table.emplace_back(name, std::move(value));
  };
  const Resources requests = facts.resources();
  const int64_t cpus = facts.maximum_milli("cpus");
  const int64_t mem = facts.maximum_milli("mem");
  add("cpus_limit", in_units(cpus == kUnlimited ? requests.total_milli("cpus") : cpus));
  if (mem != kUnlimited) add("mem_limit_bytes", bytes_of_mem(mem));
  if (container.samples.empty()) return table;
  const Sample& sample = container.samples.back();
  const auto count = [&add](const char* name, const Measured& measured) {
    if (measured.known()) add(name, measured.value());
  };
  const auto seconds = [&add](const char* name, const Measured& measured) {
    if (measured.known()) add(name, static_cast<double>(measured.value()) / kNsPerSec);
  };
  add("timestamp", static_cast<double>(to_ns(wall_of(sample.at, now))) / kNsPerSec);
  seconds("cpus_user_time_secs", sample.cpu_user_ns);
  seconds("cpus_system_time_secs", sample.cpu_system_ns);
  count("cpus_nr_periods", sample.cpu_periods);
  count("cpus_nr_throttled", sample.cpu_throttled_periods);
  seconds("cpus_throttled_time_secs", sample.cpu_throttled_ns);
  count("mem_total_bytes", sample.memory_bytes);
  count("mem_swap_bytes", sample.swap_bytes);
  count("net_rx_bytes", sample.net_received_bytes);
  count("net_rx_packets", sample.net_received_packets);
  count("net_tx_bytes", sample.net_sent_bytes);
  count("net_tx_packets", sample.net_sent_packets);
  return table;
}

Document document_of(const Sample& sample, Now now) {
  Document::Table table;
  table.emplace_back("at_ns", to_ns(sample.at));
  table.emplace_back("timestamp_ns", to_ns(wall_of(sample.at, now)));
  for (const SampleField& field : kSampleFields) {
    const Measured& count = sample.*field.member;
    if (count.known()) table.emplace_back(std::string(field.name), count.value());
  }
  return table;
}

Document limit_of(int64_t milli) {
  return milli == kUnlimited ? Document("unlimited") : Document(in_units(milli));
}

Document document_of(const ContainerTask& task) {
  const Resources revocable = task.resources.revocable();
  Document::Table requests;
  Document::Table revoked;
  Document::Table limits;
  for (const char* name : {"cpus", "mem"}) {
    requests.emplace_back(name, in_units(task.resources.total_milli(name)));
    if (revocable.total_milli(name) > 0) {
      revoked.emplace_back(name, in_units(revocable.total_milli(name)));
    }
  }
  if (task.limits.cpus_milli) limits.emplace_back("cpus", limit_of(*task.limits.cpus_milli));
  if (task.limits.mem_milli) limits.emplace_back("mem", limit_of(*task.limits.mem_milli));
  return Document::Table{{"id", task.id.value},
                         {"name", task.name},
                         {"role", task.role},
                         {"requests", std::move(requests)},
                         {"revocable", std::move(revoked)},
                         {"limits", std::move(limits)}};
}

Document document_of(const ContainerReading& container, Now now) {
  const ContainerFacts& facts = container.facts;
  Document::List tasks;
  for (const ContainerTask& task : facts.tasks) tasks.push_back(document_of(task));
  Document::List samples;
  for (const Sample& sample : container.samples) samples.push_back(document_of(sample, now));
  return Document::Table{{"container_id", facts.id.value},
                         {"parent", facts.parent.value},
                         {"framework_id", facts.framework_id.value},
                         {"framework_name", facts.framework_name},
                         {"executor_id", facts.executor_id.value},
                         {"executor_name", facts.executor_name},
                         {"source", facts.executor_id.value},
                         {"statistics", statistics_of(container, now)},
                         {"tasks", std::move(tasks)},
                         {"samples", std::move(samples)}};
}

}  // namespace

bool StatisticsQuery::wants(const ContainerFacts& facts) const {
  if (!framework_id.empty() && framework_id != facts.framework_id) return false;
  return task_id.empty() ||
         std::ranges::find(facts.tasks, task_id, &ContainerTask::id) != facts.tasks.end();
}

Result<std::optional<StatisticsQuery>> parse_statistics_target(std::string_view target) {
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (path != "/containers" && path != "/monitor/statistics") return std::nullopt;
  StatisticsQuery query;
  std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const size_t equals = std::min(item.find('='), item.size());
    const std::string_view name = item.substr(0, equals);
    std::string value = TRY(percent_decoded(item.substr(std::min(equals + 1, item.size()))));
    if (name == "framework") {
      query.framework_id.value = std::move(value);
    } else if (name == "task") {
      query.task_id.value = std::move(value);
    } else if (name == "history") {
      const auto read = std::from_chars(value.data(), value.data() + value.size(), query.history);
      if (read.ec != std::errc() || read.ptr != value.data() + value.size()) {
        return fail(fmt::format("history is '{}', expected a number of samples", value));
      }
    } else {
      return fail(fmt::format("unknown '{}', expected history, framework or task", name));
    }
  }
  return query;
}

Document document_of(const std::vector<ContainerReading>& containers, Now now) {
  Document::List list;
  for (const ContainerReading& container : containers) list.push_back(document_of(container, now));
  return list;
}

class Statistics::Writing final : public Job {
 public:
  Writing(Statistics& statistics, uint64_t request, std::vector<ContainerReading> containers,
          Now now)
      : statistics_(statistics), request_(request), containers_(std::move(containers)), now_(now) {}

  void run() override { json_ = to_json(tepui::document_of(containers_, now_), -1); }
  void on_done() override {
    Statistics& statistics = statistics_;
    const uint64_t request = request_;
    std::string json = std::move(json_);
    std::erase_if(statistics.under_way_, [this](const auto& one) { return one.get() == this; });
    statistics.owner_.on_statistics(request, std::move(json));
  }

 private:
  Statistics& statistics_;
  const uint64_t request_;
  const std::vector<ContainerReading> containers_;
  const Now now_;
  std::string json_;
};

Result<std::unique_ptr<Statistics>> Statistics::create(Reactor& reactor, StatisticsOwner& owner) {
  std::unique_ptr<Statistics> made(new Statistics(owner));
  made->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = kUnderWayMax}));
  return made;
}

Statistics::Statistics(StatisticsOwner& owner) : owner_(owner) {}

Statistics::~Statistics() {
  worker_.reset();  // before what it works on
}

bool Statistics::start(uint64_t request, std::vector<ContainerReading> containers, Now now) {
  if (under_way_.size() >= kUnderWayMax) return false;
  under_way_.push_back(std::make_unique<Writing>(*this, request, std::move(containers), now));
  const bool submitted = worker_->submit(*under_way_.back());
  CHECK(submitted);
  return true;
}

}  // namespace tepui
