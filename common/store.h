#pragma once
// Store keeps the registry: a small map of keys to bytes, changed by atomic batches.
//
// A batch is all or nothing, durable before it is reported, and fenced: the store refuses a batch
// of an epoch lower than the one that opened it last. Batches become durable in the order of their
// writes. The implementations are a directory (common/io/file_store), the simulation's disk
// (tests/sim) and, later, ZooKeeper.
//
// Pure interface. Calls come from the loop's thread, and so do the answers.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace tepui {

struct StoreWrite {
  std::string key;                   // `agents/7f3a9c12-e3-a17`, at most 255 bytes
  std::optional<std::string> value;  // absent: the key is removed
  bool operator==(const StoreWrite&) const = default;
};

using StoreContents = std::map<std::string, std::string>;

class StoreClient {
 public:
  virtual ~StoreClient() = default;
  virtual void on_persisted(uint64_t token) = 0;
  // The store is in doubt after this: its owner must stop acting as leader and open it again.
  virtual void on_persist_failed(uint64_t token, Error error) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // Starts writing; exactly one of the client's calls follows, never inside this one.
  virtual void write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) = 0;
};

}  // namespace tepui
