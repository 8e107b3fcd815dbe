// The part of SimHost that launches step by step, as a real machine does, and tells late what
// became of it.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/host.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr Duration kStepMax = 5ms;
}  // namespace

bool SimHost::draws(uint64_t one_in) { return one_in != 0 && world_.rng().chance(1, one_in); }

SimHost::Step SimHost::draw_failure() {
  const LaunchFaults& faults = faults_.launches;
  if (draws(faults.fetch_fails_one_in)) return Step::kFetch;
  if (draws(faults.cgroup_fails_one_in)) return Step::kCgroup;
  if (draws(faults.limits_fail_one_in)) return Step::kLimits;
  if (draws(faults.shim_fails_one_in)) return Step::kShim;
  // Before or after the command began: nobody will know.
  if (draws(faults.shim_is_mute_one_in)) {
    return world_.rng().chance(1, 2) ? Step::kMuteShim : Step::kBegins;
  }
  return Step::kTold;
}

void SimHost::do_later(Duration delay, const ContainerId& id, uint64_t serial, Step step) {
  world_.after(delay, [this, id, serial, step] { do_step(id, serial, step); });
}

void SimHost::do_step(const ContainerId& id, uint64_t serial, Step step) {
  Container* container = find(id, serial);
  if (container == nullptr || container->step != step) return;
  const bool fails = container->fails_at == step;
  const auto next = [&](Step to) {
    container->step = to;
    do_later(world_.up_to(kStepMax), id, serial, to);
  };
  switch (step) {
    case Step::kFetch:
      if (container->cancelled) {
        world_.reached("launch.cancelled");
        return fail_launch(id, *container, "it was cancelled");
      }
      if (fails) return fail_launch(id, *container, "the image is refused");
      return next(Step::kCgroup);
    case Step::kCgroup:
      if (container->is_refused) return fail_launch(id, *container, "it is refused");
      if (!has_place(*container)) return fail_launch(id, *container, "its task has ended");
      if (fails) return fail_launch(id, *container, "the cgroup cannot be made");
      return next(Step::kLimits);
    case Step::kLimits:
      if (fails) return fail_launch(id, *container, "a limit cannot be written");
      container->phase = Phase::kLaunching;
      return next(Step::kShim);
    case Step::kShim:
      if (fails) return fail_launch(id, *container, "no such program");
      return next(Step::kMuteShim);
    case Step::kMuteShim:
      if (fails) return end_unseen(id, *container);
      return next(Step::kBegins);
    case Step::kBegins:
      begin(id, *container);
      if (fails) return end_unseen(id, *container);
      container->step = Step::kTold;
      if (!container->watched) return;
      return tell(*container, [id, serial](HostListener& agent) {
        agent.on_launched(id, static_cast<int64_t>(serial));
      });
    case Step::kTold:
      return;
  }
}

// The agent removes what there is of it before it hears of the failure; without an agent it stays,
// and a next one does so.
void SimHost::fail_launch(const ContainerId& id, Container& container, std::string why) {
  world_.reached("container.launch_failed");
  world_.reached(fmt::format("launch.fails_at_step_{}", static_cast<int>(container.step)));
  container.phase = Phase::kFailed;
  if (!container.watched) return;
  tell(container, [id, why = std::move(why)](HostListener& agent) {
    agent.on_launch_failed(id, {.message = why, .code = 5});
  });
  containers_.erase(id);
}

// Without a shim the command, if it ran, is killed; what is left waits to be destroyed.
void SimHost::end_unseen(const ContainerId& id, Container& container) {
  world_.reached("launch.ended_unseen");
  settle_end(id, container);
  container.phase = Phase::kExited;
  container.step = Step::kTold;
  container.end = {};
  ends_[id] = {};
  if (!container.watched) return;
  tell(container, [id](HostListener& agent) { agent.on_exit(id, {}); });
}

void SimHost::tell(Container& container, std::function<void(HostListener&)> outcome) {
  if (!faults_.launches.are_used) return outcome(*listener_);
  const Instant now = world_.now().mono;
  container.told = std::max(container.told, later(now, world_.up_to(faults_.launches.tell_late)));
  world_.after(container.told - now, [this, life = lives_, outcome = std::move(outcome)] {
    if (life == lives_ && listener_ != nullptr) outcome(*listener_);
  });
}

}  // namespace tepui::sim
