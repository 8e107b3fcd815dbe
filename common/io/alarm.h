#pragma once
// Alarm is a call that a Reactor makes when a time has come; Alarms keeps those that are set, in a
// binary heap of pointers to members of their owners.
//
//   Timer<&Connection::on_silent> silent_{*this};
//   reactor.set(silent_, later(reactor.now().mono, 5s));

#include <cstddef>
#include <vector>

#include "common/time.h"

namespace tepui {

class Alarms;

class Alarm {
 public:
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  bool is_set() const { return alarms_ != nullptr; }

 protected:
  using Ring = void (*)(Alarm& alarm);

  explicit Alarm(Ring ring) : ring_(ring) {}
  ~Alarm();

 private:
  friend class Alarms;

  const Ring ring_;
  Alarms* alarms_ = nullptr;  // while set
  size_t place_ = 0;
  Instant when_{};
};

class Alarms {
 public:
  Alarms() = default;
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

  // Sets it, or moves it.
  void set(Alarm& alarm, Instant when);
  void cancel(Alarm& alarm);
  Instant next() const { return heap_.empty() ? kNever : heap_.front()->when_; }
  // Rings what is due at `now`; what is set meanwhile waits for the next call.
  void ring(Instant now);

 private:
  void place(Alarm* alarm, size_t at);
  void rise(size_t at);
  void sink(size_t at);

  std::vector<Alarm*> heap_;
};

template <auto Method>
class Timer;

template <class Owner, void (Owner::*Method)()>
class Timer<Method> final : public Alarm {
 public:
  explicit Timer(Owner& owner) : Alarm(&ring), owner_(owner) {}

 private:
  static void ring(Alarm& alarm) { (static_cast<Timer&>(alarm).owner_.*Method)(); }

  Owner& owner_;
};

}  // namespace tepui
