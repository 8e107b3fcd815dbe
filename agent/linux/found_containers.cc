// The part of container_files that finds what an earlier life of the agent left on the machine.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "agent/linux/container_files.h"
#include "agent/linux/files.h"
#include "agent/linux/shim_protocol.h"
#include "common/io/clock.h"

namespace tepui {
namespace {

void wait_a_moment() {
  constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 1'000'000};
  nanosleep(&kMoment, nullptr);
}

// The pid of the shim that holds the lock file of a runtime directory, or 0.
pid_t lock_holder(int runtime) {
  Fd lock(openat(runtime, kShimLockFile, O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!lock) return 0;
  struct flock whole{};
  whole.l_type = F_WRLCK;
  if (fcntl(lock.get(), F_GETLK, &whole) != 0 || whole.l_type == F_UNLCK) return 0;
  return whole.l_pid;
}

// From before its shim was cloned until that has ended.
bool is_held(int runtime) {
  if (flock(runtime, LOCK_EX | LOCK_NB) != 0) return true;
  flock(runtime, LOCK_UN);
  return false;
}

// Nothing if there is none, or it was not written to its end.
std::optional<ShimReport> read_report(int runtime) {
  Result<std::string> bytes = read_file_at(runtime, kShimReportFile);
  ShimReport report;
  if (!bytes || bytes->size() != sizeof report) return std::nullopt;
  std::memcpy(&report, bytes->data(), sizeof report);
  const auto* raw = reinterpret_cast<const unsigned char*>(bytes->data());
  const bool whole =
      report.magic == kShimReportMagic && report.checksum == shim_checksum(raw, kShimReportChecked);
  return whole ? std::optional(report) : std::nullopt;
}

// When a process began, on the clock of CLOCK_BOOTTIME and not later than it did; nothing if there
// is none. Field 22 of /proc/PID/stat; the name in field 2 may contain anything.
std::optional<int64_t> started_at_boot_ns(pid_t pid) {
  Result<std::string> text = read_file_at(AT_FDCWD, fmt::format("/proc/{}/stat", pid));
  if (!text) return std::nullopt;
  size_t at = text->rfind(')');
  constexpr int kFieldsAfterName = 20;  // to field 22
  for (int field = 0; field < kFieldsAfterName && at != text->npos; ++field) {
    at = text->find(' ', at + 1);
  }
  if (at == text->npos) return std::nullopt;
  int64_t ticks = 0;
  const char* end = text->data() + text->size();
  if (std::from_chars(text->data() + at + 1, end, ticks).ec != std::errc()) return std::nullopt;
  return ticks * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

// A pidfd of the living shim of a runtime directory. A pid may be another's by the time it is
// looked up: so the lock is asked again when the pidfd is there, and whoever began after the
// report was written is not who wrote it.
Fd watch_shim(int runtime, const ShimReport& report) {
  const pid_t pid = lock_holder(runtime);
  if (pid <= 0) return {};
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd || lock_holder(runtime) != pid) return {};
  const std::optional<int64_t> started = started_at_boot_ns(pid);
  if (!started || *started > report.reported_at_boot_ns) return {};
  return pidfd;
}

FoundContainer describe_found(const std::optional<ShimReport>& report) {
  FoundContainer found{.state = FoundContainer::State::kEnded};
  if (!report) return found;
  found.shim.stderr_inode = report->stderr_inode;
  found.stage = report->stage;
  found.code = report->code;
  found.pid = report->pid;
  const auto stage = static_cast<ShimStage>(report->stage);
  if (stage != ShimStage::kStarted && stage != ShimStage::kPending) {
    found.state = FoundContainer::State::kFailed;
  }
  return found;
}

bool has_lock_file(int runtime) { return faccessat(runtime, kShimLockFile, F_OK, 0) == 0; }

Result<void> end_shim(const ContainerPlaces& places, const std::string& id, Instant deadline) {
  Result<Fd> runtime = open_directory_at(places.runtime.get(), id);
  if (!runtime) return {};
  while (is_held(runtime->get())) {
    // The lock is asked again right before each signal, so that a pid cannot be another's by then.
    const pid_t pid = lock_holder(runtime->get());
    if (pid > 0) ::kill(pid, SIGTERM);
    if (now().mono >= deadline) {
      return fail(fmt::format("the shim {} of an earlier life does not end", pid), EBUSY);
    }
    wait_a_moment();
  }
  return {};
}

}  // namespace

// The lock file comes before the command.
bool may_have_begun(const ContainerPlaces& places, const ContainerId& id) {
  Result<Fd> runtime = open_directory_at(places.runtime.get(), id.value);
  return runtime && has_lock_file(runtime->get());
}

Result<FoundContainer> find_container(const ContainerPlaces& places, const LaunchSpec& spec,
                                      Duration patience) {
  const ContainerId& id = spec.id;
  const Instant deadline = later(now().mono, patience);
  Result<Fd> runtime = open_directory_at(places.runtime.get(), id.value);
  if (!runtime && runtime.error().code != ENOENT) return std::unexpected(runtime.error());
  while (runtime) {
    // Asked first: what a shim left before it ended is there afterwards.
    const bool held = is_held(runtime->get());
    const std::optional<ShimReport> report = read_report(runtime->get());
    if (!held) {
      if (!report && !has_lock_file(runtime->get())) break;
      return describe_found(report);
    }
    FoundContainer found = describe_found(report);
    if (found.pid > 0) {
      found.shim.pidfd = watch_shim(runtime->get(), *report);
      if (found.shim.pidfd) {
        found.state = FoundContainer::State::kRunning;
        return found;
      }
    }
    if (now().mono >= deadline) {
      return fail(fmt::format("the shim of container {} does not say what it does", id.value));
    }
    wait_a_moment();
  }
  while (!TRY(remove_container(places, spec, patience))) {
    if (now().mono >= deadline) return fail(fmt::format("container {} does not go", id.value));
  }
  return FoundContainer{};
}

namespace {

// Whether a process has a namespace of its own; the link's text names it.
bool has_own_namespace(pid_t pid, const char* kind) {
  char own[64] = {};
  char its[64] = {};
  const std::string ours = fmt::format("/proc/self/ns/{}", kind);
  const std::string theirs = fmt::format("/proc/{}/ns/{}", pid, kind);
  return readlink(ours.c_str(), own, sizeof own - 1) > 0 &&
         readlink(theirs.c_str(), its, sizeof its - 1) > 0 && std::strcmp(own, its) != 0;
}

// The one line of its map: within, outside, how many.
std::optional<IdRange> read_ids(pid_t pid) {
  const Result<std::string> text = read_file_at(AT_FDCWD, fmt::format("/proc/{}/uid_map", pid));
  IdRange ids;
  unsigned within = 0;
  if (!text || std::sscanf(text->c_str(), "%u %u %u", &within, &ids.first, &ids.count) != 3) {
    return std::nullopt;
  }
  return ids;
}

}  // namespace

Result<Namespaces> find_namespaces(const ContainerPlaces& places, const ContainerId& id) {
  if (id.empty()) return Namespaces{};
  const Error gone{.message = fmt::format("container {} does not run any more", id.value),
                   .code = ESRCH};
  const Result<Fd> runtime = open_directory_at(places.runtime.get(), id.value);
  if (!runtime) return std::unexpected(gone);
  const std::optional<ShimReport> report = read_report(runtime->get());
  if (!report || report->pid <= 0) return std::unexpected(gone);
  Namespaces found;
  found.pid = report->pid;
  found.process = Fd(static_cast<int>(syscall(SYS_pidfd_open, report->pid, 0)));
  constexpr std::pair<Isolator, const char*> kKinds[] = {
      {Isolator::kPidNamespace, "pid"},       {Isolator::kMountNamespace, "mnt"},
      {Isolator::kIpcNamespace, "ipc"},       {Isolator::kUtsNamespace, "uts"},
      {Isolator::kCgroupNamespace, "cgroup"}, {Isolator::kNetNamespace, "net"},
      {Isolator::kUserNamespace, "user"},
  };
  for (const auto& [isolator, kind] : kKinds) {
    if (has_own_namespace(report->pid, kind)) put(found.isolators, isolator);
  }
  if (has(found.isolators, Isolator::kUserNamespace)) found.ids = read_ids(report->pid);
  // As long as its shim lives, the command keeps its pid, dead or alive.
  if (!found.process || lock_holder(runtime->get()) == 0) return std::unexpected(gone);
  if (has(found.isolators, Isolator::kUserNamespace) && !found.ids) return std::unexpected(gone);
  return found;
}

void abandon_container(const ContainerPlaces& places, const LaunchSpec& spec, Duration patience) {
  if (places.cgroups != nullptr) (void)places.cgroups->kill_container(cgroup_of(spec)).has_value();
  (void)end_shim(places, spec.id.value, later(now().mono, patience)).has_value();
}

Result<int> end_unknown_containers(const ContainerPlaces& places,
                                   const std::set<std::string>& known, Duration patience) {
  const Instant deadline = later(now().mono, patience);
  std::set<std::string> unknown;
  for (const std::string& id : TRY(list_directories(places.runtime.get()))) {
    if (!known.contains(id)) unknown.insert(id);
  }
  for (const std::string& id : TRY(list_directories(places.roots.get()))) {
    if (!known.contains(id)) unknown.insert(id);
  }
  if (places.cgroups != nullptr) {
    for (const std::string& id : TRY(places.cgroups->containers())) {
      if (!known.contains(id)) unknown.insert(id);
    }
  }
  for (const std::string& id : unknown) {
    if (places.cgroups != nullptr) (void)places.cgroups->kill_container(id).has_value();
    TRY(end_shim(places, id, deadline));
    // Of one that was inside another only the runtime files: its cgroup goes with the outer one.
    const LaunchSpec spec{.id = ContainerId{id}};
    while (!TRY(remove_container(places, spec, patience))) {
      if (now().mono >= deadline) {
        return fail(fmt::format("processes of container {} of an earlier life do not die", id),
                    EBUSY);
      }
    }
  }
  return static_cast<int>(unknown.size());
}

}  // namespace tepui
