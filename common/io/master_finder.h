#pragma once
// MasterFinder knows where the leading master is: at the address that was given, or, for zk://…,
// where the ensemble says, as it changes. Agents, schedulers and the operator's command follow it.
//
// While the ensemble is away, and while nobody leads, the last leader stays known.
//
// One thread, that of the reactor. Calls of the owner never come inside a call.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/io/alarm.h"
#include "common/io/deferred.h"
#include "common/io/reactor.h"
#include "common/io/zookeeper.h"
#include "common/result.h"
#include "common/zk_detector.h"

namespace tepui {

class MasterFinderOwner {
 public:
  virtual ~MasterFinderOwner() = default;
  // The master to talk to, "10.0.0.1:5050": the first, or another life than before.
  virtual void on_master(const std::string& address) = 0;
  // Survived, for the log: why no leader is known, or why one cannot be followed.
  virtual void on_no_master(std::string_view why) = 0;
};

class MasterFinder final : private ZkSessionClient, private ZkDetectorClient {
 public:
  // `master`: HOST:PORT or zk://…; blocks to resolve a name, so it belongs to the start of a
  // program. The error is fit for the user.
  static Result<std::unique_ptr<MasterFinder>> create(Reactor& reactor, std::string_view master,
                                                      MasterFinderOwner& owner);
  ~MasterFinder() override;

  // Begins to look.
  void start();
  // Ends the session with the ensemble. No call follows.
  void stop();

 private:
  MasterFinder(Reactor& reactor, MasterFinderOwner& owner) : reactor_(reactor), owner_(owner) {}

  void on_session(Instant now, const ZkSession& session) override;
  void on_leader(Instant now, const std::optional<ZkLeader>& leader) override;
  void on_trouble(Instant now, std::string_view why) override;
  void tell_fixed() { owner_.on_master(fixed_); }
  void on_due();
  void set_alarm();

  Reactor& reactor_;
  MasterFinderOwner& owner_;
  std::string fixed_;
  std::unique_ptr<ZkClient> zookeeper_;
  std::optional<ZkDetector> detector_;
  Later<&MasterFinder::tell_fixed> tell_fixed_{*this};
  Timer<&MasterFinder::on_due> due_{*this};
};

}  // namespace tepui
