#include "common/io/master_info.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "common/io/document.h"

namespace tepui {

namespace {

// The address as one number, its bytes in network order, as old readers want it; they know IPv4
// only, and anything else is 0.
int64_t number_of(const std::string& ip) {
  in_addr address{};
  if (inet_pton(AF_INET, ip.c_str(), &address) != 1) return 0;
  return int64_t{address.s_addr};
}

std::string ip_of(int64_t number) {
  const in_addr address{.s_addr = static_cast<uint32_t>(number)};
  char text[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, &address, text, sizeof text) == nullptr ? "" : text;
}

std::string text_at(const Document* in, std::string_view key) {
  const Document* found = in == nullptr ? nullptr : in->find(key);
  return found != nullptr && found->text() != nullptr ? *found->text() : "";
}

int64_t integer_at(const Document* in, std::string_view key) {
  const Document* found = in == nullptr ? nullptr : in->find(key);
  const auto* number = found == nullptr ? nullptr : std::get_if<int64_t>(&found->value());
  return number == nullptr ? 0 : *number;
}

bool is_address(const std::string& ip) {
  in6_addr address{};
  return inet_pton(AF_INET, ip.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, ip.c_str(), &address) == 1;
}

}  // namespace

std::string address_of(const MasterInfo& info) {
  const bool is_v6 = info.ip.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", info.ip, info.port)
               : fmt::format("{}:{}", info.ip, info.port);
}

std::string to_json(const MasterInfo& info) {
  const auto capability = [](const char* type) {
    return Document(Document::Table{{"type", type}});
  };
  const Document document(Document::Table{
      {"address",
       Document::Table{{"hostname", info.hostname}, {"ip", info.ip}, {"port", int64_t{info.port}}}},
      {"capabilities", Document::List{capability("AGENT_UPDATE"), capability("AGENT_DRAINING"),
                                      capability("QUOTA_V2")}},
      {"hostname", info.hostname},
      {"id", info.id},
      {"ip", number_of(info.ip)},
      {"pid", "master@" + address_of(info)},
      {"port", int64_t{info.port}},
      {"version", info.version},
  });
  return to_json(document, -1);
}

Result<MasterInfo> parse_master_info(std::string_view json) {
  const Document document = TRY(parse_json(json, "what the leader says of itself"));
  if (document.table() == nullptr) {
    return fail(fmt::format("what the leader says of itself is {}, expected an object",
                            document.type_name()));
  }
  const Document* address = document.find("address");
  MasterInfo info{.id = text_at(&document, "id"),
                  .hostname = text_at(&document, "hostname"),
                  .ip = text_at(address, "ip"),
                  .version = text_at(&document, "version")};
  // Masters from before there was an `address`.
  if (info.ip.empty()) info.ip = ip_of(integer_at(&document, "ip"));
  int64_t port = integer_at(address, "port");
  if (port == 0) port = integer_at(&document, "port");
  if (!is_address(info.ip) || port < 1 || port > UINT16_MAX) {
    return fail("what the leader says of itself has no usable ip and port");
  }
  info.port = static_cast<uint16_t>(port);
  return info;
}

}  // namespace tepui
