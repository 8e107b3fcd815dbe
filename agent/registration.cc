#include "agent/registration.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/limits.h"
#include "common/text.h"

namespace tepui {

namespace {
// Where the first wait is set to zero, repeats still wait.
constexpr Duration kRepeatMin = std::chrono::milliseconds(100);
}  // namespace

void Registration::on_connected(Instant now) {
  state_ = State::kGreeting;
  due_ = later(now, limits::kGreetingTimeout);
}

void Registration::on_disconnected() {
  state_ = State::kDisconnected;
  due_ = kNever;
}

Result<void> Registration::on_greeted(Instant now, const HelloReply& reply) {
  if (reply.protocol == 0) {
    return fail(fmt::format("the master refuses us: {}",
                            reply.error.empty() ? "no reason given" : reply.error));
  }
  if (reply.protocol < kProtocolMin || reply.protocol > kProtocolMax) {
    return fail(fmt::format("the master chose protocol {}, expected {} to {}", reply.protocol,
                            kProtocolMin, kProtocolMax));
  }
  if (reply.epoch == 0) return fail("the master does not lead");
  if (reply.epoch < epoch_) {
    return fail(fmt::format("the master's epoch {} is over, {} was seen", reply.epoch, epoch_));
  }
  epoch_ = reply.epoch;
  if (state_ == State::kGreeting) begin_registering(now);
  return {};
}

Result<void> Registration::on_registered(Instant now, const AgentId& own,
                                         const Registered& message) {
  if (message.epoch < epoch_) {
    return fail(fmt::format("registered by epoch {}, but {} was seen", message.epoch, epoch_));
  }
  if (message.agent_id.empty()) return fail("registered without an agent id");
  if (!own.empty() && own != message.agent_id) {
    return fail(fmt::format("registered as agent '{}', but this is '{}'", message.agent_id.value,
                            own.value));
  }
  epoch_ = message.epoch;
  state_ = State::kRegistered;
  ping_timeout_ = message.ping_timeout;
  on_ping(now, true);
  return {};
}

void Registration::on_ping(Instant now, bool connected) {
  if (state_ != State::kRegistered) return;
  if (!connected) {
    begin_registering(now);
    return;
  }
  due_ = ping_timeout_ > Duration::zero() ? later(now, ping_timeout_) : kNever;
}

Registration::Step Registration::on_time(Instant now) {
  if (due_ > now) return Step::kNone;
  switch (state_) {
    case State::kDisconnected:
      return Step::kNone;
    case State::kGreeting:
      reason_ = fmt::format("no answer to our greeting for {}", to_text(limits::kGreetingTimeout));
      return Step::kReconnect;
    case State::kRegistering:
      bound_ = bound_ > backoff_.max / 2 ? backoff_.max : std::max(bound_ * 2, kRepeatMin);
      due_ = later(now, draw(bound_));
      return Step::kRegister;
    case State::kRegistered:
      reason_ = fmt::format("no ping from the master for {}", to_text(ping_timeout_));
      return Step::kReconnect;
  }
  return Step::kNone;
}

Instant Registration::next_wake() const { return due_; }

void Registration::begin_registering(Instant now) {
  state_ = State::kRegistering;
  bound_ = backoff_.first;
  due_ = later(now, draw(bound_));
}

Duration Registration::draw(Duration bound) {
  return Duration(rng_.between(0, std::max<Duration::rep>(bound.count(), 0)));
}

}  // namespace tepui
