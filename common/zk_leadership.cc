#include "common/zk_leadership.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/limits.h"
#include "common/text.h"

namespace tepui {

namespace {

// In eighths of the session's timeout; see the header.
constexpr int64_t kLeaseEighths = 5;

Duration lease_of(Duration timeout) { return timeout / 8 * kLeaseEighths; }
Duration touch_interval(Duration timeout) { return timeout / 8; }

}  // namespace

ZkLeadership::ZkLeadership(ZooKeeper& zookeeper, const Options& options, StoreClient& store,
                           CoordinatorClient& leader, ZkLeadershipOwner& owner)
    : options_(options),
      store_client_(store),
      leader_client_(leader),
      owner_(owner),
      detector_(zookeeper, options.path, *this),
      contender_(zookeeper, options.path, options.master_info, *this),
      store_(zookeeper, options.path, *this) {}

void ZkLeadership::contend() {
  if (contend_at_ == kNever) contender_.join();
}

void ZkLeadership::resign(std::string_view why) {
  if (role_ == Role::kFollowing) return;
  resigned_ = std::string(why);
}

void ZkLeadership::write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) {
  if (role_ != Role::kLeading || resigned_ || epoch != store_.epoch()) {
    failures_.emplace_back(token, Error{.message = fmt::format("epoch {} is over", epoch)});
    return;
  }
  if (Result<void> begun = store_.write(now_, token, batch); !begun) {
    failures_.emplace_back(token, std::move(begun).error());
    return;
  }
  writing_.push_back(token);
}

// ---------------------------------------------------------------------------------------- inputs

void ZkLeadership::on_session(Instant now, const ZkSession& session) {
  now_ = now;
  connected_ = session.state == ZkSession::State::kConnected;
  if (connected_) timeout_ = session.timeout;
  owner_.on_session(now, session);
  const bool is_over =
      session.state == ZkSession::State::kExpired || session.state == ZkSession::State::kRefused;
  if (is_over && role_ != Role::kFollowing) {
    step_down(now, "the session with ZooKeeper is over: " + session.why, Then::kStay);
  }
  detector_.on_session(now, session);
  contender_.on_session(now, session);
  store_.on_session(now, session);
}

void ZkLeadership::on_time(Instant now) {
  now_ = now;
  if (role_ != Role::kFollowing && now >= lease_end_) {
    step_down(now,
              fmt::format("ZooKeeper was silent for {}: the session could be over",
                          to_text(lease_of(timeout_))),
              Then::kStay);
  }
  tell(now);
  if (now >= contend_at_) {
    contend_at_ = kNever;
    contender_.join();
  }
  detector_.on_time(now);
  contender_.on_time(now);
  if (role_ != Role::kFollowing && now >= touch_at_) {
    touch_at_ = later(now, touch_interval(timeout_));
    store_.touch(now);
  }
  decide(now);
}

Instant ZkLeadership::due() const {
  if (resigned_ || !failures_.empty()) return now_;
  return std::min({lease_end_, touch_at_, contend_at_, detector_.due(), contender_.due()});
}

void ZkLeadership::tell(Instant now) {
  if (resigned_) step_down(now, *std::exchange(resigned_, {}), Then::kLetOthersPass);
  for (auto& [token, error] : std::exchange(failures_, {})) {
    store_client_.on_persist_failed(token, std::move(error));
  }
}

// -------------------------------------------------------------------------------------- election

bool ZkLeadership::is_first() const {
  return !contender_.name().empty() && detector_.leader() &&
         detector_.leader()->name == contender_.name();
}

void ZkLeadership::on_leader(Instant now, const std::optional<ZkLeader>& leader) {
  owner_.on_leader(now, leader);
  decide(now);
}

void ZkLeadership::on_joined(Instant now, std::string_view) { decide(now); }

void ZkLeadership::on_left(Instant now) { decide(now); }

void ZkLeadership::on_trouble(Instant now, std::string_view why) { owner_.on_trouble(now, why); }

void ZkLeadership::decide(Instant now) {
  if (role_ == Role::kFollowing) {
    // A node that is to go stands for nothing.
    if (!connected_ || contend_at_ != kNever || !is_first()) return;
    role_ = Role::kElecting;
    store_.open(now, options_.path + '/' + contender_.name());
  } else if (!is_first()) {
    step_down(now,
              contender_.name().empty() ? "our node in ZooKeeper is gone"
                                        : "another master is before us in ZooKeeper",
              Then::kStay);
  }
}

void ZkLeadership::on_opened(Instant now, uint64_t epoch, StoreContents contents) {
  if (now >= lease_end_) return on_time(now);  // reading took too long
  role_ = Role::kLeading;
  leader_client_.on_elected(epoch, std::move(contents));
}

void ZkLeadership::on_heard(Instant, Instant sent) {
  lease_end_ = later(sent, lease_of(timeout_));
  touch_at_ = later(sent, touch_interval(timeout_));
}

void ZkLeadership::on_written(Instant, uint64_t token) {
  writing_.pop_front();
  store_client_.on_persisted(token);
}

void ZkLeadership::on_closed(Instant now, std::string why) {
  step_down(now, std::move(why), Then::kLetOthersPass);
}

void ZkLeadership::step_down(Instant now, std::string why, Then then) {
  const bool led = role_ == Role::kLeading;
  role_ = Role::kFollowing;
  resigned_.reset();
  lease_end_ = touch_at_ = kNever;
  store_.close();
  for (const uint64_t token : std::exchange(writing_, {})) {
    failures_.emplace_back(token, Error{.message = why});
  }
  if (then == Then::kLetOthersPass) {
    contend_at_ = later(now, limits::kContendPause);
    contender_.leave();
  }
  if (led) {
    leader_client_.on_deposed(why);
  } else {
    owner_.on_trouble(now, "not elected: " + why);
  }
}

}  // namespace tepui
