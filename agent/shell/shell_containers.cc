// The part of AgentShell that has to do with containers, and what is measured of them.

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "agent/shell/shell.h"
#include "common/text.h"

namespace tepui {

Result<void> AgentShell::open_containers() {
  containers_ = TRY(Containers::create(*reactor_,
                                       {.work_dir = config_.ground.work_dir,
                                        .runtime_dir = config_.ground.runtime_dir,
                                        .shim = config_.shim,
                                        .cgroups = ground_.cgroups.get(),
                                        .disk_quota = ground_.disk_quota.get(),
                                        .disk_images = ground_.disk_images.get()},
                                       *this));
  std::set<std::string> known;
  for (const ContainerId& id : containers_to_adopt(recovered_, recovery_)) known.insert(id.value);
  unknown_ended_ = TRY(containers_->end_unknown(known));
  FetcherOptions fetcher = config_.fetcher;
  ImageStoreOptions images = config_.images;
  fetcher.cgroup = images.cgroup = ground_.cgroups != nullptr ? ground_.cgroups->shims() : -1;
  ProvisionerOwner& provisioned = *this;
  provisioner_ = TRY(Provisioner::create(*reactor_,
                                         {.work_dir = config_.ground.work_dir,
                                          .disk_quota = ground_.disk_quota.get(),
                                          .disk_images = ground_.disk_images.get(),
                                          .fetcher = std::move(fetcher),
                                          .images = std::move(images),
                                          .containers = std::move(known)},
                                         provisioned));
  measuring_ =
      std::make_unique<Measuring>(*reactor_, log_, ground_.cgroups.get(), config_.measuring);
  return {};
}

void AgentShell::launch(const LaunchSpec& spec) {
  measuring_->expect(spec);
  // What is refused is not fetched first.
  if (spec.refusal.empty() && Provisioner::needs(spec)) {
    provisioner_->start(spec);
  } else {
    containers_->launch(spec);
  }
}

void AgentShell::on_provisioned(const LaunchSpec& spec) { containers_->launch(spec); }

void AgentShell::on_provision_failed(const ContainerId& id, const Error& error) {
  on_launch_failed(id, error);
}

void AgentShell::on_provision_progress(const ContainerId& id, uint64_t bytes) {
  log_.write({.severity = Severity::kInfo,
              .name = "container.fetching",
              .fields = {{"container", id.value}, {"bytes", fmt::format("{}", bytes)}}});
}

void AgentShell::on_launched(const ContainerId& id, int64_t pid) {
  measuring_->on_launched(id);
  agent_->on_launched(reactor_->now(), id, pid);
}

void AgentShell::on_launch_failed(const ContainerId& id, const Error& error) {
  measuring_->forget(id);
  provisioner_->release(id);
  agent_->on_launch_failed(reactor_->now(), id, error);
}

void AgentShell::on_absent(const ContainerId& id) {
  measuring_->forget(id);
  agent_->on_absent(reactor_->now(), id);
}

void AgentShell::on_exit(const ContainerId& id, const ExitRecord& record) {
  agent_->on_exit(reactor_->now(), id, record);
}

void AgentShell::on_destroyed(const ContainerId& id) {
  measuring_->forget(id);
  provisioner_->release(id);
  agent_->on_destroyed(reactor_->now(), id);
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
  std::ranges::sort(rows, {}, &MetricRow::key);
  return rows;
}

}  // namespace tepui
