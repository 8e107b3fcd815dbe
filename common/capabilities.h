#pragma once
// Capabilities of processes, see capabilities(7): names and numbers of the kernel's interface.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

// One bit each, as the kernel counts them.
using CapabilitySet = uint64_t;

inline constexpr int kCapabilityCount = 41;
inline constexpr CapabilitySet kAllCapabilities = (CapabilitySet{1} << kCapabilityCount) - 1;

// What root has in a container where nobody says otherwise: it may be root among its own files,
// users and low ports, and nothing of the machine's. Neither device nodes nor mounts.
extern const CapabilitySet kDefaultCapabilities;

// "CAP_NET_RAW", "NET_RAW" and "net_raw" are the same. The error names the word.
Result<CapabilitySet> parse_capabilities(const std::vector<std::string>& names);
// "CAP_CHOWN", … in the order of the bits.
std::vector<std::string> to_names(CapabilitySet set);

}  // namespace tepui
