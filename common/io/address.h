#pragma once
// Address is where a socket listens or connects to: an IPv4 or IPv6 address and a port, as
// `127.0.0.1:5050`, `[::1]:5050` or `localhost:5050`, or a socket in the file system, as
// `unix:/run/tepui/agent.sock`.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace tepui {

class Address {
 public:
  Address() = default;
  Address(const sockaddr_storage& storage, socklen_t size) : storage_(storage), size_(size) {}

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  std::string path() const;  // of a socket in the file system; else empty
  bool is_loopback() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// Numbers and `localhost` only, so it never blocks.
Result<Address> parse_address(std::string_view text);
// Also names, through the system's resolver: blocks, for the start of a program or a worker.
Result<Address> resolve_address(std::string_view text);
std::string to_text(const Address& address);
// Of the other end, or of this end, of a connected socket.
Address peer_address(int socket);
Address local_address(int socket);

}  // namespace tepui
