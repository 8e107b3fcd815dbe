#pragma once
// RingOperation is one request to the kernel that a Reactor has in flight. Its owner keeps it as a
// member:
//
//   Op<&Connection::on_received> receive_{*this};
//
// and starts it with a verb of the Reactor. The owner stays where it is until the operation has
// completed, and so do the buffers that were handed to the verb. The completion is a call of the
// owner's method, from Reactor::run_once, never from inside the verb.
//
// Destroying an active operation cancels it and waits for the kernel to let go; its method is not
// called then. Declare operations after the buffers they use.

#include <cstdint>

namespace tepui {

class Reactor;

struct Completion {
  int32_t result = 0;  // what the system call would have returned, or -errno
  uint32_t flags = 0;  // as io_uring gives them

  bool more() const { return (flags & 2U) != 0; }  // a repeating operation goes on
  bool has_buffer() const { return (flags & 1U) != 0; }
  uint16_t buffer() const { return static_cast<uint16_t>(flags >> 16); }
};

class RingOperation {
 public:
  RingOperation(const RingOperation&) = delete;
  RingOperation& operator=(const RingOperation&) = delete;

  bool active() const { return reactor_ != nullptr; }

 protected:
  using Complete = void (*)(RingOperation& operation, const Completion& completion);

  explicit RingOperation(Complete complete) : complete_(complete) {}
  ~RingOperation();

 private:
  friend class Reactor;

  const Complete complete_;
  Reactor* reactor_ = nullptr;     // while active
  bool gives_descriptor_ = false;  // results are to be closed if nobody takes them
};

template <auto Method>
class Op;

template <class Owner, void (Owner::*Method)(const Completion&)>
class Op<Method> final : public RingOperation {
 public:
  explicit Op(Owner& owner) : RingOperation(&complete), owner_(owner) {}

 private:
  static void complete(RingOperation& operation, const Completion& completion) {
    (static_cast<Op&>(operation).owner_.*Method)(completion);
  }

  Owner& owner_;
};

}  // namespace tepui
