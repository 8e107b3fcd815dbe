// What others read of an agent: its metrics, its containers over HTTP, and its recording.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/shell/shell.h"

namespace tepui {

namespace {

// Of GET /qos: what is written in a millisecond or so, by the loop itself.
constexpr size_t kDecisionsTold = 256;

}  // namespace

Result<void> AgentShell::open_reads() {
  // The bases are private, so the references are taken here.
  StatisticsOwner& written = *this;
  HttpServerOwner& asked = *this;
  ReleaseClient& given = *this;
  const RecordingOwner& described = *this;
  statistics_ = TRY(Statistics::create(*reactor_, written));
  http_ = std::make_unique<HttpServer>(*reactor_, asked);
  transport_->release_http_to(given);
  if (config_.measuring.mode != MeasuringOptions::Mode::kOff && ground_.cgroups != nullptr) {
    OversightOwner& obeying = *this;
    const std::vector<std::string>& controllers = ground_.cgroups->controllers();
    oversight_ = TRY(Oversight::create(
        *reactor_, log_,
        {.file = config_.qos_file,
         .cgroups = ground_.cgroups->path(),
         .has_memory = std::ranges::find(controllers, "memory") != controllers.end()},
        obeying));
    measuring_->pass_to(*oversight_);
  } else if (!config_.qos_file.empty()) {
    return fail(
        "--qos: nothing is measured here, so nothing could be decided; expected --sampling "
        "other than off, and cgroups");
  }
  if (config_.recording.directory.empty()) return {};
  recording_ = TRY(Recording::create(*reactor_, log_, config_.recording, described));
  measuring_->pass_to(*recording_);
  return {};
}

recorded::Agent AgentShell::recorded_agent() const {
  const AgentInfo& info = agent_->agent().info();
  return {.id = info.id,
          .hostname = info.hostname,
          .boot_id = ground_.boot_id,
          .interval = config_.measuring.interval,
          .total = info.resources};
}

std::optional<ContainerFacts> AgentShell::facts_of(const ContainerId& id) const {
  return agent_->agent().facts_of(id);
}

void AgentShell::on_link_released(LinkId link, Fd socket, std::vector<std::byte> received) {
  // Executors have nothing to read here.
  if (executors_.erase(link) > 0) return reactor_->close(std::move(socket));
  endpoints_->on_link_down(link);
  if (http_ != nullptr) http_->adopt(std::move(socket), received);
}

void AgentShell::on_get(uint64_t request, std::string_view target) {
  const auto refuse = [this, request](int status, std::string_view why) {
    http_->answer(request, status, to_json(Document::Table{{"error", std::string(why)}}, -1));
  };
  if (target == "/qos") {
    if (oversight_ == nullptr) return refuse(404, "nothing is measured here");
    return http_->answer(request, 200,
                         to_json(oversight_->document(kDecisionsTold), -1));
  }
  const Result<std::optional<StatisticsQuery>> query = parse_statistics_target(target);
  if (!query) return refuse(400, query.error().message);
  if (!query->has_value()) return refuse(404, "expected /containers, /monitor/statistics or /qos");
  std::vector<ContainerReading> containers;
  for (ContainerFacts& facts : agent_->agent().containers()) {
    if (!(*query)->wants(facts)) continue;
    ContainerReading& reading = containers.emplace_back();
    if (const SampleHistory* history = measuring_->find(facts.id)) {
      const size_t count = std::min(history->size(), (*query)->history);
      for (size_t i = history->size() - count; i < history->size(); ++i) {
        reading.samples.push_back(history->at(i));
      }
    }
    reading.facts = std::move(facts);
  }
  if (!statistics_->start(request, std::move(containers), reactor_->now())) {
    refuse(503, "too many reads are under way, ask again later");
  }
}

void AgentShell::on_statistics(uint64_t request, std::string json) {
  http_->answer(request, 200, std::move(json));
}

std::vector<MetricRow> AgentShell::metrics() const {
  std::vector<MetricRow> rows = metrics_.snapshot();
  const auto add = [&rows](std::string key, double value) {
    rows.push_back({.key = std::move(key), .value = value});
  };
  const auto count = [&add](std::string key, uint64_t value) {
    add(std::move(key), static_cast<double>(value));
  };
  const AgentTotals totals = agent_->agent().totals();
  add("slave/uptime_secs", to_secs(reactor_->now().mono - started_));
  count("slave/frameworks_active", totals.frameworks);
  count("slave/containers", totals.containers);
  count("slave/status_updates_pending", totals.updates_pending);
  Quantities used;
  for (const Task& task : agent_->agent().tasks()) {
    if (!is_terminal(task.state)) used.add(task.kind->resources.quantities());
  }
  for (const char* name : {"cpus", "mem", "disk", "gpus"}) {
    const auto total =
        static_cast<double>(agent_->agent().info().resources.total_milli(name)) / 1000;
    const auto taken = static_cast<double>(used.get(name)) / 1000;
    add(fmt::format("slave/{}_total", name), total);
    add(fmt::format("slave/{}_used", name), taken);
    add(fmt::format("slave/{}_percent", name), total > 0 ? taken / total : 0);
  }
  const TransportStats& links = transport_->stats();
  count("links/open", links.links_opened - links.links_ended);
  count("links/frames_received", links.frames_received);
  count("links/frames_sent", links.frames_sent);
  count("links/connects_failed", links.connects_failed);
  count("links/peers_foreign", links.peers_foreign);
  for (size_t i = 0; i < links.refused.size(); ++i) {
    count(fmt::format("links/frames_refused/{}", to_text(static_cast<FrameError>(i))),
          links.refused[i]);
  }
  const Fetcher::Counts fetches = provisioner_->fetches();
  count("containerizer/fetcher/task_fetches_succeeded", fetches.succeeded);
  count("containerizer/fetcher/task_fetches_failed", fetches.failed);
  count("containerizer/fetcher/cache_size_used_bytes", fetches.cached_bytes);
  count("containerizer/fetcher/cache_size_total_bytes", config_.fetcher.cache_bytes);
  measuring_->add_metrics(rows);
  if (recording_ != nullptr) recording_->add_metrics(rows);
  if (oversight_ != nullptr) oversight_->add_metrics(rows);
  std::ranges::sort(rows, {}, &MetricRow::key);
  return rows;
}

}  // namespace tepui
