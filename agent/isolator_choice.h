#pragma once
// Isolators are what keeps a container apart from others; --isolation names those of an agent.
//
//   auto                   all that this machine can, the rest said once; the default
//   auto,memory            the same, but the agent refuses to start without memory
//   auto,-namespaces/pid   the same without one
//   cpu,memory,seccomp     exactly these, each required
//   none                   none
//
// Pure.

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

// Those of control groups first, in the order in which they are written.
enum class Isolator : uint8_t {
  kCpu,
  kCpuset,
  kMemory,
  kIo,
  kPids,
  kHugetlb,
  kDevices,
  kDisk,
  kDiskImage,
  kEgress,
  kPorts,
  kPidNamespace,
  kMountNamespace,
  kIpcNamespace,
  kUtsNamespace,
  kCgroupNamespace,
  kCapabilities,
  kSeccomp,
  kNoNewPrivileges,
  kNetNamespace,   // of containers that ask for one
  kUserNamespace,  // likewise
};
inline constexpr size_t kIsolatorCount = 21;

using IsolatorSet = std::bitset<kIsolatorCount>;
inline bool has(const IsolatorSet& set, Isolator one) { return set[static_cast<size_t>(one)]; }
inline void put(IsolatorSet& set, Isolator one) { set.set(static_cast<size_t>(one)); }

// "cpu", "namespaces/pid".
std::string_view to_text(Isolator isolator);
std::optional<Isolator> find_isolator(std::string_view name);
// "cpu, memory, …": all of them.
std::string list_isolators();
// It needs the cgroup v2 controller of its name.
bool needs_controller(Isolator isolator);

struct IsolatorChoice {
  IsolatorSet wanted;
  IsolatorSet required;  // among the wanted
};

// The error names the word and those that are known.
Result<IsolatorChoice> parse_isolation(const std::vector<std::string>& words);

// What an agent cannot have, and why: a sentence.
struct MissingIsolator {
  Isolator isolator;
  std::string why;
};

// Takes what is missing out of the wanted; what degrades becomes sentences. Refuses if one of them
// was required.
struct UsableIsolators {
  IsolatorSet usable;
  std::vector<std::string> degraded;
};
Result<UsableIsolators> settle_isolation(const IsolatorChoice& choice,
                                         const std::vector<MissingIsolator>& missing);

}  // namespace tepui
