#pragma once
// Signals turns SIGTERM, SIGINT, SIGHUP, and others on request, into calls on the reactor's thread.
//
// Create it before any other thread exists: they are blocked in the creating thread,
// and threads and child processes inherit that. Who spawns a child gives it an empty mask.

#include <sys/signalfd.h>

#include <initializer_list>
#include <memory>

#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

class SignalsOwner {
 public:
  virtual ~SignalsOwner() = default;
  virtual void on_signal(int signal) = 0;
};

class Signals {
 public:
  static Result<std::unique_ptr<Signals>> create(Reactor& reactor, SignalsOwner& owner,
                                                 std::initializer_list<int> more = {});
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  Signals(Reactor& reactor, SignalsOwner& owner, Fd fd, const sigset_t& before);
  void on_read(const Completion& completion);
  void listen();

  Reactor& reactor_;
  SignalsOwner& owner_;
  const Fd fd_;
  const sigset_t before_;
  signalfd_siginfo info_{};
  Op<&Signals::on_read> read_{*this};
};

}  // namespace tepui
