#pragma once
// Doorbell wakes a reactor from another thread: ring() there, and the owner's on_rung() runs here,
// on the reactor's thread, once for any number of rings before it.

#include <cstdint>
#include <memory>

#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

class DoorbellOwner {
 public:
  virtual ~DoorbellOwner() = default;
  virtual void on_rung() = 0;
};

class Doorbell {
 public:
  static Result<std::unique_ptr<Doorbell>> create(Reactor& reactor, DoorbellOwner& owner);

  // From any thread.
  void ring();

 private:
  Doorbell(Reactor& reactor, DoorbellOwner& owner, Fd event);
  void on_read(const Completion& completion);
  void listen();

  Reactor& reactor_;
  DoorbellOwner& owner_;
  const Fd event_;
  uint64_t count_ = 0;
  Op<&Doorbell::on_read> read_{*this};
};

}  // namespace tepui
