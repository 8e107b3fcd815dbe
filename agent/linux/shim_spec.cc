#include "agent/linux/shim_spec.h"

#include <fmt/format.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/resource.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "agent/linux/shim_protocol.h"

namespace tepui {
namespace {

template <class T>
void append_raw(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

uint32_t namespace_flags(const IsolatorSet& namespaces) {
  constexpr std::pair<Isolator, uint32_t> kFlags[] = {
      {Isolator::kPidNamespace, CLONE_NEWPID},       {Isolator::kMountNamespace, CLONE_NEWNS},
      {Isolator::kIpcNamespace, CLONE_NEWIPC},       {Isolator::kUtsNamespace, CLONE_NEWUTS},
      {Isolator::kCgroupNamespace, CLONE_NEWCGROUP}, {Isolator::kNetNamespace, CLONE_NEWNET},
      {Isolator::kUserNamespace, CLONE_NEWUSER},
  };
  uint32_t flags = 0;
  for (const auto& [isolator, flag] : kFlags) {
    if (has(namespaces, isolator)) flags |= flag;
  }
  return flags;
}

uint64_t attribute_flags(uint32_t flags) {
  return ((flags & kNoSuid) != 0 ? MOUNT_ATTR_NOSUID : 0) |
         ((flags & kNoDevices) != 0 ? MOUNT_ATTR_NODEV : 0) |
         ((flags & kNoExecute) != 0 ? MOUNT_ATTR_NOEXEC : 0) |
         ((flags & kReadOnly) != 0 ? MOUNT_ATTR_RDONLY : 0) |
         ((flags & kMapIds) != 0 ? MOUNT_ATTR_IDMAP : 0);
}

uint64_t mount_flags(uint32_t flags) {
  return ((flags & kNoSuid) != 0 ? MS_NOSUID : 0) | ((flags & kNoDevices) != 0 ? MS_NODEV : 0) |
         ((flags & kNoExecute) != 0 ? MS_NOEXEC : 0) | ((flags & kReadOnly) != 0 ? MS_RDONLY : 0) |
         ((flags & kRemount) != 0 ? MS_REMOUNT | MS_BIND : 0);
}

ShimStep encode_step(const ConfinementStep& step) {
  const auto make = [&step](ShimStepKind kind, uint64_t flags) {
    return ShimStep{.kind = static_cast<uint32_t>(kind),
                    .slot = step.slot,
                    .optional = static_cast<uint16_t>(step.optional ? 1 : 0),
                    .flags = flags};
  };
  switch (step.kind) {
    case StepKind::kMount:
      return make(ShimStepKind::kMount, mount_flags(step.flags));
    case StepKind::kOpen:
      return make(ShimStepKind::kOpenTree, attribute_flags(step.flags));
    case StepKind::kAttach:
      return make(ShimStepKind::kAttach, (step.flags & kMake) != 0 ? kShimMake : 0);
    case StepKind::kDirectory:
      return make(ShimStepKind::kDirectory, step.mode);
    case StepKind::kAttributes:
      return make(ShimStepKind::kAttributes, attribute_flags(step.flags));
    case StepKind::kHide:
      return make(ShimStepKind::kHide, 0);
    case StepKind::kFile:
      return make(ShimStepKind::kFile, 0);
    case StepKind::kLink:
      return make(ShimStepKind::kLink, 0);
    case StepKind::kEnter:
      return make(ShimStepKind::kEnter, 0);
    case StepKind::kRoot:
    case StepKind::kPivot:
      return make(ShimStepKind::kPivot, 0);
    case StepKind::kHostname:
      return make(ShimStepKind::kHostname, 0);
    case StepKind::kLoopback:
      return make(ShimStepKind::kLoopback, 0);
  }
  return make(ShimStepKind::kMount, 0);
}

uint32_t resource_of(RlimitType type) {
  switch (type) {
    case RlimitType::kAs:
      return RLIMIT_AS;
    case RlimitType::kCore:
      return RLIMIT_CORE;
    case RlimitType::kCpu:
      return RLIMIT_CPU;
    case RlimitType::kData:
      return RLIMIT_DATA;
    case RlimitType::kFsize:
      return RLIMIT_FSIZE;
    case RlimitType::kLocks:
      return RLIMIT_LOCKS;
    case RlimitType::kMemlock:
      return RLIMIT_MEMLOCK;
    case RlimitType::kMsgqueue:
      return RLIMIT_MSGQUEUE;
    case RlimitType::kNice:
      return RLIMIT_NICE;
    case RlimitType::kNofile:
      return RLIMIT_NOFILE;
    case RlimitType::kNproc:
      return RLIMIT_NPROC;
    case RlimitType::kRss:
      return RLIMIT_RSS;
    case RlimitType::kRtprio:
      return RLIMIT_RTPRIO;
    case RlimitType::kRttime:
      return RLIMIT_RTTIME;
    case RlimitType::kSigpending:
      return RLIMIT_SIGPENDING;
    case RlimitType::kStack:
      return RLIMIT_STACK;
  }
  return RLIM_NLIMITS;  // which the kernel refuses
}

Result<void> append_text(std::string& bytes, std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos) {
    return fail(fmt::format("the {} of the command has a zero byte in it", what));
  }
  bytes.append(text);
  bytes.push_back('\0');
  return {};
}

}  // namespace

ShimSpec make_shim_spec(const CommandInfo& command,
                        const std::vector<EnvironmentVariable>& environment,
                        const std::string& sandbox) {
  ShimSpec spec;
  spec.environment = environment;
  if (command.shell) {
    spec.program = "/bin/sh";
    spec.arguments = {"sh", "-c", command.value};
  } else {
    spec.program = command.value;
    spec.arguments =
        command.arguments.empty() ? std::vector<std::string>{command.value} : command.arguments;
  }
  const std::string& directory = command.working_directory;
  if (directory.empty()) {
    spec.directory = sandbox;
  } else {
    spec.directory = directory.starts_with('/') ? directory : sandbox + "/" + directory;
  }
  return spec;
}

namespace {

ShimSpecHeader make_header(const ShimSpec& spec) {
  const Confinement& confinement = spec.confinement;
  ShimSpecHeader header;
  header.argument_count = static_cast<uint32_t>(spec.arguments.size());
  header.variable_count = static_cast<uint32_t>(spec.environment.size());
  if (spec.user.has_value()) {
    header.switch_user = 1;
    header.uid = spec.user->uid;
    header.gid = spec.user->gid;
    header.group_count = static_cast<uint32_t>(spec.user->groups.size());
  }
  header.namespaces = namespace_flags(confinement.namespaces);
  header.joins = namespace_flags(spec.joined);
  header.rlimit_count = static_cast<uint32_t>(confinement.rlimits.size());
  header.filter_count = static_cast<uint32_t>(spec.filter.size() / kShimFilterBytes);
  header.output_bytes_max = spec.output.file_bytes_max;
  header.output_files = spec.output.files;
  if (spec.ids) {
    header.ids_first = spec.ids->first;
    header.ids_count = spec.ids->count;
  }
  header.no_new_privileges = confinement.no_new_privileges ? 1 : 0;
  if (confinement.capabilities.has_value()) {
    header.set_capabilities = 1;
    header.bounding = confinement.capabilities->bounding;
    const bool is_root = !spec.user || spec.user->uid == 0;
    header.effective = is_root ? confinement.capabilities->effective : 0;
  }
  return header;
}

// What separates the parts of a mount's options stands for itself in a path.
std::string escape(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    if (c == ':' || c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

// Layers beside each other are named by their last part: all options together must fit into a page.
std::string list_layers(const std::vector<std::string>& layers, std::string& folder) {
  folder = layers.empty() ? "" : parent_of(layers.front());
  for (const std::string& layer : layers) {
    if (parent_of(layer) != folder) folder.clear();
  }
  std::string list;
  for (const std::string& layer : layers) {
    if (!list.empty()) list += ':';
    list += escape(folder.empty() ? std::string_view(layer)
                                  : std::string_view(layer).substr(folder.size() + 1));
  }
  if (folder.empty()) folder = "/";
  return list;
}

// For what is put together here; the steps of a plan have those below.
constexpr uint16_t kLayerSlot = kShimSlots - 1;

// Copies of the layers with the ids of the container, in directories of `place` by their numbers.
// Each is in its place before the next is opened, so one slot is enough.
std::vector<std::string> append_mapped(std::vector<ConfinementStep>& steps,
                                       const std::vector<std::string>& layers,
                                       const std::string& place) {
  std::vector<std::string> mapped;
  for (const std::string& layer : layers) {
    const std::string own = fmt::format("{}/{}", place, mapped.size());
    steps.push_back({.kind = StepKind::kOpen,
                     .slot = kLayerSlot,
                     .flags = kReadOnly | kMapIds,
                     .source = layer});
    steps.push_back({.kind = StepKind::kDirectory, .mode = 0755, .target = own});
    steps.push_back({.kind = StepKind::kAttach, .slot = kLayerSlot, .target = own});
    mapped.push_back(own);
  }
  return mapped;
}

// An overlay, so that the layers are never changed; what makes places in a read-only one is memory.
void append_root(std::vector<ConfinementStep>& steps, const ContainerRoot& root, bool maps_ids,
                 const std::string& place) {
  const std::string& above = root.upper.empty() ? place : root.upper;
  if (root.upper.empty() || maps_ids) {
    steps.push_back({.kind = StepKind::kMount,
                     .flags = kNoDevices,
                     .target = place,
                     .type = "tmpfs",
                     .data = "mode=0755,size=1m"});
  }
  for (const char* name : {"/upper", "/work"}) {
    steps.push_back({.kind = StepKind::kDirectory, .mode = 0755, .target = above + name});
  }
  std::string folder;
  const std::string layers =
      list_layers(maps_ids ? append_mapped(steps, root.layers, place) : root.layers, folder);
  steps.push_back({.kind = StepKind::kEnter, .target = std::move(folder)});
  steps.push_back({.kind = StepKind::kMount,
                   .flags = kNoDevices,
                   .source = "overlay",
                   .target = place,
                   .type = "overlay",
                   .data = fmt::format("lowerdir={},upperdir={}/upper,workdir={}/work,volatile",
                                       layers, escape(above), escape(above))});
  steps.push_back({.kind = StepKind::kPivot, .target = place});
}

Result<void> check_step(const ConfinementStep& step, const Confinement& confinement) {
  if (step.kind == StepKind::kPivot && confinement.root->layers.empty()) {
    return fail("the container's root file system has not a single layer");
  }
  constexpr size_t kOptionsMax = 4095;  // a page, of the kernel
  if (step.kind == StepKind::kMount && step.data.size() > kOptionsMax) {
    return fail(fmt::format("the {} layers of the root file system have too long names: {} bytes",
                            confinement.root ? confinement.root->layers.size() : 0,
                            step.data.size()));
  }
  return {};
}

// The group in the options of devpts is the machine's: root of the machine mounts it.
std::string options_of(const ConfinementStep& step, const std::optional<IdRange>& ids) {
  constexpr std::string_view kGroup = ",gid=";
  const size_t at = step.data.rfind(kGroup);
  if (step.type != "devpts" || !ids || at == step.data.npos) return step.data;
  const std::string_view digits = std::string_view(step.data).substr(at + kGroup.size());
  uint32_t group = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), group);
  return fmt::format("{}{}{}", step.data.substr(0, at), kGroup, ids->first + group);
}

Result<void> append_steps(std::string& bytes, const std::vector<ConfinementStep>& steps,
                          const std::optional<IdRange>& ids) {
  for (const ConfinementStep& step : steps) {
    const std::string last = step.kind == StepKind::kOpen ? step.within : options_of(step, ids);
    for (const std::string* text : {&step.source, &step.target, &step.type, &last}) {
      TRY(append_text(bytes, *text, "confinement"));
    }
  }
  return {};
}

}  // namespace

std::vector<ConfinementStep> complete_steps(const Confinement& confinement) {
  std::vector<ConfinementStep> steps;
  for (const ConfinementStep& step : confinement.steps) {
    if (step.kind == StepKind::kRoot && confinement.root) {
      append_root(steps, *confinement.root, has(confinement.namespaces, Isolator::kUserNamespace),
                  step.target);
    } else {
      steps.push_back(step);
    }
  }
  return steps;
}

Result<std::string> encode_shim_spec(const ShimSpec& spec) {
  const std::vector<ConfinementStep> steps = complete_steps(spec.confinement);
  std::string bytes;
  ShimSpecHeader header = make_header(spec);
  header.step_count = static_cast<uint32_t>(steps.size());
  append_raw(bytes, header);
  bytes += spec.filter;
  for (const ConfinementStep& step : steps) {
    TRY(check_step(step, spec.confinement));
    append_raw(bytes, encode_step(step));
  }
  for (const ConfinementStep& step : spec.confinement.steps) {
    if (step.slot >= kLayerSlot) return fail("the container has too many volumes");
  }
  for (const Rlimit& limit : spec.confinement.rlimits) {
    append_raw(bytes, ShimRlimit{.resource = resource_of(limit.type),
                                 .soft = limit.soft.value_or(RLIM_INFINITY),
                                 .hard = limit.hard.value_or(RLIM_INFINITY)});
  }
  if (spec.user.has_value()) {
    for (uint32_t group : spec.user->groups) append_raw(bytes, group);
  }
  if (spec.program.empty()) return fail("the command is empty");
  TRY(append_text(bytes, spec.program, "program"));
  TRY(append_text(bytes, spec.directory, "working directory"));
  for (const std::string& argument : spec.arguments) {
    TRY(append_text(bytes, argument, "argument"));
  }
  for (const EnvironmentVariable& variable : spec.environment) {
    if (variable.name.empty() || variable.name.find('=') != std::string::npos) {
      return fail(
          fmt::format("\"{}\" cannot be the name of an environment variable", variable.name));
    }
    TRY(append_text(bytes, variable.name + "=" + variable.value, "environment"));
  }
  TRY(append_steps(bytes, steps, spec.ids));
  header.bytes = static_cast<uint32_t>(bytes.size());
  bytes.replace(0, sizeof header, reinterpret_cast<const char*>(&header), sizeof header);
  return bytes;
}

}  // namespace tepui
