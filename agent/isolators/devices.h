#pragma once
// The devices isolator: what a container may read, write and make, a rule a write, in the words of
// cgroup v1's devices.allow ("c 1:3 rwm", "b 8:* r"). There is no such file in v2: agent/linux
// turns the rules into one eBPF program on the cgroup, which denies all else.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/isolation_plan.h"
#include "common/result.h"

namespace tepui {

struct DeviceRule {
  bool block = false;             // otherwise a character device
  std::optional<uint32_t> major;  // nothing: any
  std::optional<uint32_t> minor;
  bool read = false;
  bool write = false;
  bool make = false;
  bool operator==(const DeviceRule&) const = default;
};

// "c 1:3 rwm", "c 136:* rw", "b *:* m". The error says what was expected.
Result<DeviceRule> parse_device_rule(std::string_view text);

// null, zero, full, tty, console, random, urandom, ptmx and pts.
const std::vector<std::string>& default_devices();

void plan_devices(const IsolationInput& input, IsolationPlan& plan);

}  // namespace tepui
