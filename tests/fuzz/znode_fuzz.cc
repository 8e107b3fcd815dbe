// A node of the registry in an honest frame around any content: what decodes is encoded again to a
// node that decodes to the same, and a registry of that one node is read or refused. Also the
// address of an ensemble.

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/registry_shards.h"
#include "common/zk_address.h"
#include "common/znode_wire.h"

namespace {

constexpr std::string_view kName = "shards/00000000";

std::string framed(std::string_view content) {
  std::string bytes("TZNF\1\0\0\0", 8);
  const auto put = [&bytes](const auto number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  };
  put(static_cast<uint32_t>(content.size()));
  put(uint32_t{0});
  put(uint64_t{XXH64(content.data(), content.size(), XXH64(kName.data(), kName.size(), 0))});
  return bytes.append(content);
}

void check_node(std::string_view bytes) {
  if (const auto epoch = tepui::decode_znode_epoch(kName, bytes)) {
    CHECK(*tepui::decode_znode_epoch(kName, tepui::encode_znode(kName, *epoch)) == *epoch);
  }
  auto entries = tepui::decode_znode_entries(kName, bytes);
  if (!entries) {
    CHECK(!entries.error().message.empty());
    return;
  }
  CHECK(*tepui::decode_znode_entries(kName, tepui::encode_znode(kName, *entries)) == *entries);
  (void)tepui::join_chunks({*entries});
  tepui::RegistryShards shards;
  if (shards.load(0, *std::move(entries), {})) (void)shards.contents();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_node(text);
  check_node(framed(text));
  if (const auto address = tepui::parse_zk(text); address && address->user.empty()) {
    CHECK(*tepui::parse_zk(tepui::to_text(*address)) == *address);
  }
  return 0;
}
