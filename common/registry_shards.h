#pragma once
// RegistryShards divides the contents of a store over nodes of ZooKeeper: which key is in which
// node. A change rewrites the node of its key and no other; new keys fill one node after the other,
// so that a batch of new agents writes little more than the agents. A node has some 16 kB, however
// many keys there are, and goes away with its last key.
//
// A value that is longer than a piece is cut into pieces, each an entry of its own.
//
// Invariant: every entry is in exactly one shard; no node is longer than limits::kZkNodeBytesMax.
//
// Pure.

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/store.h"
#include "common/znode_wire.h"

namespace tepui {

class RegistryShards {
 public:
  // A node that is there, without the keys that are `superseded`: a batch that was not applied to
  // its end says what they are, and is the next to be applied. Error: an entry that another shard
  // has, too.
  Result<void> load(uint32_t shard, std::vector<ZnodeEntry> entries,
                    const std::set<std::string_view>& superseded);
  // All that was loaded, whole. The error names the key whose pieces do not fit together.
  Result<StoreContents> contents() const;

  struct Change {
    enum class Kind : uint8_t { kCreate, kSet, kDelete };
    Kind kind = Kind::kSet;
    uint32_t shard = 0;
    bool operator==(const Change&) const = default;
  };
  // Applies a batch in order, and says which nodes must be written, in order of their numbers.
  std::vector<Change> apply(std::span<const StoreWrite> batch);
  // The node as it is now.
  std::string encode(uint32_t shard) const;

  size_t shards() const { return shards_.size(); }
  size_t bytes() const;

 private:
  using EntryKey = std::pair<std::string, uint32_t>;  // and the piece
  struct Value {
    std::string bytes;
    uint32_t pieces = 1;
  };
  struct Shard {
    std::map<EntryKey, Value> entries;
    size_t bytes = 0;
    bool is_written = false;  // the node is there
  };

  void remove(const std::string& key, std::set<uint32_t>& touched);
  void put(const std::string& key, const std::string& value, std::set<uint32_t>& touched);
  void insert(uint32_t shard, EntryKey key, Value value);
  void erase(uint32_t shard, const EntryKey& key);
  void note_room(uint32_t shard, const Shard& entries);
  // A shard that has room for so many bytes more.
  uint32_t room_for(size_t bytes);

  std::map<uint32_t, Shard> shards_;
  std::map<EntryKey, uint32_t> places_;
  std::set<uint32_t> stale_;  // not what the node says, until the next batch
  std::set<uint32_t> roomy_;  // at most half full
  uint32_t filling_ = 0;      // where new keys go while there is room
  uint32_t next_ = 0;
};

std::string shard_name(uint32_t shard);  // "shards/00000017"
std::string chunk_name(uint32_t chunk);  // "pending/00000000"
// Of the last part of such a name.
Result<uint32_t> parse_node_number(std::string_view name);

// A batch as nodes that hold it for a while, and back.
std::vector<std::vector<ZnodeEntry>> cut_into_chunks(std::span<const StoreWrite> batch);
Result<std::vector<StoreWrite>> join_chunks(std::vector<std::vector<ZnodeEntry>> chunks);

}  // namespace tepui
