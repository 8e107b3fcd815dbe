#pragma once
// TcpListener accepts connections on one address and hands them to its owner. When descriptors run
// out it says so and tries again a little later; the connections wait in the kernel meanwhile.

#include <memory>

#include "common/io/address.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

class TcpListenerOwner {
 public:
  virtual ~TcpListenerOwner() = default;
  virtual void on_accepted(Fd socket) = 0;
  virtual void on_accept_failed(int error) = 0;
};

class TcpListener {
 public:
  // The error is fit for the user: "127.0.0.1:5050 is in use by another process". A socket in the
  // file system takes the place of an earlier one, and everybody may connect to it: who may speak
  // is for the owner to find out.
  static Result<std::unique_ptr<TcpListener>> create(Reactor& reactor, TcpListenerOwner& owner,
                                                     const Address& address);

  // With the port that the kernel chose, where 0 was asked for.
  Address address() const { return local_address(socket_.get()); }

 private:
  TcpListener(Reactor& reactor, TcpListenerOwner& owner, Fd socket);
  void on_accepted(const Completion& completion);
  void listen() { reactor_.accept(accept_, socket_.get()); }

  Reactor& reactor_;
  TcpListenerOwner& owner_;
  const Fd socket_;
  Op<&TcpListener::on_accepted> accept_{*this};
  Timer<&TcpListener::listen> again_{*this};
};

}  // namespace tepui
