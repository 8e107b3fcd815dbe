#include "common/io/tcp_listener.h"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace tepui {

namespace {
constexpr Duration kRetry = std::chrono::milliseconds(100);

Error describe_bind_failure(const Address& address, int code) {
  const std::string where = to_text(address);
  if (code == EADDRINUSE) {
    return Error{.message = where + " is in use by another process", .code = code};
  }
  if (code == EADDRNOTAVAIL) {
    return Error{.message = where + " is not an address of this machine", .code = code};
  }
  if (code == EACCES) {
    return Error{.message = where + " needs the right to bind ports below 1024", .code = code};
  }
  return Error{.message = fmt::format("cannot listen on {}: {}", where, strerror(code)),
               .code = code};
}

// What a killed process left in this place; whatever else is there stays.
void remove_stale(const std::string& path) {
  struct stat status{};
  if (!path.empty() && lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
    unlink(path.c_str());
  }
}

// Together half a second, at the start of a program.
constexpr int kBindAttempts = 25;
constexpr timespec kBindPause = {.tv_sec = 0, .tv_nsec = 20'000'000};

}  // namespace

Result<std::unique_ptr<TcpListener>> TcpListener::create(Reactor& reactor, TcpListenerOwner& owner,
                                                         const Address& address) {
  Fd socket;
  const std::string path = address.path();
  remove_stale(path);
  for (int attempt = 0; true; ++attempt) {
    socket = Fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    if (socket && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(socket.get(), address.get(), address.size()) == 0 &&
        (path.empty() || chmod(path.c_str(), 0666) == 0) &&
        ::listen(socket.get(), SOMAXCONN) == 0) {
      break;
    }
    // The kernel takes down the ring of a killed process after the process is gone, and its
    // listening socket with it: who is restarted at once finds the address in use for a moment.
    if (errno != EADDRINUSE || !path.empty() || attempt == kBindAttempts) {
      return std::unexpected(describe_bind_failure(address, errno));
    }
    nanosleep(&kBindPause, nullptr);
  }
  std::unique_ptr<TcpListener> listener(new TcpListener(reactor, owner, std::move(socket)));
  listener->listen();
  return listener;
}

TcpListener::TcpListener(Reactor& reactor, TcpListenerOwner& owner, Fd socket)
    : reactor_(reactor), owner_(owner), socket_(std::move(socket)) {}

void TcpListener::on_accepted(const Completion& completion) {
  const int result = completion.result;
  if (!completion.more()) {
    if (result >= 0 || result == -ECONNABORTED || result == -EINTR) {
      listen();
    } else {
      reactor_.set(again_, later(reactor_.now().mono, kRetry));
    }
  }
  if (result >= 0) {
    owner_.on_accepted(Fd(result));
  } else if (result != -EINTR && result != -ECONNABORTED) {
    owner_.on_accept_failed(-result);
  }
}

}  // namespace tepui
