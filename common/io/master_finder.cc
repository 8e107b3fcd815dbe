#include "common/io/master_finder.h"

#include <fmt/format.h>

#include "common/io/address.h"
#include "common/io/master_info.h"

namespace tepui {

Result<std::unique_ptr<MasterFinder>> MasterFinder::create(Reactor& reactor,
                                                           std::string_view master,
                                                           MasterFinderOwner& owner) {
  std::unique_ptr<MasterFinder> finder(new MasterFinder(reactor, owner));
  if (!is_zk(master)) {
    finder->fixed_ = to_text(TRY(resolve_address(master)));
    return finder;
  }
  ZkAddress address = TRY(parse_zk(master));
  const std::string path = address.path;
  finder->zookeeper_ = TRY(ZkClient::create(reactor, {.address = std::move(address)}));
  ZkDetectorClient& client = *finder;
  finder->detector_.emplace(*finder->zookeeper_, path, client);
  return finder;
}

MasterFinder::~MasterFinder() = default;

void MasterFinder::start() {
  if (zookeeper_ == nullptr) return reactor_.next_turn(tell_fixed_);
  zookeeper_->open(*this);
}

void MasterFinder::stop() {
  reactor_.cancel(due_);
  if (zookeeper_ != nullptr) zookeeper_->close();
}

void MasterFinder::on_session(Instant now, const ZkSession& session) {
  if (session.state != ZkSession::State::kConnected)
    owner_.on_no_master("ZooKeeper: " + session.why);
  detector_->on_session(now, session);
  set_alarm();
}

void MasterFinder::on_leader(Instant, const std::optional<ZkLeader>& leader) {
  if (!leader) return owner_.on_no_master("no master leads, says ZooKeeper");
  const Result<MasterInfo> info = parse_master_info(leader->data);
  if (!info) {
    return owner_.on_no_master(
        fmt::format("ZooKeeper: {}: {}", leader->name, info.error().message));
  }
  owner_.on_master(address_of(*info));
}

void MasterFinder::on_trouble(Instant, std::string_view why) {
  owner_.on_no_master(fmt::format("ZooKeeper: {}", why));
  set_alarm();
}

void MasterFinder::on_due() {
  detector_->on_time(reactor_.now().mono);
  set_alarm();
}

void MasterFinder::set_alarm() {
  if (detector_->due() != kNever) reactor_.set(due_, detector_->due());
}

}  // namespace tepui
