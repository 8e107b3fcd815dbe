#include "tests/sim/disks.h"

#include <fmt/format.h>

#include <algorithm>

namespace tepui::sim {

void SimDisks::violated(const std::string& what) {
  world_.violated("volumes", fmt::format("agent {}: {}", node_, what));
}

void SimDisks::write(const AgentCheckpoint& checkpoint) {
  for (const VolumePlace& place : checkpoint.make) {
    if (!made_.insert(place).second) violated(place.directory + " is made twice");
  }
  for (const VolumePlace& place : checkpoint.destroy) {
    if (made_.erase(place) == 0) violated(place.directory + " is destroyed, and was never made");
    for (const auto& [id, spec] : running_) {
      const bool uses = std::ranges::any_of(
          spec.volumes, [&place](const VolumeMount& mount) { return mount.place == place; });
      if (!uses) continue;
      // What a removed framework leaves behind may still be dying.
      if (fates_.is_living(spec.framework_id)) {
        violated(fmt::format("{} is destroyed under task {}", place.directory, spec.task_id.value));
      }
      world_.reached("volume.destroyed_under_the_dying");
    }
  }
  durable_ = checkpoint;
  confirming_ = true;
}

void SimDisks::on_confirmed() {
  confirming_ = false;
  check_confirmed(durable_->total);
}

void SimDisks::on_started(const Resources& total) {
  running_.clear();
  check_confirmed(total);
}

void SimDisks::on_operation(const Operation& operation, const OperationStatus& status) {
  if (status.state != OperationState::kFinished) return;
  world_.reached("operation.finished");
  if (!confirming_) {
    violated(fmt::format("{} is confirmed before it is durable", to_text(operation.type)));
  }
  const auto is_one = [](const Resource& item) { return is_volume(item); };
  const Conversion conversion = *convert(operation);
  confirmed_ -= conversion.from.filter(is_one);
  confirmed_ += conversion.to.filter(is_one);
}

void SimDisks::check_confirmed(const Resources& total) {
  const Resources volumes = total.filter([](const Resource& item) { return is_volume(item); });
  if (volumes == confirmed_) return;
  violated(fmt::format("{} were confirmed, and it has {}", to_text(confirmed_), to_text(total)));
}

bool SimDisks::is_shared(const VolumePlace& place) const {
  return durable_ && std::ranges::any_of(durable_->total.items(), [&place](const Resource& item) {
           return is_volume(item) && item.kind->shared &&
                  volume_place(*item.kind, place.base) == place;
         });
}

void SimDisks::on_launch(const LaunchSpec& spec) {
  if (!spec.volumes.empty()) world_.reached("volume.used");
  for (const VolumeMount& mount : spec.volumes) {
    if (!made_.contains(mount.place)) {
      violated(fmt::format("a task uses {}, which is not there", mount.place.directory));
    }
    for (const auto& [id, other] : running_) {
      const auto is_it = [&mount](const VolumeMount& used) { return used.place == mount.place; };
      if (std::ranges::none_of(other.volumes, is_it)) continue;
      if (!is_shared(mount.place)) {
        violated(fmt::format("tasks {} and {} use {} at once", other.task_id.value,
                             spec.task_id.value, mount.place.directory));
      }
      world_.reached(other.framework_id == spec.framework_id ? "volume.shared"
                                                             : "volume.shared_by_frameworks");
    }
  }
  running_[spec.id] = spec;
}

void SimDisks::on_ended(const ContainerId& id) { running_.erase(id); }

}  // namespace tepui::sim
