#pragma once
// Relay is the floor under a master: a server that carries the same messages between the same
// schedulers and agents over the same sockets and codec, and decides nothing. It keeps no books,
// checks nothing, divides nothing fairly: every agent is offered whole, always to the same
// framework, again as soon as its tasks are acknowledged.

#include <string>
#include <string_view>

namespace tepui::perf {

// Listens on a free port of loopback, writes its address as one line to `address_fd` and closes it,
// then serves until the process ends. Returns only if it cannot serve.
int run_relay(int address_fd);

}  // namespace tepui::perf
