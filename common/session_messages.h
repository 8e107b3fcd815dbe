#pragma once
// The messages that open, keep and end every conversation.
//
// Part of common/messages.h. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tepui {

inline constexpr uint16_t kProtocolMin = 1;
inline constexpr uint16_t kProtocolMax = 1;

// Capabilities, as Hello and HelloReply name them. Of a master: it takes ReregisterCompactly.
inline constexpr std::string_view kCompactReregistration = "COMPACT_REREGISTRATION";

struct Hello {
  uint16_t protocol_min = kProtocolMin;
  uint16_t protocol_max = kProtocolMax;
  std::string build;                      // `tepui --version`, for logs
  std::vector<std::string> capabilities;  // unknown ones are ignored
  uint64_t epoch = 0;                     // the highest leader epoch this peer has seen
  std::string principal;
  std::string mechanism;  // authentication; empty: none
  std::string token;
};

struct HelloReply {
  uint16_t protocol = 0;  // 0: refused, see error
  std::string build;
  std::vector<std::string> capabilities;
  uint64_t epoch = 0;     // of the leader; 0 from an agent or before election
  std::string master_id;  // "7f3a9c12-e3": cluster and epoch
  std::string error;
  std::string leader;  // to an operator, from a master that does not lead: the address of the one
                       // that does, if it is known
};

// Either side: this session ends, the link stays. Links carry it; cores see a lost peer instead.
struct Goodbye {
  std::string why;
};

struct Heartbeat {};

// The session ends after this.
struct ErrorMessage {
  std::string message;
};

}  // namespace tepui
