#include "common/zk_address.h"

#include <fmt/format.h>

#include <charconv>

#include "common/limits.h"

namespace tepui {

namespace {

constexpr std::string_view kScheme = "zk://";
constexpr std::string_view kForm = "zk://[USER:PASSWORD@]HOST:PORT,…/PATH";

// An error does not repeat the text, which may be a part of a password.
Result<std::string> parse_server(std::string_view text) {
  // [::1]:2181 has colons of its own.
  const size_t bracket = text.rfind(']');
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = text.substr(0, colon);
  if (host.empty() || host.starts_with('[') != host.ends_with(']')) {
    return fail("is not HOST:PORT");
  }
  if (colon == std::string_view::npos) return fmt::format("{}:{}", text, limits::kZkPort);
  const std::string_view port = text.substr(colon + 1);
  uint16_t number = 0;
  const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (failed != std::errc{} || end != port.data() + port.size() || number == 0) {
    return fail("has no port from 1 to 65535");
  }
  return std::string(text);
}

Result<void> check_path(std::string_view path) {
  if (path.size() < 2) return fail("the path must lie below '/'");
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return fail(fmt::format("path '{}' has an empty or relative part", path));
    }
    for (const char c : part) {
      if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
        return fail("the path has a blank or a control character");
      }
    }
    begin = end + 1;
  }
  return {};
}

Result<ZkAddress> parse_rest(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return fail("there is no path");
  ZkAddress address;
  std::string_view servers = text.substr(0, slash);
  if (const size_t at = servers.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = servers.substr(0, at);
    const size_t colon = who.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == who.size()) {
      return fail("what stands before '@' is not USER:PASSWORD");
    }
    address.user = who.substr(0, colon);
    address.password = who.substr(colon + 1);
    servers.remove_prefix(at + 1);
  }
  std::string_view path = text.substr(slash);
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  TRY(check_path(path));
  address.path = path;
  while (true) {
    const size_t comma = servers.find(',');
    const size_t number = address.servers.size() + 1;
    if (number > limits::kZkServersMax) {
      return fail(fmt::format("names more than {} servers", limits::kZkServersMax));
    }
    auto server = parse_server(servers.substr(0, comma));
    if (!server) return fail(fmt::format("server {} {}", number, server.error().message));
    address.servers.push_back(*std::move(server));
    if (comma == std::string_view::npos) return address;
    servers.remove_prefix(comma + 1);
  }
}

}  // namespace

bool is_zk(std::string_view text) { return text.starts_with(kScheme); }

Result<ZkAddress> parse_zk(std::string_view text) {
  if (!is_zk(text)) return fail(fmt::format("'{}' is not {}", text, kForm));
  auto parsed = parse_rest(text.substr(kScheme.size()));
  if (!parsed) return fail(fmt::format("{}, expected {}", parsed.error().message, kForm));
  return parsed;
}

std::string to_text(const ZkAddress& address) {
  return fmt::format("{}{}{}{}", kScheme, address.user.empty() ? "" : address.user + "@",
                     fmt::join(address.servers, ","), address.path);
}

}  // namespace tepui
