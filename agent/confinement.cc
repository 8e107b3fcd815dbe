#include "agent/confinement.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/check.h"

namespace tepui {
namespace {

constexpr std::string_view kSysctls = "/proc/sys";
// What the kernel tells about itself and about everybody, and what no task should touch.
constexpr std::string_view kReadOnlyInProc[] = {kSysctls, "/proc/sysrq-trigger", "/proc/irq",
                                                "/proc/bus", "/proc/fs"};
constexpr std::string_view kHiddenInProc[] = {
    "/proc/kcore",       "/proc/keys", "/proc/timer_list", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/acpi"};

// Of the machine's devices those that programs expect and that are nobody's.
constexpr std::string_view kDevices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                         "/dev/random", "/dev/urandom", "/dev/tty"};
constexpr std::pair<std::string_view, std::string_view> kDeviceLinks[] = {
    {"pts/ptmx", "/dev/ptmx"},
    {"/proc/self/fd", "/dev/fd"},
    {"/proc/self/fd/0", "/dev/stdin"},
    {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"}};
constexpr uint64_t kSharedMemoryBytes = 64 << 20;

constexpr uint32_t kInert = kNoSuid | kNoDevices | kNoExecute;

// "/srv/x" below "/srv" is "./x".
std::string below(const std::string& above, const std::string& path) {
  const std::string rest = path.substr(std::min(path.size(), above.size()));
  return "." + (rest.starts_with('/') ? rest : "/" + rest);
}

class Planner {
 public:
  explicit Planner(const ConfinementInput& input)
      : input_(input),
        config_(input.config),
        asked_(input.container != nullptr ? *input.container : ContainerInfo{}) {}

  Confinement plan() {
    for (const Isolator one :
         {Isolator::kPidNamespace, Isolator::kMountNamespace, Isolator::kIpcNamespace,
          Isolator::kUtsNamespace, Isolator::kCgroupNamespace}) {
      if (uses(one)) put(plan_.namespaces, one);
    }
    if (asked_.user_namespace) put(plan_.namespaces, Isolator::kUserNamespace);
    if (asked_.rootfs) {
      plan_root(*asked_.rootfs);
    } else if (uses(Isolator::kMountNamespace)) {
      open_own();
      cover_private();
      if (uses(Isolator::kPidNamespace)) plan_proc();
      plan_sys();
      if (uses(Isolator::kIpcNamespace)) plan_shared_memory();
      attach_volumes();
    }
    plan_names();
    plan_process();
    return std::move(plan_);
  }

 private:
  // What is the container's own, and where it is seen.
  struct Own {
    std::string target;
    std::optional<uint16_t> slot;  // none: memory of so many bytes
    uint64_t bytes = 0;
  };

  bool uses(Isolator one) const { return has(config_.isolators, one); }
  void add(ConfinementStep step) { plan_.steps.push_back(std::move(step)); }

  uint16_t open(std::string source, uint32_t flags, std::string within = {}) {
    add({.kind = StepKind::kOpen,
         .slot = slots_,
         .flags = flags,
         .within = std::move(within),
         .source = std::move(source)});
    return slots_++;
  }
  void keep(std::string source, std::string target, uint32_t flags) {
    own_.push_back({.target = std::move(target), .slot = open(std::move(source), flags)});
  }
  std::string place(std::string_view path) const {
    return path.starts_with('/') ? std::string(path) : fmt::format("{}/{}", sandbox(), path);
  }

  // As it is seen inside.
  std::string sandbox() const {
    return asked_.rootfs ? std::string(kSandboxInside) : input_.sandbox;
  }

  // What lasts is the same to all tasks, in whatever user namespace they are.
  uint32_t volume_flags(bool read_only) const {
    return (read_only ? uint32_t{kReadOnly} : 0) | (asked_.user_namespace ? uint32_t{kMapIds} : 0);
  }

  void open_own() {
    keep(input_.sandbox, sandbox(), 0);
    if (!input_.shared_directory.empty()) {
      keep(input_.shared_directory, input_.shared_directory, 0);
    }
    for (const VolumeMount& volume : input_.volumes) {
      const VolumePlace& place = volume.place;
      volumes_.push_back(
          {.target = this->place(volume.container_path),
           .slot = open(place.directory.empty() ? place.base : place.base + "/" + place.directory,
                        volume_flags(volume.read_only))});
    }
    for (const ContainerVolume& volume : asked_.volumes) open_volume(volume);
    // One inside another comes after it.
    std::ranges::stable_sort(volumes_, {}, &Own::target);
  }

  void open_volume(const ContainerVolume& volume) {
    const std::string path = plain_path(volume.container_path);
    const std::string source = plain_path(volume.source_path);
    const uint32_t flags = kNoDevices | (volume.read_only ? uint32_t{kReadOnly} : 0);
    Own own{.target = place(path), .slot = {}};
    if (asked_.rootfs) {
      // The place is made when the volume is put there.
    } else if (!path.starts_with('/')) {
      plan_.directories.push_back(path);
    } else {
      // What is seen at a path of the machine's may change what its programs trust.
      plan_.no_new_privileges = true;
    }
    switch (volume.source) {
      case ContainerVolume::Source::kHostPath: {
        const std::string* above = find_above(config_.volume_host_paths, source);
        CHECK(above != nullptr);
        own.slot = open(below(*above, source), flags, *above);
        break;
      }
      case ContainerVolume::Source::kSandboxPath:
        plan_.directories.push_back(source);
        own.slot = open(source, flags, input_.sandbox);
        break;
      case ContainerVolume::Source::kTmpfs:
        own.bytes = volume.size_bytes;
        if (own.bytes == 0) own.bytes = static_cast<uint64_t>(input_.memory_bytes) / 2;
        break;
    }
    volumes_.push_back(std::move(own));
  }

  void show(const Own& own) {
    add({.kind = StepKind::kAttach,
         .slot = *own.slot,
         .flags = asked_.rootfs ? uint32_t{kMake} : 0,
         .target = own.target});
  }

  void attach_volumes() {
    for (const Own& own : volumes_) {
      if (own.slot) {
        show(own);
        continue;
      }
      add({.kind = StepKind::kMount,
           .flags = kNoSuid | kNoDevices,
           .target = own.target,
           .type = "tmpfs",
           .data = own.bytes == 0 ? "mode=1777" : fmt::format("mode=1777,size={}", own.bytes)});
    }
  }

  // Each private directory becomes an empty one, in which only what is the task's own is put back.
  void cover_private() {
    for (const std::string& directory : config_.private_directories) {
      if (is_inside_another(directory)) continue;
      const bool holds_own = std::ranges::any_of(
          own_, [&directory](const Own& one) { return one.target.starts_with(directory + "/"); });
      if (!holds_own) {
        add({.kind = StepKind::kHide, .optional = true, .target = directory});
        continue;
      }
      add({.kind = StepKind::kMount,
           .flags = kNoSuid | kNoDevices,
           .target = directory,
           .type = "tmpfs",
           .data = "mode=0755,size=256k"});
      for (const Own& one : own_) {
        if (one.target.starts_with(directory + "/")) attach(one);
      }
      add({.kind = StepKind::kMount, .flags = kRemount | kReadOnly | kInert, .target = directory});
    }
  }

  bool is_inside_another(const std::string& directory) const {
    return std::ranges::any_of(config_.private_directories, [&directory](const std::string& one) {
      return directory.starts_with(one + "/");
    });
  }

  void attach(const Own& own) {
    add({.kind = StepKind::kDirectory, .mode = 0755, .target = own.target});
    add({.kind = StepKind::kAttach, .slot = *own.slot, .target = own.target});
  }

  void plan_proc() {
    add({.kind = StepKind::kMount, .flags = kInert, .target = "/proc", .type = "proc"});
    for (const std::string_view path : kReadOnlyInProc) {
      const uint16_t slot = slots_++;
      add({.kind = StepKind::kOpen,
           .optional = true,
           .slot = slot,
           .flags = kReadOnly | kInert,
           .source = std::string(path)});
      add({.kind = StepKind::kAttach, .optional = true, .slot = slot, .target = std::string(path)});
    }
    for (const std::string_view path : kHiddenInProc) {
      add({.kind = StepKind::kHide, .optional = true, .target = std::string(path)});
    }
  }

  void plan_sys() {
    if (uses(Isolator::kCgroupNamespace) && !config_.cgroup_mount.empty()) {
      // A file system is not mounted over itself.
      add({.kind = StepKind::kHide, .target = config_.cgroup_mount});
      add({.kind = StepKind::kMount,
           .flags = kInert,
           .target = config_.cgroup_mount,
           .type = "cgroup2"});
    }
    add({.kind = StepKind::kAttributes, .optional = true, .flags = kReadOnly, .target = "/sys"});
    if (!config_.cgroup_mount.empty() && !config_.cgroup_mount.starts_with("/sys/")) {
      add({.kind = StepKind::kAttributes, .flags = kReadOnly, .target = config_.cgroup_mount});
    }
  }

  void plan_root(const RootFilesystem& rootfs) {
    plan_.root = ContainerRoot{.layers = {}, .read_only = rootfs.read_only, .upper = {}};
    if (!rootfs.read_only) plan_.root->upper = input_.upper;
    if (rootfs.type == RootFilesystem::Type::kDirectory) open_layer(plain_path(rootfs.path));
    open_own();
    for (const std::string_view device : kDevices) {
      devices_.push_back({.target = std::string(device), .slot = open(std::string(device), 0)});
    }
    const bool on_network = asked_.network == ContainerInfo::Network::kHost;
    if (on_network) keep_settings("/etc/resolv.conf");
    if (on_network) keep_settings("/etc/hosts");
    if (asked_.hostname.empty()) keep_settings("/etc/hostname");
    add({.kind = StepKind::kRoot, .target = input_.sandbox});
    plan_devices();
    plan_proc();
    plan_own_sys();
    plan_temporary(rootfs.read_only);
    plan_settings(on_network);
    for (const Own& own : own_) show(own);
    attach_volumes();
    if (!rootfs.read_only) return;
    add({.kind = StepKind::kMount, .flags = kRemount | kReadOnly | kNoDevices, .target = "/"});
  }

  // Only to see that no link leads out of what the operator names.
  void open_layer(const std::string& path) {
    const std::string* above = find_above(config_.image_directories, path);
    CHECK(above != nullptr);
    open(below(*above, path), kReadOnly, *above);
    plan_.root->layers = {path};
  }

  // How the machine is configured; it need not be.
  void keep_settings(const std::string& path) {
    settings_.push_back({.target = path, .slot = open(path, kReadOnly | kInert)});
    plan_.steps.back().optional = true;
  }

  void plan_devices() {
    add({.kind = StepKind::kMount,
         .flags = kInert,
         .target = "/dev",
         .type = "tmpfs",
         .data = "mode=0755,size=64k"});
    for (const Own& own : devices_) show(own);
    add({.kind = StepKind::kMount,
         .flags = kNoSuid | kNoExecute,
         .target = "/dev/pts",
         .type = "devpts",
         .data = "newinstance,ptmxmode=0666,mode=0620,gid=5"});
    for (const auto& [source, target] : kDeviceLinks) {
      add({.kind = StepKind::kLink, .source = std::string(source), .target = std::string(target)});
    }
    plan_shared_memory();
  }

  void plan_own_sys() {
    add({.kind = StepKind::kMount, .flags = kInert, .target = "/sys", .type = "sysfs"});
    if (uses(Isolator::kCgroupNamespace) && !config_.cgroup_mount.empty()) {
      add({.kind = StepKind::kMount,
           .flags = kInert,
           .target = "/sys/fs/cgroup",
           .type = "cgroup2"});
    }
    add({.kind = StepKind::kHide, .optional = true, .target = "/sys/firmware"});
    add({.kind = StepKind::kAttributes, .flags = kReadOnly, .target = "/sys"});
  }

  void plan_temporary(bool read_only) {
    if (!read_only) {
      add({.kind = StepKind::kDirectory, .mode = 01777, .target = "/tmp"});
      return;
    }
    for (const char* path : {"/tmp", "/run"}) {
      add({.kind = StepKind::kMount,
           .flags = kNoSuid | kNoDevices,
           .target = path,
           .type = "tmpfs",
           .data = path == std::string_view("/tmp") ? "mode=1777" : "mode=0755"});
    }
  }

  void plan_settings(bool on_network) {
    for (const Own& own : settings_) {
      show(own);
      plan_.steps.back().optional = true;
    }
    const std::string& name = asked_.hostname;
    if (!name.empty()) {
      add({.kind = StepKind::kFile, .target = "/etc/hostname", .data = name + "\n"});
    }
    if (on_network) return;
    std::string hosts = "127.0.0.1 localhost\n::1 localhost\n";
    if (!name.empty()) hosts += fmt::format("127.0.1.1 {}\n", name);
    add({.kind = StepKind::kFile, .target = "/etc/hosts", .data = std::move(hosts)});
  }

  void plan_names() {
    if (!asked_.hostname.empty()) {
      add({.kind = StepKind::kHostname, .source = asked_.hostname});
    }
    if (asked_.network == ContainerInfo::Network::kLoopback) {
      put(plan_.namespaces, Isolator::kNetNamespace);
      add({.kind = StepKind::kLoopback});
    }
  }

  void plan_process() {
    if (uses(Isolator::kCapabilities)) {
      const CapabilitySet granted = asked_.capabilities.value_or(config_.capabilities);
      plan_.capabilities = CapabilityLimits{.bounding = granted, .effective = granted};
    }
    plan_.rlimits = asked_.rlimits;
    plan_.no_new_privileges |= uses(Isolator::kNoNewPrivileges);
    plan_.filters_calls =
        uses(Isolator::kSeccomp) && asked_.seccomp == ContainerInfo::Seccomp::kDefault;
  }

  void plan_shared_memory() {
    add({.kind = StepKind::kMount,
         .flags = kNoSuid | kNoDevices,
         .target = "/dev/shm",
         .type = "tmpfs",
         .data = asked_.rootfs
                     ? fmt::format("mode=1777,size={}",
                                   asked_.shm_bytes != 0 ? asked_.shm_bytes : kSharedMemoryBytes)
                     : "mode=1777"});
    add({.kind = StepKind::kMount,
         .optional = true,
         .flags = kInert,
         .target = "/dev/mqueue",
         .type = "mqueue"});
  }

  const ConfinementInput& input_;
  const ConfinementSettings& config_;
  const ContainerInfo asked_;
  Confinement plan_;
  std::vector<Own> own_;
  std::vector<Own> devices_;
  std::vector<Own> settings_;
  std::vector<Own> volumes_;
  uint16_t slots_ = 0;
};

}  // namespace

Confinement plan_confinement(const ConfinementInput& input) { return Planner(input).plan(); }

const std::string* find_above(const std::vector<std::string>& directories, std::string_view path) {
  const std::string* found = nullptr;
  for (const std::string& one : directories) {
    const bool is_above = path == one || one == "/" || path.starts_with(one + "/");
    if (is_above && (found == nullptr || one.size() > found->size())) found = &one;
  }
  return found;
}

std::string plain_path(std::string_view path) {
  std::string plain;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") {
      if (!plain.empty() || path.starts_with('/')) plain += '/';
      plain += part;
    }
    begin = end + 1;
  }
  return plain.empty() && path.starts_with('/') ? "/" : plain;
}

std::string describe(const ConfinementStep& step) {
  switch (step.kind) {
    case StepKind::kMount:
      if ((step.flags & kRemount) != 0) return "protecting " + step.target;
      return fmt::format("mounting {} at {}", step.type, step.target);
    case StepKind::kOpen:
      if ((step.flags & kMapIds) != 0) {
        return fmt::format("showing {} with the ids of a user namespace", step.source);
      }
      return step.within.empty() ? "opening " + step.source
                                 : fmt::format("opening {} in {}", step.source, step.within);
    case StepKind::kAttach:
      return "showing a directory or file at " + step.target;
    case StepKind::kDirectory:
      return "making the directory " + step.target;
    case StepKind::kAttributes:
      return "protecting " + step.target;
    case StepKind::kHide:
      return "hiding " + step.target;
    case StepKind::kFile:
      return "writing " + step.target;
    case StepKind::kLink:
      return "making the link " + step.target;
    case StepKind::kRoot:
    case StepKind::kPivot:
      return "entering the root file system of the container";
    case StepKind::kEnter:
      return "entering " + step.target;
    case StepKind::kHostname:
      return fmt::format("setting the host name '{}'", step.source);
    case StepKind::kLoopback:
      return "bringing up the loopback interface";
  }
  return "a step";
}

}  // namespace tepui
