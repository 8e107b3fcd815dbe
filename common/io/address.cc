#include "common/io/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>

#include <charconv>
#include <memory>

namespace tepui {

namespace {

struct HostAndPort {
  std::string host;
  uint16_t port = 0;
};

constexpr std::string_view kUnix = "unix:";

Result<Address> unix_address(std::string_view path) {
  sockaddr_storage storage{};
  auto* local = reinterpret_cast<sockaddr_un*>(&storage);
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) {
    return fail(fmt::format("'{}{}' is not an address: expected an absolute path behind {}", kUnix,
                            path, kUnix));
  }
  if (path.size() >= sizeof local->sun_path) {
    return fail(fmt::format("the path of the socket {} has {} bytes, at most {} are possible", path,
                            path.size(), sizeof local->sun_path - 1));
  }
  local->sun_family = AF_UNIX;
  path.copy(local->sun_path, path.size());
  return Address(storage,
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
}

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(
      fmt::format("'{}' is not an address: {}, expected one like 127.0.0.1:5050", text, why));
}

Result<HostAndPort> split(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse(text, "it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  uint32_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port > 65535) {
    return refuse(text, fmt::format("'{}' is not a port from 0 to 65535", digits));
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return refuse(text, "an IPv6 address stands in brackets");
  }
  if (host.empty()) return refuse(text, "it has no host");
  return HostAndPort{.host = std::string(host), .port = static_cast<uint16_t>(port)};
}

bool parse_number(const HostAndPort& where, Address& into) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  const std::string host = where.host == "localhost" ? "127.0.0.1" : where.host;
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(where.port);
    into = Address(storage, sizeof *v4);
    return true;
  }
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(where.port);
    into = Address(storage, sizeof *v6);
    return true;
  }
  return false;
}

}  // namespace

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() != AF_INET6) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
}

std::string Address::path() const {
  if (family() != AF_UNIX || size_ <= offsetof(sockaddr_un, sun_path)) return {};
  return reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path;
}

bool Address::is_loopback() const {
  if (family() == AF_UNIX) return true;
  if (family() == AF_INET) {
    const uint32_t host = ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr);
    return host >> 24 == 127;
  }
  if (family() != AF_INET6) return false;
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr);
}

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with(kUnix)) return unix_address(text.substr(kUnix.size()));
  const HostAndPort where = TRY(split(text));
  Address address;
  if (!parse_number(where, address)) {
    return refuse(text, fmt::format("'{}' is neither a number nor localhost", where.host));
  }
  return address;
}

Result<Address> resolve_address(std::string_view text) {
  if (text.starts_with(kUnix)) return unix_address(text.substr(kUnix.size()));
  const HostAndPort where = TRY(split(text));
  Address address;
  if (parse_number(where, address)) return address;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = fmt::format("{}", where.port);
  const int failed = getaddrinfo(where.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) return fail(fmt::format("cannot resolve '{}': {}", text, gai_strerror(failed)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &freeaddrinfo);
  sockaddr_storage storage{};
  memcpy(&storage, found->ai_addr, found->ai_addrlen);
  return Address(storage, found->ai_addrlen);
}

std::string to_text(const Address& address) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address.family() == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr, host,
              sizeof host);
    return fmt::format("{}:{}", host, address.port());
  }
  if (address.family() == AF_UNIX) return fmt::format("{}{}", kUnix, address.path());
  if (address.family() != AF_INET6) return "unknown address";
  inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr, host,
            sizeof host);
  return fmt::format("[{}]:{}", host, address.port());
}

Address peer_address(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return {storage, size};
}

Address local_address(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return {storage, size};
}

}  // namespace tepui
