#pragma once
// Registration is where this agent stands with its master: not connected, greeting, asking to be
// registered (after a random wait, and again and again), registered.
//
// Invariant: a master whose epoch is lower than the highest one seen is never obeyed.
//
// Pure: says what to do; Agent does it.

#include <cstdint>
#include <string>

#include "common/ids.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/rng.h"
#include "common/time.h"

namespace tepui {

class Registration {
 public:
  enum class State : uint8_t { kDisconnected, kGreeting, kRegistering, kRegistered };
  enum class Step : uint8_t { kNone, kRegister, kReconnect };
  struct Backoff {
    Duration first{};  // the first wait is drawn up to this
    Duration max{};
  };

  Registration(Backoff backoff, Rng rng) : backoff_(backoff), rng_(rng) {}
  void set_backoff(Backoff backoff) { backoff_ = backoff; }

  void on_connected(Instant now);
  void on_disconnected();
  // An error: this is no master to stay with, and says why.
  Result<void> on_greeted(Instant now, const HelloReply& reply);
  Result<void> on_registered(Instant now, const AgentId& own, const Registered& message);
  // The master is alive; false from it: it holds us for disconnected.
  void on_ping(Instant now, bool connected);

  // What the clock demands. kReconnect comes with a reason.
  Step on_time(Instant now);
  const std::string& reason() const { return reason_; }
  Instant next_wake() const;

  State state() const { return state_; }
  bool connected() const { return state_ != State::kDisconnected; }
  bool registered() const { return state_ == State::kRegistered; }
  uint64_t epoch() const { return epoch_; }  // the highest one seen

 private:
  void begin_registering(Instant now);
  Duration draw(Duration bound);

  Backoff backoff_;
  Rng rng_;
  State state_ = State::kDisconnected;
  uint64_t epoch_ = 0;
  Instant due_ = kNever;     // greeting: give up; registering: ask (again); registered: no ping
  Duration bound_{};         // of the next wait between two requests
  Duration ping_timeout_{};  // zero: none
  std::string reason_;
};

}  // namespace tepui
