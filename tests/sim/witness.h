#pragma once
// Witness knows what of the registry must be durable, wherever it is kept: from what masters wrote
// and were told, and from what each new leader found.
//
// Checked: no epoch begins twice; what a new leader finds is all that was reported durable, then
// some of what was under way, in order, whole; and nothing is reported durable to a deposed leader
// that its successor did not find.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/store.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class Witness {
 public:
  explicit Witness(World& world) : world_(world) {}

  void on_write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch);
  void on_persisted(uint64_t epoch, uint64_t token);
  void on_failed(uint64_t epoch, uint64_t token);
  void on_opened(uint64_t epoch, const StoreContents& found);

  uint64_t epoch() const { return epoch_; }
  // A key with that end is durable, or was before or during the newest batch: the changes of one
  // batch are told of in turn, and a later one may have removed it.
  bool holds(std::string_view suffix) const;

 private:
  struct Batch {
    uint64_t token = 0;
    std::vector<StoreWrite> writes;
  };

  World& world_;
  std::set<uint64_t> begun_;
  uint64_t epoch_ = 0;  // the highest of them
  StoreContents durable_;
  std::set<std::string> newest_;  // keys of the newest batch: written, or there before
  std::deque<Batch> under_way_;   // of this epoch
  std::set<std::pair<uint64_t, uint64_t>> lost_;  // (epoch, token): the next leader found it not
};

}  // namespace tepui::sim
