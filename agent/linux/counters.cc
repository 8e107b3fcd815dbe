#include "agent/linux/counters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/linux/files.h"
#include "common/check.h"

namespace tepui {
namespace {

// Of those that this process may have: the rest is for files and tasks.
constexpr size_t kPartOfDescriptors = 8;
constexpr size_t kGroupsMax = 256;  // so that opening them stays a matter of milliseconds

size_t processors() { return static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF))); }

// One event of a cgroup on one processor; `leader` of the group, or -1.
Fd open_event(const std::pair<uint32_t, uint64_t>& event, int cgroup, int cpu, int leader) {
  perf_event_attr wanted{};
  wanted.size = sizeof wanted;
  wanted.type = event.first;
  wanted.config = event.second;
  wanted.read_format =
      PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return Fd(static_cast<int>(syscall(SYS_perf_event_open, &wanted, cgroup, cpu, leader,
                                     PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC)));
}

size_t groups_by_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  const size_t part = static_cast<size_t>(limit.rlim_cur) / kPartOfDescriptors;
  return std::clamp<size_t>(part / (processors() * Counters::kEvents), 1, kGroupsMax);
}

// What one read of a group gives.
struct GroupValues {
  uint64_t events = 0;
  uint64_t enabled_ns = 0;  // a task of the cgroup was on the processor
  uint64_t running_ns = 0;  // and the processor had counters for it
  std::array<uint64_t, Counters::kEvents> values{};
};

}  // namespace

const Counters::Events Counters::kHardware = {{{PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
                                               {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
                                               {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES}}};

Counters::Counters(const Options& options, size_t groups_max)
    : options_(options),
      rotation_(groups_max, options.turn),
      cgroups_(options.slots),
      published_(options.slots) {}

Counters::~Counters() = default;

Result<std::unique_ptr<Counters>> Counters::create(Reactor& reactor, const Options& options) {
  const Fd cgroup = TRY(open_directory_at(AT_FDCWD, options.cgroup));
  Fd leader;
  for (const auto& event : options.events) {
    Fd opened = open_event(event, cgroup.get(), 0, leader ? leader.get() : -1);
    if (!opened && (errno == ENOENT || errno == EOPNOTSUPP || errno == ENODEV)) {
      return fail("the processors have none, or show them to nobody here", errno);
    }
    if (!opened) return std::unexpected(system_error(errno, "opening a counter of a cgroup"));
    if (!leader) leader = std::move(opened);
  }
  std::unique_ptr<Counters> counters(
      new Counters(options, options.groups_max > 0 ? options.groups_max : groups_by_descriptors()));
  counters->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  return counters;
}

void Counters::add(uint32_t slot, const std::string& path) {
  changes_.push_back({.slot = slot, .path = path});
  published_[slot] = {};
}

void Counters::remove(uint32_t slot) {
  changes_.push_back({.slot = slot, .path = {}});
  published_[slot] = {};
}

void Counters::start(Instant now) {
  if (is_reading_) return;
  applying_.swap(changes_);
  changes_.clear();
  now_ = now;
  is_reading_ = worker_->submit(*this);
  CHECK(is_reading_);
}

void Counters::run() {
  for (const Change& change : applying_) {
    rotation_.remove(change.slot);
    cgroups_[change.slot] = {.path = change.path};
    if (change.path.empty()) continue;
    cgroups_[change.slot].total.since = now_;
    rotation_.add(change.slot);
  }
  applying_.clear();
  for (const uint32_t slot : rotation_.counted()) read(cgroups_[slot]);
  const CounterRotation::Turn turn = rotation_.advance(now_);
  for (const uint32_t slot : turn.end) {
    cgroups_[slot].fds.clear();
    cgroups_[slot].before.clear();
  }
  for (const uint32_t slot : turn.begin) open(cgroups_[slot]);
}

void Counters::on_done() {
  for (uint32_t slot = 0; slot < cgroups_.size(); ++slot) published_[slot] = cgroups_[slot].total;
  // What is said of a slot meanwhile is about another container.
  for (const Change& change : changes_) published_[change.slot] = {};
  read_ = now_;
  is_reading_ = false;
  ++readings_;
}

// A processor that is not there now, or a cgroup that has gone, has no counters.
void Counters::open(Cgroup& cgroup) const {
  const Result<Fd> directory = open_directory_at(AT_FDCWD, cgroup.path);
  if (!directory) return;
  for (size_t cpu = 0; cpu < processors(); ++cpu) {
    std::array<Fd, kEvents> group;
    for (size_t i = 0; i < kEvents; ++i) {
      group[i] = open_event(options_.events[i], directory->get(), static_cast<int>(cpu),
                            i == 0 ? -1 : group[0].get());
      if (!group[i]) break;
    }
    if (!group[kEvents - 1]) continue;
    for (Fd& event : group) cgroup.fds.push_back(std::move(event));
    cgroup.before.emplace_back();
  }
  cgroup.read = now_;
}

void Counters::read(Cgroup& cgroup) const {
  uint64_t enabled = 0;
  uint64_t running = 0;
  for (size_t cpu = 0; cpu < cgroup.before.size(); ++cpu) {
    GroupValues now;
    const ssize_t bytes = ::read(cgroup.fds[cpu * kEvents].get(), &now, sizeof now);
    if (bytes != static_cast<ssize_t>(sizeof now)) continue;
    auto& before = cgroup.before[cpu];
    for (size_t i = 0; i < kEvents; ++i) {
      cgroup.total.values[i] += now.values[i] - before[i];
      before[i] = now.values[i];
    }
    enabled += now.enabled_ns - before[kEvents];
    running += now.running_ns - before[kEvents + 1];
    before[kEvents] = now.enabled_ns;
    before[kEvents + 1] = now.running_ns;
  }
  // Where others use counters, too, they are taken away for a part of the time.
  const Duration span = now_ - cgroup.read;
  const double part =
      enabled == 0 ? 1.0 : static_cast<double>(running) / static_cast<double>(enabled);
  if (!cgroup.fds.empty()) {
    cgroup.total.counted +=
        Duration(static_cast<int64_t>(static_cast<double>(span.count()) * std::min(part, 1.0)));
  }
  cgroup.read = now_;
}

void Counters::fill(uint32_t slot, Sample& sample) const {
  const Counted& found = published_[slot];
  const Duration known = read_ - found.since;
  if (found.since == Instant() || known <= Duration::zero()) return;
  sample.cycles = static_cast<int64_t>(found.values[0]);
  sample.instructions = static_cast<int64_t>(found.values[1]);
  sample.cache_misses = static_cast<int64_t>(found.values[2]);
  constexpr int64_t kMille = 1000;
  sample.counted_permille =
      std::min(kMille, static_cast<int64_t>(found.counted / std::max(Duration(1), known / kMille)));
}

}  // namespace tepui
