#pragma once
// The two isolators of the network:
//
// network/egress: a container sends at most as many bytes a second as its task requests of the
// resource network_egress (MB), or else as the operator configured; as many as in a tenth of a
// second, and at least 128 kB, at once. Counted are packets of IP with their headers, wherever they
// go, also to the machine itself.
// What is revocable has a limit in any case, the highest there is, so that a correction can lower
// it.
//
// network/ports: a container binds sockets of IP only to the ports that its task requests, and to
// port 0, for which the kernel chooses an ephemeral one. That is about binding, whatever follows: a
// client that insists on a port of its own needs it among its ports, too; one that just connects
// does not.
//
// No cgroup file says either: agent/linux puts eBPF programs on the cgroup.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/isolation_plan.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

inline constexpr std::string_view kEgressIsolator = "network/egress";
inline constexpr std::string_view kPortsIsolator = "network/ports";
inline constexpr std::string_view kEgressResource = "network_egress";

struct EgressBucket {
  int64_t bytes_per_second = 0;
  int64_t burst_bytes = 0;
  int64_t fill_ns = 0;  // in which it is full again
  bool operator==(const EgressBucket&) const = default;
};

void plan_network(const IsolationInput& input, IsolationPlan& plan);

// Of what such a plan writes; the error names the value.
Result<EgressBucket> parse_egress(std::string_view value);
Result<Ranges> parse_ports(std::string_view value);

}  // namespace tepui
