#include "agent/linux/container_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "agent/linux/child_descriptors.h"
#include "agent/linux/clone_into.h"
#include "agent/linux/exit_record_file.h"
#include "agent/linux/files.h"
#include "agent/linux/shim_protocol.h"
#include "agent/linux/shim_spec.h"
#include "agent/linux/task_user.h"
#include "agent/linux/text_tail.h"
#include "agent/linux/volumes.h"
#include "common/io/clock.h"

namespace tepui {
namespace {

// A few lines for a status message, which has other things to say too.
constexpr size_t kStderrTailBytes = 1024;
constexpr size_t kStackBytes = 64 << 10;

struct Sandbox {
  Fd directory;
  Fd output;
  Fd errors;
  uint64_t errors_inode = 0;
};

Result<Fd> open_output(int sandbox, const char* name, const std::optional<UserIds>& user) {
  Fd file(openat(sandbox, name, O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return std::unexpected(system_error(errno, fmt::format("creating {}", name)));
  if (user.has_value() && fchown(file.get(), user->uid, user->gid) != 0) {
    return std::unexpected(system_error(errno, fmt::format("giving away {}", name)));
  }
  return file;
}

// A check of a task writes to the files of the task, which has a logger already.
bool is_bounded(const ContainerPlaces& places, const LaunchSpec& spec) {
  return places.output.file_bytes_max != 0 && spec.confinement.joins.empty();
}

bool has_own_files(const LaunchSpec& spec) {
  return has(spec.confinement.namespaces, Isolator::kMountNamespace);
}

Result<Sandbox> make_sandbox(const ContainerPlaces& places, const LaunchSpec& spec,
                             const TaskUser& who) {
  const std::optional<UserIds>& user = who.outside;
  Fd directory = TRY(make_directories_at(places.work.get(), spec.sandbox, 0755));
  if (user.has_value() && fchown(directory.get(), user->uid, user->gid) != 0) {
    return std::unexpected(system_error(errno, "giving away the directory"));
  }
  Sandbox sandbox;
  sandbox.output = TRY(open_output(directory.get(), "stdout", user));
  sandbox.errors = TRY(open_output(directory.get(), "stderr", user));
  struct stat status{};
  if (fstat(sandbox.errors.get(), &status) == 0) sandbox.errors_inode = status.st_ino;
  for (const VolumeMount& volume : spec.volumes) {
    TRY(has_own_files(spec) ? prepare_volume(directory.get(), volume, user, who.within)
                            : link_volume(directory.get(), volume, user));
  }
  for (const std::string& one : spec.confinement.directories) {
    TRY(make_in_sandbox(directory.get(), one, user));
  }
  sandbox.directory = std::move(directory);
  return sandbox;
}

Result<Fd> make_spec_file(const ContainerPlaces& places, const LaunchSpec& spec,
                          std::optional<UserIds> user, const IsolatorSet& joined,
                          const std::optional<IdRange>& ids) {
  const std::string sandbox = places.work_dir + "/" + spec.sandbox;
  ShimSpec shim = make_shim_spec(spec.command, spec.environment, sandbox);
  shim.user = std::move(user);
  shim.confinement = spec.confinement;
  shim.joined = joined;
  shim.ids = ids;
  if (is_bounded(places, spec)) shim.output = places.output;
  if (spec.confinement.filters_calls) {
    const auto& limits = spec.confinement.capabilities;
    shim.filter = TRY(places.profiles->filter(limits ? limits->bounding : kAllCapabilities));
  }
  std::string bytes = TRY(encode_shim_spec(shim));
  Fd file(memfd_create("tepui-shim-spec", MFD_CLOEXEC));
  if (!file) return std::unexpected(system_error(errno, "creating the shim's specification"));
  if (write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return std::unexpected(system_error(errno, "writing the shim's specification"));
  }
  return file;
}

// What the child of the agent needs to become a shim. It lives in the agent's memory and must only
// make system calls.
struct ShimStart {
  std::array<int, kShimFdEnd> fds{};
  const char* program = nullptr;
  char* const* arguments = nullptr;
  volatile int code = 0;  // errno of the child's failure
};

void become_shim(void* argument) {
  auto* start = static_cast<ShimStart*>(argument);
  place_descriptors(start->fds);
  char* environment[] = {nullptr};
  execve(start->program, start->arguments, environment);
  start->code = errno;
}

Result<Fd> clone_shim(const ContainerPlaces& places, const LaunchSpec& spec, ShimStart start) {
  char name[] = "tepui-shim";
  std::string id = spec.id.value;
  char* arguments[] = {name, id.data(), nullptr};
  start.program = places.shim.c_str();
  start.arguments = arguments;
  auto stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  int pidfd = -1;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid =
      clone_into(CloneRequest{.cgroup = places.cgroups != nullptr ? places.cgroups->shims() : -1,
                              .pidfd = &pidfd,
                              .stack = stack.get(),
                              .stack_bytes = kStackBytes,
                              .run = become_shim,
                              .argument = &start});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return std::unexpected(system_error(static_cast<int>(-pid), "cloning a process"));
  Fd watched(pidfd);
  if (start.code != 0) {
    siginfo_t ended{};
    waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED);
    return std::unexpected(system_error(start.code, "executing " + places.shim));
  }
  return watched;
}

void remove_runtime(const ContainerPlaces& places, const std::string& id) {
  Result<Fd> directory = open_directory_at(places.runtime.get(), id);
  if (!directory.has_value()) return;
  for (const char* file : {kShimLockFile, kShimReportFile, kExitRecordFile, kExitRecordDraft}) {
    unlinkat(directory->get(), file, 0);
  }
  unlinkat(places.runtime.get(), id.c_str(), AT_REMOVEDIR);
}

// For a user namespace of the container's own.
Result<std::optional<IdRange>> take_ids(const ContainerPlaces& places, const LaunchSpec& spec) {
  if (!has(spec.confinement.namespaces, Isolator::kUserNamespace)) return std::nullopt;
  if (places.ids == nullptr) return fail("this agent has no ids for user namespaces");
  return TRY(places.ids->take(spec.id));
}

Result<StartedShim> start_in(const ContainerPlaces& places, const LaunchSpec& spec,
                             const Fd& runtime, const Fd& cgroup) {
  const Namespaces joined = TRY(find_namespaces(places, spec.confinement.joins));
  const std::optional<IdRange> ids = TRY(take_ids(places, spec));
  TaskUser user = TRY(find_task_user(
      spec, joined.pid > 0 ? fmt::format("/proc/{}/root", joined.pid) : std::string(),
      ids ? ids : joined.ids));
  Result<Sandbox> sandbox = make_sandbox(places, spec, user);
  if (!sandbox.has_value()) {
    return std::unexpected(std::move(sandbox).error().in("preparing the sandbox " + spec.sandbox));
  }
  Fd file = TRY(make_spec_file(places, spec, std::move(user.within), joined.isolators, ids));
  Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2] = {-1, -1};
  if (!null || pipe2(ends, O_CLOEXEC) != 0) {
    return std::unexpected(system_error(errno, "opening descriptors for the shim"));
  }
  const bool bounded = is_bounded(places, spec);
  StartedShim shim{
      .pidfd = Fd(), .report = Fd(ends[0]), .stderr_inode = bounded ? 0 : sandbox->errors_inode};
  Fd report_end(ends[1]);
  Result<Fd> pidfd =
      clone_shim(places, spec,
                 ShimStart{.fds = {null.get(), sandbox->output.get(), sandbox->errors.get(),
                                   file.get(), report_end.get(), runtime.get(), cgroup.get(),
                                   joined.process.get(), bounded ? sandbox->directory.get() : -1},
                           .program = nullptr,
                           .arguments = nullptr,
                           .code = 0});
  if (!pidfd.has_value()) {
    return std::unexpected(std::move(pidfd).error().in("starting the shim"));
  }
  shim.pidfd = *std::move(pidfd);
  return shim;
}

Result<void> make_root(const ContainerPlaces& places, const LaunchSpec& spec) {
  const std::optional<ContainerRoot>& root = spec.confinement.root;
  if (!root || root->upper.empty()) return {};
  TRY(make_directories_at(places.roots.get(), spec.id.value, 0755));
  return {};
}

// A file that the owner of the sandbox has made in it, and not one of somebody else under a further
// name.
bool is_of_owner(int sandbox, const struct stat& file) {
  struct stat directory{};
  return fstat(sandbox, &directory) == 0 && file.st_nlink == 1 && file.st_uid == directory.st_uid;
}

std::string read_stderr_tail(const ContainerPlaces& places, const LaunchSpec& spec,
                             uint64_t inode) {
  Result<Fd> sandbox = open_directory_at(places.work.get(), spec.sandbox);
  if (!sandbox.has_value()) return {};
  // The task owns the directory: a link or another file in this place is not followed.
  Fd file(openat(sandbox->get(), "stderr", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (inode != 0 ? status.st_ino != inode : !is_of_owner(sandbox->get(), status)) return {};
  // One more, so that it shows whether a line starts where the tail does.
  std::array<char, kStderrTailBytes + 1> bytes;
  const off_t start = std::max<off_t>(0, status.st_size - off_t{bytes.size()});
  const ssize_t count = pread(file.get(), bytes.data(), bytes.size(), start);
  if (count <= 0) return {};
  return text_tail(std::string_view(bytes.data(), static_cast<size_t>(count)), kStderrTailBytes);
}

}  // namespace

std::string cgroup_of(const LaunchSpec& spec) {
  return spec.parent.empty() ? spec.id.value : spec.parent.value + "/" + spec.id.value;
}

namespace {

// The last container of a parent takes it away, also under the hands of one that is just made.
Result<Fd> create_cgroup(const CgroupRoot& cgroups, const LaunchSpec& spec) {
  constexpr int kAttempts = 16;
  for (int attempt = 1; true; ++attempt) {
    if (spec.makes_parent) TRY(cgroups.create_parent(spec.parent.value));
    Result<Fd> cgroup = cgroups.create_container(cgroup_of(spec), spec.plan);
    const bool again = !cgroup.has_value() && spec.makes_parent && attempt < kAttempts &&
                       cgroup.error().code == ENOENT;
    if (!again) return cgroup;
  }
}

Result<bool> remove_cgroup(const CgroupRoot& cgroups, const LaunchSpec& spec, Duration patience) {
  if (!TRY(cgroups.remove_container(cgroup_of(spec), patience))) return false;
  if (spec.makes_parent) cgroups.remove_parent(spec.parent.value);
  return true;
}

}  // namespace

Result<StartedShim> start_container(const ContainerPlaces& places, const LaunchSpec& spec) {
  const std::string& id = spec.id.value;
  if (mkdirat(places.runtime.get(), id.c_str(), 0700) != 0) {
    return std::unexpected(system_error(errno, "creating the runtime directory of " + id));
  }
  auto start = [&places, &spec, &id]() -> Result<StartedShim> {
    Fd runtime = TRY(open_directory_at(places.runtime.get(), id));
    TRY(make_root(places, spec));
    // The shim holds it too, from its first moment to its last.
    if (flock(runtime.get(), LOCK_EX | LOCK_NB) != 0) {
      return std::unexpected(system_error(errno, "locking the runtime directory of " + id));
    }
    if (places.cgroups == nullptr) return start_in(places, spec, runtime, Fd());
    Fd cgroup = TRY(create_cgroup(*places.cgroups, spec));
    Result<StartedShim> shim = start_in(places, spec, runtime, cgroup);
    if (!shim.has_value()) {
      (void)remove_cgroup(*places.cgroups, spec, Duration::zero()).has_value();
    }
    return shim;
  };
  Result<StartedShim> shim = start();
  if (!shim.has_value()) {
    (void)remove_tree(places.roots.get(), id).has_value();
    remove_runtime(places, id);
    if (places.ids != nullptr) places.ids->release(spec.id);
  }
  return shim;
}

ExitRecord end_container(const ContainerPlaces& places, const LaunchSpec& spec,
                         const StartedShim& shim) {
  siginfo_t ended{};
  waitid(P_PIDFD, static_cast<id_t>(shim.pidfd.get()), &ended, WEXITED);
  ExitRecord record;
  Result<std::string> bytes =
      read_file_at(places.runtime.get(), spec.id.value + "/" + kExitRecordFile);
  if (bytes.has_value()) {
    // A record that cannot be read is as good as none: nobody knows how the command ended.
    Result<RecordedExit> recorded = parse_exit_record(*bytes);
    if (recorded.has_value()) record = std::move(recorded->record);
  }
  if (places.cgroups != nullptr) {
    Result<CgroupMemory> memory = places.cgroups->memory_of(cgroup_of(spec));
    if (memory.has_value()) {
      record.oom_killed = memory->oom_killed;
      record.memory_usage_bytes = memory->usage_bytes;
      if (memory->peak_bytes > 0) record.memory_peak_bytes = memory->peak_bytes;
    }
  }
  record.stderr_tail = read_stderr_tail(places, spec, shim.stderr_inode);
  return record;
}

Result<bool> remove_container(const ContainerPlaces& places, const LaunchSpec& spec,
                              Duration patience) {
  if (places.cgroups != nullptr && !TRY(remove_cgroup(*places.cgroups, spec, patience))) {
    return false;
  }
  TRY(remove_tree(places.roots.get(), spec.id.value));
  remove_runtime(places, spec.id.value);
  if (places.ids != nullptr) places.ids->release(spec.id);
  return true;
}

namespace {

Error rlimit_error(const Rlimit& limit, int code) {
  const auto number = [](const std::optional<uint64_t>& value) {
    return value ? fmt::format("{}", *value) : "unlimited";
  };
  return system_error(code, fmt::format("setting the rlimit {} to {}:{}{}", to_text(limit.type),
                                        number(limit.soft), number(limit.hard),
                                        code == EPERM ? ", above what the agent has itself" : ""));
}

}  // namespace

Error launch_error(const LaunchSpec& spec, uint32_t stage, int code) {
  const CommandInfo& command = spec.command;
  constexpr auto kFirstStep = static_cast<uint32_t>(ShimStage::kFirstStep);
  const std::vector<ConfinementStep> steps = complete_steps(spec.confinement);
  if (stage >= kFirstStep && stage - kFirstStep < steps.size()) {
    const ConfinementStep& step = steps[stage - kFirstStep];
    Error error = system_error(code, describe(step));
    if ((step.flags & kMapIds) != 0 && code == EINVAL) {
      error.message += "; its file system, or this kernel, cannot do that";
    }
    return error;
  }
  constexpr auto kFirstRlimit = static_cast<uint32_t>(ShimStage::kFirstRlimit);
  const std::vector<Rlimit>& rlimits = spec.confinement.rlimits;
  if (stage >= kFirstRlimit && stage - kFirstRlimit < rlimits.size()) {
    return rlimit_error(rlimits[stage - kFirstRlimit], code);
  }
  switch (static_cast<ShimStage>(stage)) {
    case ShimStage::kStarted:
    case ShimStage::kPending:
      break;
    case ShimStage::kSpec:
      return system_error(code, "the shim reading its specification");
    case ShimStage::kRuntime:
      return system_error(code, "taking space for the exit record");
    case ShimStage::kClone:
      return system_error(code, "starting a process in the cgroup");
    case ShimStage::kSession:
      return system_error(code, "making a session for the command");
    case ShimStage::kUser:
      return system_error(code, fmt::format("becoming user \"{}\"", command.user));
    case ShimStage::kDirectory: {
      const std::string& directory = command.working_directory;
      return system_error(code, fmt::format("entering the working directory \"{}\"",
                                            directory.empty() ? spec.sandbox : directory));
    }
    case ShimStage::kNamespaces:
      return system_error(code, "making namespaces for the container");
    case ShimStage::kInit:
      return Error{.message = "who holds the namespaces of the container was killed", .code = code};
    case ShimStage::kIds:
      return system_error(code, "giving ids of the machine to the container's user namespace");
    case ShimStage::kLogger:
      return system_error(code, "starting what keeps the command's output within bounds");
    case ShimStage::kJoin:
      return system_error(code, "joining the namespaces of the container");
    case ShimStage::kCapabilities:
      return system_error(code, "limiting the capabilities of the command");
    case ShimStage::kFilter:
      return system_error(code, "filtering the system calls of the command");
    case ShimStage::kPrivileges:
      return system_error(code, "promising not to gain privileges");
    case ShimStage::kFirstRlimit:
    case ShimStage::kFirstStep:
      break;
    case ShimStage::kExec:
      return system_error(
          code, fmt::format("executing \"{}\"", command.shell ? "/bin/sh" : command.value));
  }
  return Error{.message = fmt::format("the shim failed at stage {}", stage), .code = code};
}

}  // namespace tepui
