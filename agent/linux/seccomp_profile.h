#pragma once
// SeccompProfiles makes the filter of system calls that containers get, see seccomp(2).
//
// What is refused (EPERM) reaches beyond a container, or is a part of the kernel that few need and
// many attacks began with: mounts and namespaces, modules, clocks, keys, other processes' memory,
// tracing and eBPF. io_uring is permitted: executors and schedulers of our SDK, which run in
// containers too, are made of it. What a capability governs is permitted to who has it. System
// calls that are newer than this profile do not exist (ENOSYS), so that programs use what they used
// before.
//
// A filter is made once for each set of capabilities and kept. Any thread may ask.

#include <map>
#include <mutex>
#include <string>

#include "common/capabilities.h"
#include "common/result.h"

namespace tepui {

class SeccompProfiles {
 public:
  // The instructions, eight bytes each, for processes with at most these capabilities.
  Result<std::string> filter(CapabilitySet capabilities);

 private:
  std::mutex mutex_;
  std::map<CapabilitySet, std::string> filters_;  // bounded by what agents permit to be asked for
};

}  // namespace tepui
