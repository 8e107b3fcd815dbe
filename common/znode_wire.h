#pragma once
// The nodes of the registry in ZooKeeper as bytes: a frame of 24 bytes and a FlatBuffer. All
// numbers are little endian:
//
//   0  u32  magic     "TZNF"
//   4  u8   version   1
//   5  u8[3] zero
//   8  u32  length    of what follows the frame
//  12  u32  zero
//  16  u64  checksum  XXH64 of what follows, seed: XXH64 of the node's name below the registry
//
// Since the name is in the checksum, a node that was copied to another name is found out.
//
// Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

struct ZnodeEntry {
  std::string key;
  uint32_t piece = 0;  // below `pieces`
  uint32_t pieces = 1;
  std::optional<std::string> value;  // nothing, in a chunk only: the key goes away
  bool operator==(const ZnodeEntry&) const = default;
};

struct ZnodeEpoch {
  uint64_t epoch = 0;
  uint64_t serial = 0;
  uint32_t chunks = 0;
  bool operator==(const ZnodeEpoch&) const = default;
};

// `name` is the path below the registry: "epoch", "shards/000017".
std::string encode_znode(std::string_view name, std::span<const ZnodeEntry> entries);
std::string encode_znode(std::string_view name, const ZnodeEpoch& epoch);
// Bytes of one entry in a node, at most: what to add up before it is made.
size_t znode_bytes(const ZnodeEntry& entry);
inline constexpr size_t kZnodeFixedBytes = 128;

// An error does not name the node; the caller does.
Result<std::vector<ZnodeEntry>> decode_znode_entries(std::string_view name, std::string_view bytes);
Result<ZnodeEpoch> decode_znode_epoch(std::string_view name, std::string_view bytes);

}  // namespace tepui
