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
      // What a removed framework leaves behind may still be dying.
      if (uses) world_.reached("volume.destroyed_under_the_dying");
    }
  }
  durable_ = checkpoint;
}

void SimDisks::on_started(const Resources& total) { check_confirmed(total); }

void SimDisks::on_operation(const Operation& operation, const OperationStatus& status) {
  if (status.state != OperationState::kFinished) return;
  world_.reached("operation.finished");
  const auto is_one = [](const Resource& item) { return is_volume(item); };
  const Conversion conversion = *convert(operation);
  const Resources made = conversion.to.filter(is_one);
  confirmed_ -= conversion.from.filter(is_one);
  confirmed_ += made;
  if (!durable_ || !durable_->total.contains(made)) {
    violated(fmt::format("{} are confirmed before they are durable", to_text(made)));
  }
}

void SimDisks::check_confirmed(const Resources& total) {
  if (total.contains(confirmed_)) return;
  violated(fmt::format("{} were confirmed, and it has {}", to_text(confirmed_), to_text(total)));
}

void SimDisks::on_launch(const LaunchSpec& spec) {
  if (!spec.volumes.empty()) world_.reached("volume.used");
  for (const VolumeMount& mount : spec.volumes) {
    if (!made_.contains(mount.place)) {
      violated(fmt::format("a task uses {}, which is not there", mount.place.directory));
    }
  }
  running_[spec.id] = spec;
}

void SimDisks::on_ended(const ContainerId& id) { running_.erase(id); }

}  // namespace tepui::sim
