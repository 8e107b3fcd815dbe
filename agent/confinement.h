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
// Sources are opened before anything is covered, and put into place afterwards.
//
// Pure: agent/linux turns it into what the shim reads.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/isolator_choice.h"
#include "agent/volumes.h"
#include "common/capabilities.h"
#include "common/ids.h"

namespace tepui {

// How a mount differs from the usual; a set of bits.
enum MountFlag : uint32_t {
  kNoSuid = 1,
  kNoDevices = 2,
  kNoExecute = 4,
  kReadOnly = 8,
  kRemount = 16,  // change the mount that is there, and only it
};

enum class StepKind : uint8_t {
  kMount,       // a file system of `type` with `data` at target
  kOpen,        // a copy of what is at source, with flags for all of it, into a slot
  kAttach,      // that slot to target
  kDirectory,   // target, with those above it; mode
  kAttributes,  // flags for the mount at target and all below it
  kHide,        // target is an empty directory, or the null device
};

struct ConfinementStep {
  StepKind kind = StepKind::kMount;
  bool optional = false;  // it may be that target or source is not there
  uint16_t slot = 0;
  uint32_t flags = 0;  // MountFlag
  uint32_t mode = 0;
  std::string source;
  std::string target;
  std::string type;
  std::string data;
  bool operator==(const ConfinementStep&) const = default;
};

struct CapabilityLimits {
  CapabilitySet bounding = kDefaultCapabilities;
  CapabilitySet effective = kDefaultCapabilities;
  bool operator==(const CapabilityLimits&) const = default;
};

// A root file system made of layers.
struct ContainerRoot {
  std::vector<std::string> layers;  // uppermost first, absolute
  bool read_only = false;
  std::string upper;  // where what is written goes; absolute
};

struct Confinement {
  IsolatorSet namespaces;  // among its own
  ContainerId joins;       // all namespaces of this one, and none of its own; empty: nobody's
  std::vector<ConfinementStep> steps;
  std::optional<CapabilityLimits> capabilities;  // absent: those of the agent
  bool no_new_privileges = false;
  bool filters_calls = false;         // by the seccomp profile
  std::optional<ContainerRoot> root;  // absent: the machine's
};

// What an agent's containers have in common.
struct ConfinementSettings {
  IsolatorSet isolators;  // usable ones
  CapabilitySet capabilities = kDefaultCapabilities;
  std::string cgroup_mount;  // absolute, of the v2 hierarchy; empty: there is none
  // Absolute directories with what belongs to tasks or to the agent, the work directory first.
  std::vector<std::string> private_directories;
};

struct ConfinementInput {
  const ConfinementSettings& config;
  std::string sandbox;  // absolute
  const std::vector<VolumeMount>& volumes;
  std::string shared_directory;  // absolute, seen inside as it is; empty: none
};

Confinement plan_confinement(const ConfinementInput& input);

// A sentence for what a step does: "mounting proc at /proc".
std::string describe(const ConfinementStep& step);

}  // namespace tepui
