#include "common/io/doorbell.h"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/check.h"

namespace tepui {

Result<std::unique_ptr<Doorbell>> Doorbell::create(Reactor& reactor, DoorbellOwner& owner) {
  Fd event(eventfd(0, EFD_CLOEXEC));
  if (!event) return fail(fmt::format("cannot create an eventfd: {}", strerror(errno)), errno);
  std::unique_ptr<Doorbell> doorbell(new Doorbell(reactor, owner, std::move(event)));
  doorbell->listen();
  return doorbell;
}

Doorbell::Doorbell(Reactor& reactor, DoorbellOwner& owner, Fd event)
    : reactor_(reactor), owner_(owner), event_(std::move(event)) {}

void Doorbell::ring() {
  const uint64_t one = 1;
  // An eventfd blocks only near 2^64 rings that nobody heard.
  while (::write(event_.get(), &one, sizeof one) < 0) CHECK(errno == EINTR);
}

void Doorbell::listen() {
  reactor_.read(read_, event_.get(), std::as_writable_bytes(std::span(&count_, 1)), -1);
}

void Doorbell::on_read(const Completion& completion) {
  CHECK(completion.result == sizeof count_ || completion.result == -EINTR);
  listen();
  owner_.on_rung();
}

}  // namespace tepui
