#include "agent/confinement.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tepui {
namespace {

constexpr std::string_view kSysctls = "/proc/sys";
// What the kernel tells about itself and about everybody, and what no task should touch.
constexpr std::string_view kReadOnlyInProc[] = {kSysctls, "/proc/sysrq-trigger", "/proc/irq",
                                                "/proc/bus", "/proc/fs"};
constexpr std::string_view kHiddenInProc[] = {
    "/proc/kcore",       "/proc/keys", "/proc/timer_list", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/acpi"};

constexpr uint32_t kInert = kNoSuid | kNoDevices | kNoExecute;

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
    if (uses(Isolator::kMountNamespace)) {
      open_own();
      cover_private();
      if (uses(Isolator::kPidNamespace)) plan_proc();
      plan_sys();
      if (uses(Isolator::kIpcNamespace)) plan_shared_memory();
    }
    plan_names();
    plan_process();
    return std::move(plan_);
  }

 private:
  struct Own {
    std::string target;
    uint16_t slot;
  };

  bool uses(Isolator one) const { return has(config_.isolators, one); }
  void add(ConfinementStep step) { plan_.steps.push_back(std::move(step)); }

  uint16_t open(std::string source, uint32_t flags) {
    add({.kind = StepKind::kOpen, .slot = slots_, .flags = flags, .source = std::move(source)});
    return slots_++;
  }
  void keep(std::string source, std::string target, uint32_t flags) {
    own_.push_back({.target = std::move(target), .slot = open(std::move(source), flags)});
  }

  void open_own() {
    keep(input_.sandbox, input_.sandbox, 0);
    if (!input_.shared_directory.empty()) {
      keep(input_.shared_directory, input_.shared_directory, 0);
    }
    for (const VolumeMount& volume : input_.volumes) {
      const VolumePlace& place = volume.place;
      keep(place.directory.empty() ? place.base : place.base + "/" + place.directory,
           input_.sandbox + "/" + volume.container_path,
           volume.read_only ? uint32_t{kReadOnly} : 0);
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
    add({.kind = StepKind::kAttach, .slot = own.slot, .target = own.target});
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
    plan_.no_new_privileges = uses(Isolator::kNoNewPrivileges);
    plan_.filters_calls =
        uses(Isolator::kSeccomp) && asked_.seccomp == ContainerInfo::Seccomp::kDefault;
  }

  void plan_shared_memory() {
    add({.kind = StepKind::kMount,
         .flags = kNoSuid | kNoDevices,
         .target = "/dev/shm",
         .type = "tmpfs",
         .data = "mode=1777"});
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
  uint16_t slots_ = 0;
};

}  // namespace

Confinement plan_confinement(const ConfinementInput& input) { return Planner(input).plan(); }

std::string describe(const ConfinementStep& step) {
  switch (step.kind) {
    case StepKind::kMount:
      if ((step.flags & kRemount) != 0) return "protecting " + step.target;
      return fmt::format("mounting {} at {}", step.type, step.target);
    case StepKind::kOpen:
      return "opening " + step.source;
    case StepKind::kAttach:
      return "showing a directory or file at " + step.target;
    case StepKind::kDirectory:
      return "making the directory " + step.target;
    case StepKind::kAttributes:
      return "protecting " + step.target;
    case StepKind::kHide:
      return "hiding " + step.target;
    case StepKind::kHostname:
      return fmt::format("setting the host name '{}'", step.source);
    case StepKind::kLoopback:
      return "bringing up the loopback interface";
  }
  return "a step";
}

}  // namespace tepui
