#include "common/io/connector.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace tepui {

void Connector::start(std::string address) {
  stop("turning to another address");
  address_ = std::move(address);
  failures_ = 0;
  reactor_.set(again_, reactor_.now().mono);
}

void Connector::stop(std::string_view why) {
  reactor_.cancel(again_);
  const LinkId link = std::exchange(link_, LinkId{});
  up_ = false;
  if (link.value != 0) transport_.close(link, why);
}

void Connector::attempt() { link_ = transport_.connect(address_); }

bool Connector::on_link_up(LinkId link) {
  if (link != link_) return false;
  up_ = true;
  up_since_ = reactor_.now().mono;
  owner_.on_connected(link);
  return true;
}

bool Connector::on_link_down(LinkId link, std::string_view why) {
  if (link.value == 0 || link != link_) return false;
  // A server that takes connections and drops them at once must not be hurried.
  const bool lasted = up_ && reactor_.now().mono - up_since_ >= limits::kConnectBackoffMax;
  if (lasted) failures_ = 0;
  link_ = LinkId{};
  up_ = false;
  reactor_.set(again_, later(reactor_.now().mono, next_wait()));
  owner_.on_disconnected(link, why);
  return true;
}

Duration Connector::next_wait() {
  const uint32_t doublings = std::min<uint32_t>(failures_++, 20);
  const Duration bound =
      std::min<Duration>(limits::kConnectBackoffMin * (int64_t{1} << doublings), backoff_max_);
  return Duration(rng_.between(bound.count() / 4, bound.count()));
}

}  // namespace tepui
