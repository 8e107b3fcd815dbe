#pragma once
// ZkAddress says where an ensemble is and below which node a cluster lives, as people write it:
// zk://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/PATH. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

struct ZkAddress {
  std::vector<std::string> servers;  // "10.0.0.1:2181"; the port is always there
  std::string path;                  // "/tepui/prod", no slash at the end
  std::string user;                  // with a password: digest authentication; empty: none
  std::string password;
  bool operator==(const ZkAddress&) const = default;
};

// Whether this means an ensemble rather than HOST:PORT.
bool is_zk(std::string_view text);
Result<ZkAddress> parse_zk(std::string_view text);
// Without the password, for logs and messages.
std::string to_text(const ZkAddress& address);

}  // namespace tepui
