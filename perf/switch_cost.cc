#include "perf/switch_cost.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "agent/linux/bpf_place.h"
#include "common/check.h"
#include "common/io/clock.h"
#include "tests/agent/linux/work.h"

namespace tepui::perf {
namespace {

constexpr int kTurns = 20'000;
constexpr int kSwitches = 2 * kTurns;  // there and back

struct Measured {
  int64_t elapsed_ns = 0;
  uint64_t instructions = 0;
};

int open_counter() {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
  attributes.disabled = 1;
  attributes.inherit = 1;  // the other process's, too
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

void pin_to(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

// In a process of its own.
Measured play() {
  pin_to(0);
  const Signal there;
  const Signal back;
  const int counter = open_counter();
  const pid_t other = fork();
  CHECK(other >= 0);
  if (other == 0) {
    for (int i = 0; i < kTurns; ++i) {
      there.await();
      back.give();
    }
    _exit(0);
  }
  if (counter >= 0) ioctl(counter, PERF_EVENT_IOC_ENABLE, 0);
  const Instant begin = now().mono;
  for (int i = 0; i < kTurns; ++i) {
    there.give();
    back.await();
  }
  Measured measured{.elapsed_ns = (now().mono - begin).count()};
  CHECK(waitpid(other, nullptr, 0) == other);
  if (counter >= 0) {
    ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
    CHECK(read(counter, &measured.instructions, sizeof measured.instructions) ==
          sizeof measured.instructions);
  }
  return measured;
}

double run_time_per_call(int program) {
  bpf_prog_info info{};
  uint32_t size = sizeof info;
  CHECK(bpf_obj_get_info_by_fd(program, &info, &size) == 0);
  return info.run_cnt == 0
             ? 0
             : static_cast<double>(info.run_time_ns) / static_cast<double>(info.run_cnt);
}

}  // namespace

SwitchCost measure_switches(CgroupTree& tree, SwitchHooks wanted, bool clocks_hooks) {
  const CgroupTree::Cgroup cgroup = tree.make("container-switches");
  std::unique_ptr<Hooks> hooks;
  Fd statistics;
  if (wanted != SwitchHooks::kNone) {
    const Result<cgroup_place> place = find_bpf_place(tree.top().directory.get());
    CHECK(place.has_value());
    Result<std::unique_ptr<Hooks>> made =
        Hooks::create({.cgroup = tree.top().directory.get(),
                       .place = *place,
                       .waits = wanted == SwitchHooks::kCountsAndWaits});
    CHECK(made.has_value());
    hooks = *std::move(made);
    CHECK(hooks->add(cgroup.id, 1));
    if (clocks_hooks) {
      statistics = Fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
      CHECK(statistics.get() >= 0);
    }
  }
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  const Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  const pid_t player = tree.start(cgroup, [&write_end] {
    const Measured measured = play();
    CHECK(write(write_end.get(), &measured, sizeof measured) == sizeof measured);
  });
  CHECK(tree.wait_for(player) == 0);
  Measured measured;
  CHECK(read(read_end.get(), &measured, sizeof measured) == sizeof measured);
  return {.ns = static_cast<double>(measured.elapsed_ns) / kSwitches,
          .instructions = static_cast<double>(measured.instructions) / kSwitches,
          .hook_ns = hooks == nullptr ? 0 : run_time_per_call(hooks->switch_program())};
}

}  // namespace tepui::perf
