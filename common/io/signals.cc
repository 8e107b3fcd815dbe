#include "common/io/signals.h"

#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include <utility>

namespace tepui {

Result<std::unique_ptr<Signals>> Signals::create(Reactor& reactor, SignalsOwner& owner,
                                                 std::initializer_list<int> more) {
  sigset_t wanted;
  sigset_t before;
  sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, signal);
  for (const int signal : more) sigaddset(&wanted, signal);
  if (const int failed = pthread_sigmask(SIG_BLOCK, &wanted, &before); failed != 0) {
    return fail(fmt::format("cannot block signals: {}", strerror(failed)), failed);
  }
  Fd fd(signalfd(-1, &wanted, SFD_CLOEXEC));
  if (!fd) {
    const int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return fail(fmt::format("cannot create a signalfd: {}", strerror(code)), code);
  }
  std::unique_ptr<Signals> signals(new Signals(reactor, owner, std::move(fd), before));
  signals->listen();
  return signals;
}

Signals::Signals(Reactor& reactor, SignalsOwner& owner, Fd fd, const sigset_t& before)
    : reactor_(reactor), owner_(owner), fd_(std::move(fd)), before_(before) {}

Signals::~Signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void Signals::listen() {
  reactor_.read(read_, fd_.get(), std::as_writable_bytes(std::span(&info_, 1)), -1);
}

void Signals::on_read(const Completion& completion) {
  const int signal = static_cast<int>(info_.ssi_signo);
  listen();
  if (completion.result == sizeof info_) owner_.on_signal(signal);
}

}  // namespace tepui
