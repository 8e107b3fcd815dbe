#pragma once
// ShimSpec is what a shim needs to know to start one command; encode_shim_spec() lays it out as
// shim_protocol.h describes. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/confinement.h"
#include "agent/id_range.h"
#include "common/result.h"
#include "common/tasks.h"

namespace tepui {

struct UserIds {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
  bool operator==(const UserIds&) const = default;
};

// What stdout and stderr may take of the disk, each.
struct OutputLimit {
  uint64_t file_bytes_max = 0;  // 0: no limit, and nobody between the command and its files
  uint32_t files = 2;           // that are kept: this one, and older ones with a number; 1 or more
  bool operator==(const OutputLimit&) const = default;
};

struct ShimSpec {
  std::string program;                 // without a '/': looked up in the command's PATH
  std::vector<std::string> arguments;  // argv, the name of the program included
  std::string directory;               // absolute
  std::vector<EnvironmentVariable> environment;
  std::optional<UserIds> user;  // absent: the agent's own; as it is within the namespaces
  std::optional<IdRange> ids;   // of its own user namespace; absent: it has none
  Confinement confinement;
  // Where it joins: the namespaces that the other process has.
  IsolatorSet joined;
  std::string filter;  // instructions of seccomp; empty: none
  OutputLimit output;
};

// Program, arguments and directory of a command whose sandbox is the directory `sandbox`.
ShimSpec make_shim_spec(const CommandInfo& command,
                        const std::vector<EnvironmentVariable>& environment,
                        const std::string& sandbox);

// The steps as the shim does them: how a root is put together depends on its layers.
std::vector<ConfinementStep> complete_steps(const Confinement& confinement);

// Refuses what no program could receive: a zero byte in a string, a '=' in a variable's name; and
// more steps than a shim has slots for.
Result<std::string> encode_shim_spec(const ShimSpec& spec);

}  // namespace tepui
