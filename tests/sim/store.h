#pragma once
// SimStore is the registry on a simulated disk, shared by all masters, or what one agent remembers:
// an append-only log of batches whose unsynced end may be lost or torn at a crash. It elects, too:
// whoever opens it gets an epoch that is higher than all before, and older epochs are refused from
// then on.
//
// Invariant, checked at every opening: what is read back are all the batches that were reported
// durable, then some of those that were under way, in order, whole.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/store.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SimStore {
 public:
  using Done = std::function<void(Result<void>)>;

  SimStore(World& world, const DiskFaults& faults) : world_(world), faults_(faults) {}
  SimStore(const SimStore&) = delete;
  SimStore& operator=(const SimStore&) = delete;

  struct Opened {
    uint64_t epoch = 0;
    StoreContents contents;
  };
  Opened open();
  uint64_t epoch() const { return epoch_; }

  void write(uint64_t epoch, std::vector<StoreWrite> batch, Done done);
  // The machine lost its power: of what was not synced some bytes are there.
  void crash();

  // True if a key that ends with `suffix` is durable, or was before or during the newest batch: the
  // changes of one batch are told of in turn, and a later one may have removed it.
  bool holds(std::string_view suffix) const;
  const StoreContents& durable() const { return durable_; }

 private:
  struct Pending {
    uint64_t number = 0;
    std::vector<StoreWrite> batch;
    std::vector<std::byte> bytes;
    Done done;
  };

  void sync(uint64_t number);

  World& world_;
  const DiskFaults& faults_;
  uint64_t epoch_ = 0;
  std::vector<std::byte> disk_;   // synced, and after a crash what else survived
  StoreContents durable_;         // what disk_ must say, without that
  std::set<std::string> newest_;  // keys of the newest batch: written, or there before
  std::vector<Pending> pending_;
  std::vector<std::vector<StoreWrite>> in_doubt_;  // written, never reported
  bool in_doubt_now_ = false;  // a write failed: nothing more until the next opening
  uint64_t writes_ = 0;
};

}  // namespace tepui::sim
