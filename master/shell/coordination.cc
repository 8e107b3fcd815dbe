#include "master/shell/coordination.h"

#include <fmt/format.h>

#include <utility>

#include "common/io/master_info.h"
#include "common/rng.h"
#include "common/text.h"

namespace tepui {

namespace {

// Random, in the form of a UUID of version 4.
std::string make_uuid(Rng& rng) {
  const uint64_t high = rng.next();
  const uint64_t low = rng.next();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                     high & 0xfff, 8 + (low >> 62), (low >> 48) & 0xfff, low & 0xffffffffffff);
}

// What others reach this master by.
Result<MasterInfo> info_of(const CoordinationConfig& config, const Address& bound) {
  std::string text = config.advertise.empty() ? to_text(bound) : config.advertise;
  // A name without a port, or with port 0: the one that we listen on.
  const Address address = TRY(resolve_address(text));
  text = to_text(address);
  const size_t colon = text.rfind(':');
  std::string ip = text.substr(0, colon);
  if (ip.starts_with('[')) ip = ip.substr(1, ip.size() - 2);
  if (ip == "0.0.0.0" || ip == "::") {
    return fail(
        fmt::format("listening on all addresses, {}: say with --advertise=HOST:PORT which "
                    "of them others reach this master by",
                    to_text(bound)));
  }
  Rng rng(config.seed ^ 3);
  return MasterInfo{.id = make_uuid(rng),
                    .hostname = config.hostname,
                    .ip = ip,
                    .port = address.port() == 0 ? bound.port() : address.port(),
                    .version = config.version};
}

}  // namespace

Result<std::unique_ptr<Coordination>> Coordination::create(Reactor& reactor,
                                                           const CoordinationConfig& config,
                                                           const Address& bound, StoreClient& store,
                                                           CoordinatorClient& leader,
                                                           CoordinationOwner& owner, Log& log) {
  std::unique_ptr<Coordination> made(new Coordination(log, owner));
  if (config.zookeeper) {
    TRY(made->use_zookeeper(reactor, config, bound, store, leader));
  } else {
    TRY(made->use_directory(reactor, config.directory, store, leader));
  }
  return made;
}

Coordination::~Coordination() = default;

Result<void> Coordination::use_directory(Reactor& reactor, const std::string& directory,
                                         StoreClient& store, CoordinatorClient& leader) {
  file_ = TRY(FileStore::create(reactor, directory, store, leader));
  store_ = file_.get();
  coordinator_ = file_.get();
  if (!file_->repair().empty()) {
    log_.write({.severity = Severity::kWarning,
                .name = "registry.repaired",
                .fields = {{"what", file_->repair()}}});
  }
  return {};
}

Result<void> Coordination::use_zookeeper(Reactor& reactor, const CoordinationConfig& config,
                                         const Address& bound, StoreClient& store,
                                         CoordinatorClient& leader) {
  const MasterInfo info = TRY(info_of(config, bound));
  zookeeper_ = TRY(ZkClient::create(
      reactor, {.address = *config.zookeeper, .session_timeout = config.session_timeout}));
  ZkLeadershipOwner& owner = *this;
  leadership_ = std::make_unique<ZkLeadership>(
      *zookeeper_,
      ZkLeadership::Options{.path = config.zookeeper->path, .master_info = to_json(info)}, store,
      leader, owner);
  store_ = leadership_.get();
  coordinator_ = leadership_.get();
  return {};
}

void Coordination::contend() {
  if (zookeeper_ != nullptr) zookeeper_->open(*leadership_);
  coordinator_->contend();
}

void Coordination::on_time(Instant now) {
  if (leadership_ != nullptr) leadership_->on_time(now);
}

Instant Coordination::due() const { return leadership_ == nullptr ? kNever : leadership_->due(); }

bool Coordination::may_lead(Instant now) const {
  return leadership_ == nullptr || leadership_->may_lead(now);
}

void Coordination::close() {
  if (zookeeper_ != nullptr) zookeeper_->close();
}

void Coordination::on_leader(Instant, const std::optional<ZkLeader>& leader) {
  std::string address;
  if (leader) {
    const Result<MasterInfo> info = parse_master_info(leader->data);
    if (info) {
      address = address_of(*info);
    } else {
      on_trouble({}, fmt::format("{}: {}", leader->name, info.error().message));
    }
  }
  log_.write({.severity = Severity::kInfo,
              .name = "leader.known",
              .fields = {{"leader", leader ? leader->name : "none"}, {"address", address}}});
  owner_.on_leader_known(address);
}

void Coordination::on_session(Instant, const ZkSession& session) {
  switch (session.state) {
    case ZkSession::State::kConnected:
      last_trouble_.clear();
      return log_.write({.severity = Severity::kInfo,
                         .name = "zookeeper.connected",
                         .fields = {{"session", fmt::format("{:x}", session.id)},
                                    {"timeout", to_text(session.timeout)}}});
    case ZkSession::State::kDisconnected:
      return on_trouble({}, session.why);
    case ZkSession::State::kExpired:
      return log_.write({.severity = Severity::kWarning,
                         .name = "zookeeper.expired",
                         .fields = {{"why", session.why}, {"action", "opening another session"}}});
    case ZkSession::State::kRefused:
      return owner_.on_shut_out("ZooKeeper: " + session.why);
  }
}

// The same reason again and again is one line.
void Coordination::on_trouble(Instant, std::string_view why) {
  if (why == last_trouble_) return;
  last_trouble_ = why;
  log_.write({.severity = Severity::kWarning,
              .name = "zookeeper.trouble",
              .fields = {{"why", last_trouble_}, {"action", "trying again"}}});
}

}  // namespace tepui
