#include "common/zk_contender.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/zk_detector.h"

namespace tepui {

void ZkContender::join() {
  wanted_ = true;
  go_on();
}

void ZkContender::leave() {
  wanted_ = false;
  go_on();
}

void ZkContender::on_session(Instant now, const ZkSession& session) {
  connected_ = session.state == ZkSession::State::kConnected;
  watched_ = false;
  if (session.state == ZkSession::State::kExpired) {
    in_doubt_ = false;
    left(now);
  }
  if (connected_) session_ = session.id;
  go_on();
}

void ZkContender::on_time(Instant now) {
  if (now < retry_at_) return;
  retry_at_ = kNever;
  go_on();
}

void ZkContender::on_changed(Instant, std::string_view) {
  watched_ = false;
  go_on();
}

void ZkContender::go_on() {
  if (!connected_ || asking_ || retry_at_ != kNever) return;
  if (name_.empty() && in_doubt_) return ask(kList, ZkChildren{.path = path_});
  if (wanted_ && name_.empty()) {
    return ask(kCreate, ZkCreate{.path = path_of(std::string(kContenderLabel) + '_'),
                                 .data = data_,
                                 .ephemeral = true,
                                 .sequential = true});
  }
  if (wanted_ && !watched_) return ask(kWatch, ZkExists{.path = path_of(name_), .watch = true});
  if (!wanted_ && !name_.empty()) return ask(kDelete, ZkDelete{.path = path_of(name_)});
}

void ZkContender::ask(uint64_t token, ZkRequest request) {
  asking_ = true;
  zookeeper_.submit(*this, token, std::move(request));
}

void ZkContender::on_reply(Instant now, uint64_t token, ZkReply reply) {
  asking_ = false;
  if (reply.result == ZkResult::kConnectionLost) {
    if (token == kCreate) in_doubt_ = true;
    return go_on();
  }
  if (reply.result == ZkResult::kSessionExpired) return go_on();
  switch (static_cast<Token>(token)) {
    case kMakePath:
      return on_path_made(now, reply);
    case kCreate:
      return on_created(now, reply);
    case kList:
      return on_listed(now, std::move(reply));
    case kLook:
      return on_looked(now, reply);
    case kWatch:
      return on_watched(now, reply);
    case kDelete:
      return on_deleted(now, reply);
  }
}

void ZkContender::on_created(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kNoNode) {
    path_made_ = 0;
    return make_path();
  }
  if (reply.result != ZkResult::kOk) return on_odd(now, path_, reply);
  joined(now, reply.path.substr(path_.size() + 1));
}

// The nodes above ours, one after the other.
void ZkContender::make_path() {
  const size_t end = std::min(path_.find('/', path_made_ + 1), path_.size());
  ask(kMakePath, ZkCreate{.path = path_.substr(0, end)});
}

void ZkContender::on_path_made(Instant now, const ZkReply& reply) {
  if (reply.result != ZkResult::kOk && reply.result != ZkResult::kNodeExists) {
    return on_odd(now, path_, reply);
  }
  path_made_ = std::min(path_.find('/', path_made_ + 1), path_.size());
  if (path_made_ < path_.size()) return make_path();
  go_on();
}

void ZkContender::on_listed(Instant now, ZkReply reply) {
  if (reply.result != ZkResult::kOk && reply.result != ZkResult::kNoNode) {
    return on_odd(now, path_, reply);
  }
  std::erase_if(reply.children, [](const std::string& child) { return !is_contender(child); });
  if (reply.children.size() > limits::kContendersMax) {
    return on_odd(
        now, path_,
        {.result = ZkResult::kRefused, .why = fmt::format("{} contenders", reply.children.size())});
  }
  candidates_ = std::move(reply.children);
  std::ranges::sort(candidates_);
  look();
}

void ZkContender::on_looked(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kOk && reply.owner == session_) {
    in_doubt_ = false;
    return joined(now, std::exchange(candidates_, {}).back());
  }
  candidates_.pop_back();
  look();
}

void ZkContender::look() {
  if (candidates_.empty()) {
    in_doubt_ = false;
    return go_on();
  }
  ask(kLook, ZkExists{.path = path_of(candidates_.back())});
}

void ZkContender::on_watched(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kNoNode) {
    left(now);
    return go_on();
  }
  if (reply.result != ZkResult::kOk) return on_odd(now, path_of(name_), reply);
  watched_ = true;
  go_on();
}

void ZkContender::on_deleted(Instant now, const ZkReply& reply) {
  if (reply.result != ZkResult::kOk && reply.result != ZkResult::kNoNode) {
    return on_odd(now, path_of(name_), reply);
  }
  left(now);
  go_on();
}

void ZkContender::joined(Instant now, std::string name) {
  name_ = std::move(name);
  watched_ = false;
  client_.on_joined(now, name_);
  go_on();
}

void ZkContender::left(Instant now) {
  watched_ = false;
  if (!std::exchange(name_, {}).empty()) client_.on_left(now);
}

void ZkContender::on_odd(Instant now, std::string_view path, const ZkReply& reply) {
  retry_at_ = later(now, limits::kZkRetry);
  client_.on_trouble(now, describe(path, reply));
}

}  // namespace tepui
