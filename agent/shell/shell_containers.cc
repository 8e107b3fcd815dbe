// The part of AgentShell that has to do with containers, and what is measured of them.

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "agent/shell/shell.h"
#include "common/text.h"

namespace tepui {

Result<void> AgentShell::open_containers() {
  std::set<std::string> known;
  for (const ContainerId& id : containers_to_adopt(recovered_, recovery_)) known.insert(id.value);
  if (has(ground_.confinement.isolators, Isolator::kUserNamespace)) {
    ids_ = TRY(IdRanges::create(config_.ground.work_dir + "/ids", config_.ground.ids, known));
  }
  containers_ = TRY(Containers::create(*reactor_,
                                       {.work_dir = config_.ground.work_dir,
                                        .runtime_dir = config_.ground.runtime_dir,
                                        .shim = config_.shim,
                                        .cgroups = ground_.cgroups.get(),
                                        .output = config_.output,
                                        .ids = ids_.get(),
                                        .disk_quota = ground_.disk_quota.get(),
                                        .disk_images = ground_.disk_images.get()},
                                       *this));
  unknown_ended_ = TRY(containers_->end_unknown(known));
  FetcherOptions fetcher = config_.fetcher;
  ImageStoreOptions images = config_.images;
  fetcher.cgroup = images.cgroup = ground_.cgroups != nullptr ? ground_.cgroups->shims() : -1;
  ProvisionerOwner& provisioned = *this;
  provisioner_ = TRY(Provisioner::create(*reactor_,
                                         {.work_dir = config_.ground.work_dir,
                                          .disk_quota = ground_.disk_quota.get(),
                                          .disk_images = ground_.disk_images.get(),
                                          .ids = ids_.get(),
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
  if (spec.refusal.empty() && provisioner_->needs(spec)) {
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
  if (oversight_ != nullptr) oversight_->on_gone(id);
  // What was provided for a launch that never came. If it comes after all, that is done first.
  provisioner_->release(id);
  agent_->on_absent(reactor_->now(), id);
}

void AgentShell::on_exit(const ContainerId& id, const ExitRecord& record) {
  agent_->on_exit(reactor_->now(), id, record);
}

void AgentShell::on_destroyed(const ContainerId& id) {
  measuring_->forget(id);
  provisioner_->release(id);
  if (recording_ != nullptr) recording_->on_gone(id);
  if (oversight_ != nullptr) oversight_->on_gone(id);
  agent_->on_destroyed(reactor_->now(), id);
}

void AgentShell::on_resize_failed(const ContainerId& id, const Error& error) {
  log_.write({.severity = Severity::kWarning,
              .name = "container.not_resized",
              .fields = {{"container", id.value}, {"error", error.message}}});
  agent_->on_resize_failed(reactor_->now(), id, error);
}

}  // namespace tepui
