#pragma once
// MasterInfo is what a contending master says of itself in ZooKeeper, as JSON in the form that
// tools for Mesos read, too: they find the leader by it.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace tepui {

struct MasterInfo {
  std::string id;        // of this life of the process
  std::string hostname;  // for people
  std::string ip;        // "10.0.0.1", "fd00::1"
  uint16_t port = 0;
  std::string version;
  bool operator==(const MasterInfo&) const = default;
};

std::string to_json(const MasterInfo& info);
// Only what is needed to reach the master: `ip` and `port`, and `hostname` and `id` if they are
// there.
Result<MasterInfo> parse_master_info(std::string_view json);
// "10.0.0.1:5050", "[fd00::1]:5050"
std::string address_of(const MasterInfo& info);

}  // namespace tepui
