#pragma once
// Coordination is how a master comes to lead and where its registry is: a directory of this machine
// (common/io/file_store), or ZooKeeper (common/zk_leadership on common/io/zookeeper). It puts the
// one or the other together, and decides nothing.
//
// One thread, the loop's.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/coordinator.h"
#include "common/io/address.h"
#include "common/io/file_store.h"
#include "common/io/log.h"
#include "common/io/reactor.h"
#include "common/io/zookeeper.h"
#include "common/store.h"
#include "common/zk_leadership.h"

namespace tepui {

struct CoordinationConfig {
  std::string directory;  // of --registry=file:DIR; empty: ZooKeeper
  std::optional<ZkAddress> zookeeper;
  Duration session_timeout = std::chrono::seconds(10);
  std::string advertise;  // HOST:PORT that others reach us by; empty: where we listen
  std::string hostname;
  std::string version;
  uint64_t seed = 0;
};

class CoordinationOwner {
 public:
  virtual ~CoordinationOwner() = default;
  // The address of the master that leads now, this one perhaps; empty: none is known.
  virtual void on_leader_known(const std::string& address) = 0;
  // ZooKeeper takes no session of ours: this master can never lead.
  virtual void on_shut_out(std::string_view why) = 0;
};

class Coordination final : private ZkLeadershipOwner {
 public:
  static Result<std::unique_ptr<Coordination>> create(Reactor& reactor,
                                                      const CoordinationConfig& config,
                                                      const Address& bound, StoreClient& store,
                                                      CoordinatorClient& leader,
                                                      CoordinationOwner& owner, Log& log);
  ~Coordination() override;

  void contend();
  void resign(std::string_view why) { coordinator_->resign(why); }
  void write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) {
    store_->write(epoch, token, std::move(batch));
  }
  // At the beginning of every turn.
  void on_time(Instant now);
  Instant due() const;
  // Whether what a leading master says may still leave at this moment.
  bool may_lead(Instant now) const;
  // Whether a master that leads no more goes on, as a follower.
  bool has_followers() const { return zookeeper_ != nullptr; }
  // Ends the session with ZooKeeper.
  void close();

 private:
  Coordination(Log& log, CoordinationOwner& owner) : log_(log), owner_(owner) {}
  Result<void> use_directory(Reactor& reactor, const std::string& directory, StoreClient& store,
                             CoordinatorClient& leader);
  Result<void> use_zookeeper(Reactor& reactor, const CoordinationConfig& config,
                             const Address& bound, StoreClient& store, CoordinatorClient& leader);

  void on_leader(Instant now, const std::optional<ZkLeader>& leader) override;
  void on_session(Instant now, const ZkSession& session) override;
  void on_trouble(Instant now, std::string_view why) override;

  Log& log_;
  CoordinationOwner& owner_;
  std::unique_ptr<FileStore> file_;
  std::unique_ptr<ZkClient> zookeeper_;
  std::unique_ptr<ZkLeadership> leadership_;
  Store* store_ = nullptr;
  Coordinator* coordinator_ = nullptr;
  std::string last_trouble_;
};

}  // namespace tepui
