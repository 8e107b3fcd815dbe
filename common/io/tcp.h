#pragma once
// TcpTransport carries frames over tcp connections on a reactor, for both sides: it listens, and it
// connects. It follows common/transport.h, and adds:
//
// - on_link_down comes exactly once for every link, in a later turn, also after close(); after
//   close() nothing else comes for the link. Not after release().
// - What a peer does wrong ends its link with the reason in on_link_down (told once) and in the
//   counters, and touches no other link. The reason is sent to the peer as a goodbye, unless its
//   first bytes were not ours.
// - A silent peer is asked, a dead one is dropped (limits::kLinkIdlePing, kLinkDead).
//
// One thread, that of the reactor.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/address.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/receive_buffers.h"
#include "common/io/tcp_link.h"
#include "common/io/tcp_listener.h"
#include "common/io/transport_stats.h"
#include "common/limits.h"
#include "common/result.h"
#include "common/transport.h"

namespace tepui {

class TcpTransport final : public Transport, private TcpLinkOwner, private TcpListenerOwner {
 public:
  struct Options {
    uint32_t links_max = limits::kLinksMax;
    ReceiveBuffers::Options buffers;  // shared by all links
  };
  static Result<std::unique_ptr<TcpTransport>> create(Reactor& reactor, LinkHandler& handler,
                                                      Options options);
  static Result<std::unique_ptr<TcpTransport>> create(Reactor& reactor, LinkHandler& handler);
  ~TcpTransport() override;

  // Gives the address with the port that the kernel chose, where 0 was asked for.
  Result<Address> listen(const Address& address);
  void stop_listening() { listeners_.clear(); }

  LinkId connect(std::string_view address) override;
  SendResult send(LinkId link, Conversation conversation,
                  std::span<const std::byte> payload) override;
  void close(LinkId link, std::string_view why) override;
  // Stops listening and closes every link; the program goes on turning until links() is 0, or a
  // deadline of its own.
  void close_all(std::string_view why);
  // Ends every link at once: nothing that was not sent yet ever is.
  void cut_all(std::string_view why);
  size_t links() const { return live_; }

  // Gives an accepted connection away, with its socket and all that was received: allowed in
  // on_frame of its first frame (or before), as long as nothing was sent. No handler call follows;
  // the client is called in a later turn.
  void release(LinkId link, ReleaseClient& client);
  // Accepted connections whose first bytes are a GET of HTTP are given away by themselves.
  void release_http_to(ReleaseClient& client) { shared_.http = &client; }
  // Goes on with a connection that another transport released: the first frame comes again.
  LinkId adopt(Fd socket, std::vector<std::byte> received);

  const TransportStats& stats() const { return stats_; }

 private:
  struct Slot {
    std::unique_ptr<TcpLink> link;
    uint32_t generation = 1;
  };
  struct Ended {
    LinkId link;
    std::string why;
  };

  TcpTransport(Reactor& reactor, LinkHandler& handler, Options options,
               std::unique_ptr<ReceiveBuffers> buffers);
  TcpLink& add();
  TcpLink* find(LinkId link);
  void on_accepted(Fd socket) override;
  void on_accept_failed(int error) override;
  void on_ended(TcpLink& link, std::string_view why) override;
  void on_finished(TcpLink& link) override;
  void tell();
  void sweep();

  Reactor& reactor_;
  LinkHandler& handler_;
  const Options options_;
  const std::unique_ptr<ReceiveBuffers> buffers_;
  TransportStats stats_;
  TcpShared shared_;
  std::vector<std::unique_ptr<TcpListener>> listeners_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
  std::vector<Ended> ended_;      // to be told
  std::vector<LinkId> finished_;  // to be destroyed
  Instant sweep_due_{};
  Timer<&TcpTransport::sweep> sweep_{*this};
  Later<&TcpTransport::tell> tell_{*this};
};

}  // namespace tepui
