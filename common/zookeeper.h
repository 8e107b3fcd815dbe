#pragma once
// ZooKeeper is one client of a ZooKeeper ensemble: a session, requests, watches. It decides
// nothing: who leads and what is written is decided by the state machines that use it (zk_detector,
// zk_contender, zk_store, zk_leadership). Implementations: the C client (common/io/zookeeper), the
// simulated ensemble, and the fake of the unit tests.
//
// What the ensemble promises, and an implementation keeps:
// - Requests of a session are carried out in the order of their submission, and answered in it.
// - While there is no connection, what was asked for is answered with kConnectionLost: it happened,
//   or it did not, or it may still happen until the client has heard of the next connection.
// - A watch fires at most once, after the change that it is about and before anything that is newer
//   is shown to this session. It outlives a lost connection, not the session.
// - After kExpired the session's ephemeral nodes are gone or going; the implementation opens
// another
//   session by itself, and kConnected follows when it has one.
//
// Pure interface. Calls come from the loop's thread, and so do the answers, never inside a call;
// `now` is the time of the turn.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/time.h"

namespace tepui {

enum class ZkResult : uint8_t {
  kOk,
  kNoNode,
  kNodeExists,
  kBadVersion,
  kNotEmpty,        // a node with children cannot be deleted
  kNoRights,        // the node's access list
  kConnectionLost,  // nobody knows whether it happened or will
  kSessionExpired,  // the same, and it never will: the session is over
  kRefused,         // anything else: ZkReply::why
};

std::string_view to_text(ZkResult result);

inline constexpr int32_t kZkAnyVersion = -1;

// ------------------------------------------------------------------------------------- requests

struct ZkGet {
  std::string path;
  bool watch = false;  // fires when the node changes or is deleted
  bool operator==(const ZkGet&) const = default;
};
// Answers kOk or kNoNode.
struct ZkExists {
  std::string path;
  bool watch = false;  // fires when the node is made, changes or is deleted
  bool operator==(const ZkExists&) const = default;
};
// The names of the children, in no order.
struct ZkChildren {
  std::string path;
  bool watch = false;  // fires when a child comes or goes, or the node is deleted
  bool operator==(const ZkChildren&) const = default;
};
struct ZkCreate {
  std::string path;
  std::string data;
  bool ephemeral = false;   // gone with the session
  bool sequential = false;  // ten digits are appended to the path, higher than any before
  bool operator==(const ZkCreate&) const = default;
};
struct ZkSet {
  std::string path;
  std::string data;
  int32_t version = kZkAnyVersion;
  bool operator==(const ZkSet&) const = default;
};
struct ZkDelete {
  std::string path;
  int32_t version = kZkAnyVersion;
  bool operator==(const ZkDelete&) const = default;
};
// Only in a multi: the node is there and has this version.
struct ZkCheck {
  std::string path;
  int32_t version = kZkAnyVersion;
  bool operator==(const ZkCheck&) const = default;
};

using ZkOp = std::variant<ZkCheck, ZkCreate, ZkSet, ZkDelete>;
// All of them or none, in order. Decided by a majority of the ensemble even if all are checks.
struct ZkMulti {
  std::vector<ZkOp> ops;
  bool operator==(const ZkMulti&) const = default;
};

using ZkRequest = std::variant<ZkGet, ZkExists, ZkChildren, ZkCreate, ZkSet, ZkDelete, ZkMulti>;

// -------------------------------------------------------------------------------------- answers

struct ZkReply {
  ZkResult result = ZkResult::kOk;
  std::string why;                    // of kRefused
  std::string path;                   // ZkCreate: with the number, if sequential
  std::string data;                   // ZkGet
  std::vector<std::string> children;  // ZkChildren
  int32_t version = 0;                // ZkGet, ZkExists, ZkSet: of the node
  uint64_t owner = 0;                 // ZkGet, ZkExists: the session of an ephemeral node
  size_t failed_op = 0;               // ZkMulti: the one that was wrong
};

// "/tepui/registry: there is no such node"
std::string describe(std::string_view path, const ZkReply& reply);

class ZkWaiter {
 public:
  virtual ~ZkWaiter() = default;
  virtual void on_reply(Instant now, uint64_t token, ZkReply reply) = 0;
  // A watch on `path` that this waiter left has fired.
  virtual void on_changed(Instant now, std::string_view path) = 0;
};

struct ZkSession {
  enum class State : uint8_t {
    kConnected,
    kDisconnected,  // the session may live on; the client connects again by itself
    kExpired,       // the session is gone, and the next one is being opened
    kRefused,       // the ensemble takes no session of this client, `why`: nothing more comes
  };
  State state = State::kDisconnected;
  uint64_t id = 0;     // kConnected
  Duration timeout{};  // kConnected: as the ensemble granted it
  std::string why;     // kDisconnected, kExpired, kRefused
  bool operator==(const ZkSession&) const = default;
};

class ZkSessionClient {
 public:
  virtual ~ZkSessionClient() = default;
  virtual void on_session(Instant now, const ZkSession& session) = 0;
};

class ZooKeeper {
 public:
  virtual ~ZooKeeper() = default;
  // The one who hears of the session; given once, before the first turn.
  virtual void open(ZkSessionClient& client) = 0;
  // Exactly one on_reply of the waiter follows, unless the client is closed before.
  virtual void submit(ZkWaiter& waiter, uint64_t token, ZkRequest request) = 0;
  // Ends the session, and its ephemeral nodes with it. Nothing follows.
  virtual void close() = 0;
};

}  // namespace tepui
