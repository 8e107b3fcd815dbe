#include "tests/sim/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr int kSigterm = 15;
constexpr int kSigkill = 9;

bool one_in(Rng& rng, uint64_t n) { return n != 0 && rng.chance(1, n); }
}  // namespace

SimHost::Container* SimHost::find(const ContainerId& id, uint64_t serial) {
  const auto at = containers_.find(id);
  return at == containers_.end() || at->second.serial != serial ? nullptr : &at->second;
}

size_t SimHost::running() const {
  return static_cast<size_t>(std::ranges::count_if(
      containers_, [](const auto& entry) { return entry.second.phase == Phase::kRunning; }));
}

void SimHost::launch(const LaunchSpec& spec) {
  if (!used_.emplace(spec.id, true).second) {
    return world_.violated("container", fmt::format("container {} launched twice", spec.id.value));
  }
  const uint64_t serial = ++serials_;
  containers_[spec.id] = {.serial = serial,
                          .ignores_term = one_in(world_.rng(), faults_.host.ignores_term_one_in)};
  world_.after(world_.up_to(faults_.host.launch_max),
               [this, id = spec.id, serial] { finish_launch(id, serial); });
}

void SimHost::finish_launch(const ContainerId& id, uint64_t serial) {
  Container* container = find(id, serial);
  if (container == nullptr) return;
  if (one_in(world_.rng(), faults_.host.launch_fails_one_in)) {
    world_.reached("container.launch_failed");
    containers_.erase(id);
    if (listener_ != nullptr) {
      listener_->on_launch_failed(id, Error{.message = "no space left on device", .code = 28});
    }
    return;
  }
  container->phase = Phase::kRunning;
  world_.reached("container.started");
  if (listener_ != nullptr) listener_->on_launched(id, static_cast<int64_t>(serial));
  exit_after(world_.up_to(faults_.host.run_max), id, serial, draw_exit());
}

ExitRecord SimHost::draw_exit() {
  ExitRecord record;
  if (one_in(world_.rng(), faults_.host.shim_dies_one_in)) return record;
  record.exit_status = 0;
  if (one_in(world_.rng(), faults_.host.exit_fails_one_in)) {
    record.exit_status = static_cast<int32_t>(world_.rng().between(1, 255));
    record.stderr_tail = "it failed";
  }
  return record;
}

void SimHost::exit_after(Duration delay, const ContainerId& id, uint64_t serial,
                         ExitRecord record) {
  world_.after(delay, [this, id, serial, record = std::move(record)] {
    Container* container = find(id, serial);
    if (container == nullptr || container->phase != Phase::kRunning) return;
    if (container->stubborn && record.signal != kSigkill) return;
    container->phase = Phase::kExited;
    if (listener_ != nullptr) listener_->on_exit(id, record);
  });
}

void SimHost::signal(const ContainerId& id, int signal_number) {
  const auto at = containers_.find(id);
  if (at == containers_.end() || at->second.phase != Phase::kRunning) return;
  if (signal_number == kSigterm && at->second.ignores_term) {
    at->second.stubborn = true;
    return world_.reached("container.ignores_term");
  }
  exit_after(world_.up_to(20ms), id, at->second.serial,
             {.exit_status = {}, .signal = signal_number, .stderr_tail = {}});
}

void SimHost::kill(const ContainerId& id) {
  const auto at = containers_.find(id);
  if (at == containers_.end()) return;
  world_.reached("container.killed");
  if (at->second.phase == Phase::kLaunching) {
    return world_.violated("container",
                           fmt::format("container {} is killed before it runs", id.value));
  }
  exit_after(world_.up_to(2ms), id, at->second.serial,
             {.exit_status = {}, .signal = kSigkill, .stderr_tail = {}});
}

void SimHost::destroy(const ContainerId& id) {
  const auto at = containers_.find(id);
  if (at == containers_.end() || at->second.destroying) {
    return world_.violated(
        "container",
        fmt::format("container {} destroyed, but it is {}", id.value,
                    at == containers_.end() ? "not there" : "being destroyed already"));
  }
  at->second.destroying = true;
  if (at->second.phase != Phase::kExited) kill(id);
  world_.after(world_.up_to(20ms),
               [this, id, serial = at->second.serial] { finish_destroy(id, serial); });
}

void SimHost::finish_destroy(const ContainerId& id, uint64_t serial) {
  const Container* container = find(id, serial);
  if (container == nullptr) return;
  if (container->phase != Phase::kExited) {
    world_.after(5ms, [this, id, serial] { finish_destroy(id, serial); });
    return;
  }
  containers_.erase(id);
  if (listener_ != nullptr) listener_->on_destroyed(id);
}

void SimHost::kill_all() {
  if (!containers_.empty()) world_.reached("host.left_by_an_earlier_life");
  containers_.clear();
}

}  // namespace tepui::sim
