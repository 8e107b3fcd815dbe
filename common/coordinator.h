#pragma once
// Coordinator elects the leader. An implementation is handed a CoordinatorClient and tells it, on
// the loop's thread, when this process leads and when it no longer may. The embedded one
// (common/io/file_store: a lock on the registry's directory) elects whoever holds the lock;
// ZooKeeper comes beside it.
//
// Pure interface.

#include <cstdint>
#include <string_view>

#include "common/store.h"

namespace tepui {

class CoordinatorClient {
 public:
  virtual ~CoordinatorClient() = default;
  // `epoch` is higher than that of any leader before and durable already; `contents` is the
  // registry as this epoch found it.
  virtual void on_elected(uint64_t epoch, StoreContents contents) = 0;
  virtual void on_deposed(std::string_view why) = 0;
};

class Coordinator {
 public:
  virtual ~Coordinator() = default;
  virtual void contend() = 0;
  virtual void resign(std::string_view why) = 0;
};

}  // namespace tepui
