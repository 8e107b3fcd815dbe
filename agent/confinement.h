#pragma once
// Confinement is what a container sees and may do, as the ordered list of what its shim does before
// the command begins: namespaces of its own, steps inside them, and what the process itself gives
// up. (How much of the machine it may use is the isolation plan's.)
//
// Without an image a task sees the machine's files, except those of other tasks: the agent's
// directories are empty but for its own sandbox and volumes, at the paths that they have outside.
// /sys and the settings in /proc are read-only; processes, System V memory, host name and control
// groups are its own.
//
// With a root file system of its own it sees nothing of the machine's but devices that harm nobody
// and how names are resolved; its sandbox is at kSandboxInside. All targets are inside then, and no
// link that the image has leads out.
//
// Sources are opened before anything is covered, and put into place afterwards.
//
// Pure: agent/linux turns it into what the shim reads.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/isolator_choice.h"
#include "agent/volumes.h"
#include "common/capabilities.h"
#include "common/container_info.h"
#include "common/ids.h"

namespace tepui {

// How a mount differs from the usual; a set of bits.
enum MountFlag : uint32_t {
  kNoSuid = 1,
  kNoDevices = 2,
  kNoExecute = 4,
  kReadOnly = 8,
  kRemount = 16,  // change the mount that is there, and only it
  kMake = 32,     // of kAttach in a root: the target is made, as what is shown, if it is not there
  kMapIds = 64,   // of kOpen: the container's ids are seen as those within, on the disk, too
};

enum class StepKind : uint8_t {
  kMount,       // a file system of `type` with `data` at target
  kOpen,        // a copy of what is at source, with flags for all of it, into a slot; if `within`
                // is given, source is relative to it, and no link leads out of it
  kAttach,      // that slot to target
  kDirectory,   // target, with those above it; mode
  kAttributes,  // flags for the mount at target and all below it
  kHide,        // target is an empty directory, or the null device
  kFile,        // in a root: a file at target, with data
  kLink,        // a link to source at target
  kRoot,        // the root is put together at target, an empty directory outside, and entered; all
                // targets of later steps are inside
  kEnter,       // relative paths are below target (made of kRoot)
  kPivot,       // what is mounted at target becomes the root (made of kRoot)
  kHostname,    // source is the host name
  kLoopback,    // the loopback interface works
};

struct ConfinementStep {
  StepKind kind = StepKind::kMount;
  bool optional = false;  // it may be that target or source is not there
  uint16_t slot = 0;
  uint32_t flags = 0;  // MountFlag
  uint32_t mode = 0;
  std::string within;
  std::string source;
  std::string target;
  std::string type;
  std::string data;
  bool operator==(const ConfinementStep&) const = default;
};

struct CapabilityLimits {
  CapabilitySet bounding = kDefaultCapabilities;
  CapabilitySet effective = kDefaultCapabilities;  // of root; other users have none
  bool operator==(const CapabilityLimits&) const = default;
};

// The root file system of a container that has one of its own.
struct ContainerRoot {
  std::vector<std::string> layers;  // absolute directories, the uppermost first; filled in before
                                    // the launch where an image is unpacked
  bool read_only = false;
  std::string upper;  // absolute; what is written goes there (overlayfs upper and work below it);
                      // empty where read-only or bare directory
};

// Where a container with a root of its own sees its sandbox.
inline constexpr std::string_view kSandboxInside = "/mnt/mesos/sandbox";
// Below the work directory: what containers write to their roots, each in a folder named by its id.
inline constexpr std::string_view kRootsFolder = "roots";

struct Confinement {
  IsolatorSet namespaces;  // among its own
  ContainerId joins;       // all namespaces of this one, and none of its own; empty: nobody's
  std::vector<ConfinementStep> steps;
  // Below the sandbox, made for the command's user before any step.
  std::vector<std::string> directories;
  std::optional<ContainerRoot> root;             // absent: the machine's
  std::optional<CapabilityLimits> capabilities;  // absent: those of the agent
  std::vector<Rlimit> rlimits;                   // the others are those of the agent
  bool no_new_privileges = false;
  bool filters_calls = false;  // by the seccomp profile
};

// What an agent's containers have in common.
struct ConfinementSettings {
  IsolatorSet isolators;  // usable ones
  CapabilitySet capabilities = kDefaultCapabilities;
  bool allow_unconfined = false;               // a container may ask for no filter of system calls
  std::vector<std::string> volume_host_paths;  // absolute; what is there can be a volume
  std::vector<std::string> image_directories;  // absolute; what is there can be a root
  std::string cgroup_mount;  // absolute, of the v2 hierarchy; empty: there is none
  // Absolute directories with what belongs to tasks or to the agent, the work directory first.
  std::vector<std::string> private_directories;
};

struct ConfinementInput {
  const ConfinementSettings& config;
  std::string sandbox;  // absolute
  const std::vector<VolumeMount>& volumes;
  std::string shared_directory;  // absolute, seen inside as it is; empty: none
  // What check_container() granted; null: nothing was asked for.
  const ContainerInfo* container = nullptr;
  int64_t memory_bytes = 0;  // its limit; 0: none
  std::string upper;         // absolute, for what is written to a root of its own
};

Confinement plan_confinement(const ConfinementInput& input);

// The longest of the absolute directories at or below which the absolute path is; null: none.
const std::string* find_above(const std::vector<std::string>& directories, std::string_view path);
// "/a//b/./c/" as "/a/b/c".
std::string plain_path(std::string_view path);

// A sentence for what a step does: "mounting proc at /proc".
std::string describe(const ConfinementStep& step);

}  // namespace tepui
