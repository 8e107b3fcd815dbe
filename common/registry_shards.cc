#include "common/registry_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

static_assert(limits::kZkPieceBytes + 1024 < limits::kZkNodeBytesMax);
static_assert(limits::kZkChunkBytes + 2 * limits::kZkShardBytes < limits::kZkNodeBytesMax);

namespace {

constexpr size_t kNumberDigits = 8;

size_t size_of(const std::pair<std::string, uint32_t>& key, const std::string& value) {
  return znode_bytes(ZnodeEntry{.key = key.first, .value = {}}) + value.size();
}

// Calls piece(number, of, bytes) for each; an empty value is one piece.
template <class Piece>
void for_each_piece(const std::string& value, Piece piece) {
  const size_t size = limits::kZkPieceBytes;
  const auto count = static_cast<uint32_t>(std::max<size_t>(1, (value.size() + size - 1) / size));
  for (uint32_t i = 0; i < count; ++i) piece(i, count, value.substr(i * size, size));
}

}  // namespace

std::string shard_name(uint32_t shard) { return fmt::format("shards/{:08}", shard); }

std::string chunk_name(uint32_t chunk) { return fmt::format("pending/{:08}", chunk); }

Result<uint32_t> parse_node_number(std::string_view name) {
  uint32_t number = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (failed != std::errc{} || end != name.data() + name.size() || name.size() < kNumberDigits ||
      (name.size() > kNumberDigits && name.front() == '0')) {
    return fail(fmt::format("'{}' is not the number of a node", name));
  }
  return number;
}

// --------------------------------------------------------------------------------------- loading

Result<void> RegistryShards::load(uint32_t shard, std::vector<ZnodeEntry> entries,
                                  const std::set<std::string_view>& superseded) {
  Shard& loaded = shards_[shard];
  loaded.is_written = true;
  next_ = std::max(next_, shard + 1);
  for (ZnodeEntry& entry : entries) {
    if (!entry.value) return fail(fmt::format("says that '{}' goes away", entry.key));
    if (superseded.contains(entry.key)) {
      stale_.insert(shard);
      continue;
    }
    EntryKey key(std::move(entry.key), entry.piece);
    const auto [known, is_new] = places_.try_emplace(key, shard);
    if (!is_new) {
      return fail(
          fmt::format("has '{}', which is in {}, too", key.first, shard_name(known->second)));
    }
    loaded.bytes += size_of(key, *entry.value);
    loaded.entries.emplace(std::move(key),
                           Value{.bytes = *std::move(entry.value), .pieces = entry.pieces});
  }
  note_room(shard, loaded);
  return {};
}

Result<StoreContents> RegistryShards::contents() const {
  StoreContents contents;
  uint32_t missing = 0;  // pieces of the last key
  const std::string* last = nullptr;
  const auto incomplete = [](const std::string& key) {
    return fail(fmt::format("'{}' has not all of its pieces", key));
  };
  for (const auto& [key, shard] : places_) {
    const Value& value = shards_.at(shard).entries.at(key);
    const bool begins = last == nullptr || *last != key.first;
    if (begins && missing != 0) return incomplete(*last);
    if (begins) missing = value.pieces;
    if (missing == 0 || key.second != value.pieces - missing) return incomplete(key.first);
    --missing;
    contents[key.first] += value.bytes;
    last = &key.first;
  }
  if (missing != 0) return incomplete(*last);
  return contents;
}

size_t RegistryShards::bytes() const {
  size_t sum = 0;
  for (const auto& [number, shard] : shards_) sum += shard.bytes;
  return sum;
}

// -------------------------------------------------------------------------------------- changing

std::vector<RegistryShards::Change> RegistryShards::apply(std::span<const StoreWrite> batch) {
  std::set<uint32_t> touched = std::exchange(stale_, {});
  for (const StoreWrite& write : batch) {
    if (write.value) {
      put(write.key, *write.value, touched);
    } else {
      remove(write.key, touched);
    }
  }
  std::vector<Change> changes;
  for (const uint32_t number : touched) {
    Shard& shard = shards_.at(number);
    if (shard.entries.empty()) {
      if (shard.is_written) changes.push_back({.kind = Change::Kind::kDelete, .shard = number});
      roomy_.erase(number);
      shards_.erase(number);
      continue;
    }
    changes.push_back(
        {.kind = shard.is_written ? Change::Kind::kSet : Change::Kind::kCreate, .shard = number});
    shard.is_written = true;
  }
  return changes;
}

void RegistryShards::remove(const std::string& key, std::set<uint32_t>& touched) {
  auto at = places_.lower_bound({key, 0});
  while (at != places_.end() && at->first.first == key) {
    touched.insert(at->second);
    erase(at->second, at->first);
    at = places_.erase(at);
  }
}

void RegistryShards::put(const std::string& key, const std::string& value,
                         std::set<uint32_t>& touched) {
  // A value that stays short stays where it is, unless it makes its shard much too long.
  const auto known = places_.find({key, 0});
  if (known != places_.end() && value.size() <= limits::kZkPieceBytes) {
    const uint32_t number = known->second;
    Shard& shard = shards_.at(number);
    Value& old = shard.entries.at(known->first);
    const size_t bytes = shard.bytes - old.bytes.size() + value.size();
    if (old.pieces == 1 && (bytes <= 2 * limits::kZkShardBytes || shard.entries.size() == 1)) {
      old.bytes = value;
      shard.bytes = bytes;
      note_room(number, shard);
      touched.insert(number);
      return;
    }
  }
  remove(key, touched);
  for_each_piece(value, [&](uint32_t piece, uint32_t pieces, std::string bytes) {
    EntryKey entry(key, piece);
    const uint32_t number = room_for(size_of(entry, bytes));
    touched.insert(number);
    insert(number, std::move(entry), {.bytes = std::move(bytes), .pieces = pieces});
  });
}

void RegistryShards::insert(uint32_t number, EntryKey key, Value value) {
  Shard& shard = shards_.at(number);
  shard.bytes += size_of(key, value.bytes);
  places_.emplace(key, number);
  shard.entries.emplace(std::move(key), std::move(value));
  note_room(number, shard);
}

void RegistryShards::erase(uint32_t number, const EntryKey& key) {
  Shard& shard = shards_.at(number);
  const auto entry = shard.entries.find(key);
  shard.bytes -= size_of(key, entry->second.bytes);
  shard.entries.erase(entry);
  note_room(number, shard);
}

void RegistryShards::note_room(uint32_t number, const Shard& shard) {
  if (shard.bytes <= limits::kZkShardBytes / 2) {
    roomy_.insert(number);
  } else {
    roomy_.erase(number);
  }
}

uint32_t RegistryShards::room_for(size_t bytes) {
  const auto has_room = [this, bytes](uint32_t number) {
    const auto found = shards_.find(number);
    return found != shards_.end() &&
           (found->second.bytes + bytes <= limits::kZkShardBytes || found->second.entries.empty());
  };
  if (has_room(filling_)) return filling_;
  // The first that is half empty; an entry that needs more than that gets a shard of its own.
  if (!roomy_.empty() && has_room(*roomy_.begin())) {
    filling_ = *roomy_.begin();
    return filling_;
  }
  const uint32_t made = next_++;
  shards_[made];
  if (bytes <= limits::kZkShardBytes / 2) filling_ = made;
  return made;
}

std::string RegistryShards::encode(uint32_t number) const {
  const Shard& shard = shards_.at(number);
  std::vector<ZnodeEntry> entries;
  entries.reserve(shard.entries.size());
  for (const auto& [key, value] : shard.entries) {
    entries.push_back(
        {.key = key.first, .piece = key.second, .pieces = value.pieces, .value = value.bytes});
  }
  std::string bytes = encode_znode(shard_name(number), entries);
  CHECK(bytes.size() <= limits::kZkNodeBytesMax);
  return bytes;
}

// ---------------------------------------------------------------------------------------- chunks

std::vector<std::vector<ZnodeEntry>> cut_into_chunks(std::span<const StoreWrite> batch) {
  std::vector<std::vector<ZnodeEntry>> chunks;
  size_t bytes = limits::kZkChunkBytes;
  const auto add = [&](ZnodeEntry entry) {
    const size_t size = znode_bytes(entry);
    // The first entry always begins a chunk.
    if (chunks.empty() || bytes + size > limits::kZkChunkBytes) {
      chunks.emplace_back();
      bytes = 0;
    }
    bytes += size;
    chunks.back().push_back(std::move(entry));
  };
  for (const StoreWrite& write : batch) {
    if (!write.value) {
      add({.key = write.key, .value = std::nullopt});
      continue;
    }
    for_each_piece(*write.value, [&](uint32_t piece, uint32_t pieces, std::string value) {
      add({.key = write.key, .piece = piece, .pieces = pieces, .value = std::move(value)});
    });
  }
  return chunks;
}

Result<std::vector<StoreWrite>> join_chunks(std::vector<std::vector<ZnodeEntry>> chunks) {
  std::vector<StoreWrite> batch;
  uint32_t pieces = 1;  // of the last write
  uint32_t joined = 1;
  for (std::vector<ZnodeEntry>& chunk : chunks) {
    for (ZnodeEntry& entry : chunk) {
      const bool continues = joined < pieces;
      if (entry.piece != (continues ? joined : 0) ||
          (continues &&
           (entry.key != batch.back().key || !entry.value || entry.pieces != pieces))) {
        return fail(fmt::format("piece {} of '{}' is out of its place", entry.piece, entry.key));
      }
      if (continues) {
        *batch.back().value += *entry.value;
        ++joined;
        continue;
      }
      pieces = entry.value ? entry.pieces : 1;
      joined = 1;
      batch.push_back({.key = std::move(entry.key), .value = std::move(entry.value)});
    }
  }
  if (joined < pieces) return fail(fmt::format("'{}' has not all of its pieces", batch.back().key));
  return batch;
}

}  // namespace tepui
