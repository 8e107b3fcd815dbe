#include "common/zk_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

constexpr std::string_view kOldLabel = "info";
constexpr size_t kDigits = 10;

// LABEL_NNNNNNNNNN; -1: something else. The ensemble counts on below zero after 2^31 nodes, which
// no cluster lives to see.
int64_t number_of(std::string_view child, std::string_view label) {
  if (child.size() != label.size() + 1 + kDigits || !child.starts_with(label) ||
      child[label.size()] != '_') {
    return -1;
  }
  int64_t number = 0;
  for (const char digit : child.substr(label.size() + 1)) {
    if (digit < '0' || digit > '9') return -1;
    number = number * 10 + (digit - '0');
  }
  return number;
}

int64_t number_of(std::string_view child) {
  return std::max(number_of(child, kContenderLabel), number_of(child, kOldLabel));
}

}  // namespace

std::optional<std::string> first_contender(std::span<const std::string> children) {
  const std::string* first = nullptr;
  for (const std::string& child : children) {
    const int64_t number = number_of(child);
    if (number >= 0 && (first == nullptr || number < number_of(*first))) first = &child;
  }
  if (first == nullptr) return std::nullopt;
  return *first;
}

bool is_contender(std::string_view child) { return number_of(child, kContenderLabel) >= 0; }

void ZkDetector::on_session(Instant, const ZkSession& session) {
  connected_ = session.state == ZkSession::State::kConnected;
  // What changed while we were away is not known, and watches of an expired session are gone.
  if (connected_) list();
}

void ZkDetector::on_time(Instant now) {
  if (now < retry_at_) return;
  retry_at_ = kNever;
  list();
}

void ZkDetector::on_changed(Instant, std::string_view) { list(); }

void ZkDetector::list() {
  if (!connected_) return;
  if (asking_) {
    again_ = true;
    return;
  }
  ask(kList, ZkChildren{.path = path_, .watch = true});
}

void ZkDetector::ask(uint64_t token, ZkRequest request) {
  asking_ = true;
  zookeeper_.submit(*this, token, std::move(request));
}

void ZkDetector::on_reply(Instant now, uint64_t token, ZkReply reply) {
  asking_ = false;
  if (reply.result == ZkResult::kConnectionLost || reply.result == ZkResult::kSessionExpired) {
    // Connected again before this came: nothing else would ask.
    if (std::exchange(again_, false)) list();
    return;
  }
  if (std::exchange(again_, false)) return list();
  if (token == kList) return on_listed(now, reply);
  if (token == kRead) return on_read(now, std::move(reply));
  // kAppear: it was made since it was not there.
  if (reply.result == ZkResult::kOk) return list();
  if (reply.result != ZkResult::kNoNode) on_odd(now, path_, reply);
}

void ZkDetector::on_listed(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kNoNode) {
    tell(now, std::nullopt);
    return ask(kAppear, ZkExists{.path = path_, .watch = true});
  }
  if (reply.result != ZkResult::kOk) return on_odd(now, path_, reply);
  std::optional<std::string> first = first_contender(reply.children);
  if (!first) return tell(now, std::nullopt);
  if (leader_ && leader_->name == *first) return;
  if (!is_contender(*first)) {
    tell(now, std::nullopt);
    return client_.on_trouble(
        now, fmt::format("the leader is {}/{}, in a form that is not read here", path_, *first));
  }
  reading_ = *std::move(first);
  ask(kRead, ZkGet{.path = path_ + '/' + reading_, .watch = false});
}

void ZkDetector::on_read(Instant now, ZkReply reply) {
  if (reply.result == ZkResult::kNoNode) return list();
  const std::string path = path_ + '/' + reading_;
  if (reply.result != ZkResult::kOk) return on_odd(now, path, reply);
  if (reply.data.size() > limits::kMasterInfoBytesMax) {
    tell(now, std::nullopt);
    return client_.on_trouble(now, fmt::format("{} has {} bytes, at most {} are allowed", path,
                                               reply.data.size(), limits::kMasterInfoBytesMax));
  }
  tell(now, ZkLeader{.name = reading_, .data = std::move(reply.data)});
}

void ZkDetector::tell(Instant now, std::optional<ZkLeader> leader) {
  if (std::exchange(told_, true) && leader == leader_) return;
  leader_ = std::move(leader);
  client_.on_leader(now, leader_);
}

void ZkDetector::on_odd(Instant now, std::string_view path, const ZkReply& reply) {
  retry_at_ = later(now, limits::kZkRetry);
  client_.on_trouble(now, describe(path, reply));
}

}  // namespace tepui
