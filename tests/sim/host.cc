#include "tests/sim/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr int kSigterm = 15;
constexpr int kSigkill = 9;
// A download that stands still for so long has failed.
constexpr Duration kStallPatience = 60s;

bool one_in(Rng& rng, uint64_t n) { return n != 0 && rng.chance(1, n); }
}  // namespace

bool is_of_executor(const LaunchSpec& spec) {
  return std::ranges::any_of(spec.environment, [](const EnvironmentVariable& one) {
    return one.name == "TEPUI_AGENT_SOCKET";
  });
}

SimHost::Container* SimHost::find(const ContainerId& id, uint64_t serial) {
  const auto at = containers_.find(id);
  return at == containers_.end() || at->second.serial != serial ? nullptr : &at->second;
}

size_t SimHost::running() const {
  return static_cast<size_t>(std::ranges::count_if(
      containers_, [](const auto& entry) { return entry.second.phase == Phase::kRunning; }));
}

void SimHost::on_agent_died() {
  listener_ = nullptr;
  ++lives_;
  for (auto at = containers_.begin(); at != containers_.end();) {
    at->second.watched = false;
    at->second.told = {};
    // It may have died just before it cloned the shim.
    const bool never_began = faults_.launches.are_used ? at->second.phase == Phase::kPreparing
                                                       : at->second.phase == Phase::kLaunching &&
                                                             world_.rng().chance(1, 3);
    if (never_began) world_.reached("container.never_began");
    at = never_began ? containers_.erase(at) : std::next(at);
  }
}

void SimHost::reboot() {
  world_.reached("host.reboot");
  for (auto& [id, container] : containers_) settle_end(id, container);
  containers_.clear();
  ends_.clear();
}

void SimHost::launch(const LaunchSpec& spec) {
  if (containers_.contains(spec.id) || used_.contains(spec.id)) {
    return world_.violated("container", fmt::format("container {} launched twice", spec.id.value));
  }
  const uint64_t serial = ++serials_;
  containers_[spec.id] = {
      .serial = serial,
      .ignores_term = one_in(world_.rng(), faults_.host.ignores_term_one_in),
      .is_refused = !spec.refusal.empty(),
      .parent = spec.parent,
      .executor = is_of_executor(spec) ? std::make_shared<const LaunchSpec>(spec) : nullptr,
      .looks_at = spec.confinement.joins,
      .end = {}};
  if (faults_.launches.are_used) {
    Container& container = containers_[spec.id];
    container.phase = Phase::kPreparing;
    container.fails_at = draw_failure();
    const bool stalls = draws(faults_.launches.stalls_one_in);
    if (stalls) container.fails_at = Step::kFetch;
    if (stalls) world_.reached("launch.stalls");
    const Duration fetch = world_.up_to(faults_.launches.fetch_max);
    return do_later(stalls ? kStallPatience : fetch, spec.id, serial, Step::kFetch);
  }
  world_.after(world_.up_to(faults_.host.launch_max),
               [this, id = spec.id, serial] { finish_launch(id, serial); });
}

void SimHost::finish_launch(const ContainerId& id, uint64_t serial) {
  Container* container = find(id, serial);
  if (container == nullptr) return;
  const bool fails = container->is_refused || !has_place(*container) ||
                     one_in(world_.rng(), faults_.host.launch_fails_one_in);
  if (fails || container->cancelled) {
    world_.reached(fails ? "container.launch_failed" : "container.launch_cancelled");
    container->phase = Phase::kFailed;
    if (!container->watched) return;
    containers_.erase(id);
    listener_->on_launch_failed(id, fails ? Error{.message = "no space left on device", .code = 28}
                                          : Error{.message = "it was cancelled"});
    return;
  }
  begin(id, *container);
  if (container->watched) listener_->on_launched(id, static_cast<int64_t>(serial));
}

void SimHost::begin(const ContainerId& id, Container& container) {
  container.phase = Phase::kRunning;
  if (!used_.insert(id).second) {
    world_.violated("container", fmt::format("the command of container {} begins again", id.value));
  }
  world_.reached("container.started");
  if (container.executor != nullptr) {
    executors_.insert(id);
    residence_.on_executor_began(*container.executor);
  } else if (!container.looks_at.empty()) {
    world_.reached("container.check");
    exit_after(world_.up_to(1s), id, container.serial, draw_exit());
  } else {
    exit_after(world_.up_to(faults_.host.run_max), id, container.serial, draw_exit());
  }
}

// What runs beside a task needs it to run.
bool SimHost::has_place(const Container& container) const {
  return container.looks_at.empty() || is_running(container.looks_at);
}

// Whatever is inside of it.
void SimHost::kill_all_in(const ContainerId& id) {
  for (const auto& [inside, container] : containers_) {
    if (container.looks_at != id || container.phase != Phase::kRunning) continue;
    world_.reached("container.check_ended_with_its_task");
    exit_after(world_.up_to(2ms), inside, container.serial,
               {.exit_status = {}, .signal = kSigkill, .stderr_tail = {}});
  }
}

// In every other launch there is nothing left that could be stopped.
void SimHost::cancel_launch(const ContainerId& id) {
  const auto at = containers_.find(id);
  if (at == containers_.end()) return;
  if (at->second.phase == Phase::kPreparing) {
    at->second.cancelled = true;
    // Who downloads hears of it.
    return do_later(world_.up_to(20ms), id, at->second.serial, Step::kFetch);
  }
  if (at->second.phase != Phase::kLaunching || faults_.launches.are_used) return;
  at->second.cancelled = at->second.serial % 2 == 0;
}

void SimHost::adopt(const LaunchSpec& spec) {
  world_.after(world_.up_to(faults_.launches.adoption_max),
               [this, spec, life = lives_] { finish_adoption(spec, life); });
}

// Sometimes its shim is there and cannot be watched: then it is ended, and nobody knows how it
// would have.
bool SimHost::adopt_at_all(const ContainerId& id, Container& container) {
  container.watched = true;
  const bool is_there = container.phase == Phase::kRunning;
  if (!is_there || !draws(faults_.launches.adoption_fails_one_in)) return true;
  world_.reached("adopt.cannot_be_watched");
  end_unseen(id, container);
  return false;
}

void SimHost::finish_adoption(const LaunchSpec& spec, uint64_t life) {
  if (life != lives_ || listener_ == nullptr) return;
  const ContainerId& id = spec.id;
  const auto at = containers_.find(id);
  // Looked for in another place it is not there either.
  if (at == containers_.end() || at->second.parent != spec.parent) {
    world_.reached("adopt.absent");
    return listener_->on_absent(id);
  }
  Container& container = at->second;
  const auto pid = static_cast<int64_t>(container.serial);
  switch (container.phase) {
    case Phase::kPreparing:
    case Phase::kLaunching:  // its shim has not reported yet
      world_.after(1ms, [this, spec, life] { finish_adoption(spec, life); });
      return;
    case Phase::kFailed:
      world_.reached("adopt.failed");
      tell(container, [id](HostListener& agent) {
        agent.on_launch_failed(id, Error{.message = "no space left on device", .code = 28});
      });
      containers_.erase(at);
      return;
    case Phase::kRunning:
      world_.reached("adopt.running");
      if (!adopt_at_all(id, container)) return;
      return tell(container, [id, pid](HostListener& agent) { agent.on_launched(id, pid); });
    case Phase::kExited: {
      world_.reached("adopt.ended");
      container.watched = true;
      const ExitRecord end = container.end;
      if (end.exit_status || end.signal) {
        tell(container, [id, pid](HostListener& agent) { agent.on_launched(id, pid); });
      }
      return tell(container, [id, end](HostListener& agent) { agent.on_exit(id, end); });
    }
  }
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
    settle_end(id, *container);
    container->phase = Phase::kExited;
    container->end = record;
    ends_[id] = record;
    if (container->watched) {
      tell(*container, [id, record](HostListener& agent) { agent.on_exit(id, record); });
    } else {
      world_.reached("container.ended_alone");
    }
  });
}

// Whatever runs in it runs no more.
void SimHost::settle_end(const ContainerId& id, Container& container) {
  if (container.executor != nullptr && container.phase == Phase::kRunning)
    residence_.on_executor_ended(id);
}

void SimHost::exit(const ContainerId& id, ExitRecord record) {
  const auto at = containers_.find(id);
  if (at == containers_.end()) return;
  if (one_in(world_.rng(), faults_.host.shim_dies_one_in)) record = {};
  exit_after({}, id, at->second.serial, std::move(record));
}

void SimHost::resize(const ContainerId& id) {
  const auto at = containers_.find(id);
  const bool began = at != containers_.end() &&
                     (at->second.phase == Phase::kRunning || at->second.phase == Phase::kExited);
  if (!began) {
    return world_.violated("container",
                           fmt::format("container {} is resized, and does not run", id.value));
  }
  if (at->second.phase != Phase::kRunning || !draws(faults_.launches.resize_fails_one_in)) return;
  world_.reached("container.not_resized");
  // Some of its files were written.
  tell(at->second, [id](HostListener& agent) {
    agent.on_resize_failed(id, {.message = "writing to memory.max: EIO", .code = 5});
  });
}

bool SimHost::is_running(const ContainerId& id) const {
  const auto at = containers_.find(id);
  return at != containers_.end() && at->second.phase == Phase::kRunning;
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
  if (at->second.phase == Phase::kLaunching || at->second.phase == Phase::kPreparing) {
    return world_.violated("container",
                           fmt::format("container {} is killed before it runs", id.value));
  }
  exit_after(world_.up_to(2ms), id, at->second.serial,
             {.exit_status = {}, .signal = kSigkill, .stderr_tail = {}});
  kill_all_in(id);
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
  kill_all_in(id);
  const bool hangs = draws(faults_.launches.destroy_hangs_one_in);
  if (hangs) world_.reached("container.destroy_hangs");
  world_.after(world_.up_to(hangs ? faults_.launches.hang_max : 20ms),
               [this, id, serial = at->second.serial] { finish_destroy(id, serial); });
}

void SimHost::finish_destroy(const ContainerId& id, uint64_t serial) {
  Container* container = find(id, serial);
  if (container == nullptr) return;
  if (container->phase != Phase::kExited) {
    world_.after(5ms, [this, id, serial] { finish_destroy(id, serial); });
    return;
  }
  if (container->watched) {
    tell(*container, [id](HostListener& agent) { agent.on_destroyed(id); });
  }
  containers_.erase(id);
}

void SimHost::kill_unknown(const std::set<ContainerId>& known, bool is_same_agent) {
  for (auto at = containers_.begin(); at != containers_.end();) {
    // Who is inside of what is killed is killed with it.
    const ContainerId& parent = at->second.parent;
    const bool is_check = !at->second.looks_at.empty();  // nobody remembers those
    if (is_check) world_.reached("container.check_outlived_its_agent");
    if (known.contains(at->first) && (parent.empty() || known.contains(parent))) {
      ++at;
      continue;
    }
    world_.reached("host.left_by_an_earlier_life");
    if (is_same_agent && !is_check && at->second.phase == Phase::kRunning) {
      world_.violated("recovery", fmt::format("the command of container {} runs, and nobody "
                                              "remembers it",
                                              at->first.value));
    }
    settle_end(at->first, at->second);
    at = containers_.erase(at);
  }
}

void SimHost::check_end(const TaskStatus& status) {
  const auto violated = [&](std::string_view what) {
    world_.violated(
        "end", fmt::format("{} of task {}: {}", to_text(status.state), status.task_id.value, what));
  };
  const auto container = containers_.find(status.container_id);
  if (container != containers_.end() && container->second.phase == Phase::kRunning) {
    return violated("its command still runs");
  }
  const auto end = ends_.find(status.container_id);
  const ExitRecord truth = end == ends_.end() ? ExitRecord{} : end->second;
  if (status.exit_status != truth.exit_status || status.signal != truth.signal) {
    violated(fmt::format("it ended with status {} or signal {}, and {} and {} are said",
                         truth.exit_status.value_or(-1), truth.signal.value_or(-1),
                         status.exit_status.value_or(-1), status.signal.value_or(-1)));
  }
}

}  // namespace tepui::sim
