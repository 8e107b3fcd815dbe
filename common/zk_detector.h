#pragma once
// ZkDetector follows who leads: it watches the contenders of a cluster and reads what the first of
// them says of itself. Agents, schedulers and operators find their master by it; a master its
// leader, and whether that is itself.
//
// Contenders are the children `json.info_NNNNNNNNNN` of the cluster's node; the one with the
// smallest number leads. A child `info_NNNNNNNNNN` is a contender of an older kind, which may lead
// but cannot be read; others are none of ours.
//
// While the ensemble is away the last leader stays known: whoever it is, it still runs the cluster
// or nobody does.
//
// Pure. The owner passes the session on, and the time when it is due.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/zookeeper.h"

namespace tepui {

inline constexpr std::string_view kContenderLabel = "json.info";

// The first of them, with the smallest number; nothing: none of them contends.
std::optional<std::string> first_contender(std::span<const std::string> children);
// Whether a child is a contender that can be read.
bool is_contender(std::string_view child);

struct ZkLeader {
  std::string name;  // of its node: "json.info_0000000017"
  std::string data;  // what it says of itself
  bool operator==(const ZkLeader&) const = default;
};

class ZkDetectorClient {
 public:
  virtual ~ZkDetectorClient() = default;
  // Another one than before, or nobody. Not told before the first answer of the ensemble.
  virtual void on_leader(Instant now, const std::optional<ZkLeader>& leader) = 0;
  // Survived: it is tried again.
  virtual void on_trouble(Instant now, std::string_view why) = 0;
};

class ZkDetector final : private ZkWaiter {
 public:
  ZkDetector(ZooKeeper& zookeeper, std::string path, ZkDetectorClient& client)
      : zookeeper_(zookeeper), path_(std::move(path)), client_(client) {}

  void on_session(Instant now, const ZkSession& session);
  void on_time(Instant now);
  Instant due() const { return retry_at_; }

  const std::optional<ZkLeader>& leader() const { return leader_; }

 private:
  enum Token : uint64_t { kList, kRead, kAppear };

  void on_reply(Instant now, uint64_t token, ZkReply reply) override;
  void on_changed(Instant now, std::string_view path) override;
  void list();
  void on_listed(Instant now, const ZkReply& reply);
  void on_read(Instant now, ZkReply reply);
  void tell(Instant now, std::optional<ZkLeader> leader);
  void on_odd(Instant now, std::string_view path, const ZkReply& reply);
  void ask(uint64_t token, ZkRequest request);

  ZooKeeper& zookeeper_;
  const std::string path_;
  ZkDetectorClient& client_;
  bool connected_ = false;
  bool asking_ = false;  // a request is under way
  bool again_ = false;   // something changed meanwhile
  std::string reading_;
  bool told_ = false;
  std::optional<ZkLeader> leader_;
  Instant retry_at_ = kNever;
};

}  // namespace tepui
