#include "common/zookeeper.h"

#include <fmt/format.h>

namespace tepui {

std::string_view to_text(ZkResult result) {
  switch (result) {
    case ZkResult::kOk:
      return "done";
    case ZkResult::kNoNode:
      return "there is no such node";
    case ZkResult::kNodeExists:
      return "the node exists already";
    case ZkResult::kBadVersion:
      return "the node has another version than expected";
    case ZkResult::kNotEmpty:
      return "the node has children";
    case ZkResult::kNoRights:
      return "the node's access list does not let this client do that";
    case ZkResult::kConnectionLost:
      return "the connection was lost";
    case ZkResult::kSessionExpired:
      return "the session has expired";
    case ZkResult::kRefused:
      return "ZooKeeper refuses";
  }
  return "";
}

std::string describe(std::string_view path, const ZkReply& reply) {
  return fmt::format("{}: {}", path,
                     reply.why.empty() ? to_text(reply.result) : std::string_view(reply.why));
}

}  // namespace tepui
