#pragma once
// ZkLeadership makes a master the leader of a cluster by ZooKeeper, and keeps the registry there.
// It is the Coordinator and the Store of a master that was started with --zk.
//
// Its contender node stands for election; when it is the first, an epoch is begun in the registry,
// and with its contents the master is elected. It is deposed when its node is not the first any
// more, when its session has expired, when a write finds a later epoch, and when its lease is over:
// a leader that has not heard of the ensemble for so long that its session could have expired stops
// by its own clock, before another can begin. It asks a majority all the time.
//
// The lease ends five eighths of the session's timeout after the sending of the last transaction
// that a majority carried out. A server tells the ensemble of its sessions twice a tick, and a tick
// is at most half a timeout, so the ensemble may know of our life a quarter of the timeout late; a
// transaction is sent every eighth. What is left bounds how far the clocks may differ in speed.
//
// After giving up for a reason of its own, a master lets others pass: its node goes, and it stands
// for election again after a pause, as a follower and without being started again.
//
// Pure. on_time() is called at the beginning of every turn, and when it is due; calls of the
// clients come from there and from what ZooKeeper answers, never inside contend, resign or write.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/coordinator.h"
#include "common/store.h"
#include "common/zk_contender.h"
#include "common/zk_detector.h"
#include "common/zk_store.h"
#include "common/zookeeper.h"

namespace tepui {

// Hears what a follower must know, and what a log should say.
class ZkLeadershipOwner {
 public:
  virtual ~ZkLeadershipOwner() = default;
  virtual void on_leader(Instant now, const std::optional<ZkLeader>& leader) = 0;
  virtual void on_session(Instant now, const ZkSession& session) = 0;
  virtual void on_trouble(Instant now, std::string_view why) = 0;
};

class ZkLeadership final : public Coordinator,
                           public Store,
                           public ZkSessionClient,
                           private ZkDetectorClient,
                           private ZkContenderClient,
                           private ZkStoreClient {
 public:
  struct Options {
    std::string path;         // of the cluster: "/tepui"
    std::string master_info;  // what others read about this master
  };
  ZkLeadership(ZooKeeper& zookeeper, const Options& options, StoreClient& store,
               CoordinatorClient& leader, ZkLeadershipOwner& owner);

  void contend() override;
  void resign(std::string_view why) override;
  void write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) override;

  void on_session(Instant now, const ZkSession& session) override;
  void on_time(Instant now);
  Instant due() const;

  // Whether this master leads and may act at this time.
  bool may_lead(Instant now) const { return role_ == Role::kLeading && now < lease_end_; }

 private:
  enum class Role : uint8_t { kFollowing, kElecting, kLeading };

  void on_leader(Instant now, const std::optional<ZkLeader>& leader) override;
  void on_trouble(Instant now, std::string_view why) override;
  void on_joined(Instant now, std::string_view name) override;
  void on_left(Instant now) override;
  void on_opened(Instant now, uint64_t epoch, StoreContents contents) override;
  void on_written(Instant now, uint64_t token) override;
  void on_heard(Instant now, Instant sent) override;
  void on_closed(Instant now, std::string why) override;

  // Begins to lead or stops, as the contenders say.
  void decide(Instant now);
  bool is_first() const;
  enum class Then : uint8_t { kStay, kLetOthersPass };
  void step_down(Instant now, std::string why, Then then);
  void tell(Instant now);

  const Options options_;
  StoreClient& store_client_;
  CoordinatorClient& leader_client_;
  ZkLeadershipOwner& owner_;
  ZkDetector detector_;
  ZkContender contender_;
  ZkStore store_;

  Role role_ = Role::kFollowing;
  bool connected_ = false;
  Duration timeout_{};
  Instant now_ = Instant::min();  // of the last input
  Instant lease_end_ = kNever;    // while electing or leading, once an epoch was begun
  Instant touch_at_ = kNever;
  Instant contend_at_ = kNever;
  std::deque<uint64_t> writing_;                      // tokens, in order
  std::vector<std::pair<uint64_t, Error>> failures_;  // to be told
  std::optional<std::string> resigned_;               // to be told, why
};

}  // namespace tepui
