#include "tests/sim/witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/record_log.h"

namespace tepui::sim {

void Witness::on_write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) {
  if (epoch != epoch_) {
    lost_.insert({epoch, token});
    return;
  }
  under_way_.push_back({.token = token, .writes = std::move(batch)});
}

void Witness::on_persisted(uint64_t epoch, uint64_t token) {
  if (epoch != epoch_) {
    if (!lost_.contains({epoch, token})) return;
    return world_.violated("fence", fmt::format("a write of epoch {} is called durable; epoch {} "
                                                "began without it",
                                                epoch, epoch_));
  }
  if (under_way_.empty() || under_way_.front().token != token) {
    return world_.violated("store", "batches are reported out of order");
  }
  const std::vector<StoreWrite> writes = std::move(under_way_.front().writes);
  under_way_.pop_front();
  newest_.clear();
  for (const StoreWrite& write : writes) {
    if (write.value || durable_.contains(write.key)) newest_.insert(write.key);
  }
  apply_batch(durable_, writes);
}

// It may have been carried out all the same; nothing after it is, for nothing may be sent after it.
void Witness::on_failed(uint64_t epoch, uint64_t) {
  if (epoch != epoch_) world_.reached("registry.fenced");
}

void Witness::on_opened(uint64_t epoch, const StoreContents& found) {
  if (!begun_.insert(epoch).second) {
    return world_.violated("fence", fmt::format("epoch {} begins twice", epoch));
  }
  // It was overtaken while it read, by one of whom it has not heard yet: what it writes is refused.
  if (epoch < epoch_) return world_.reached("registry.opened_too_late");
  // The longest beginning of what was under way that leads there.
  StoreContents expected = durable_;
  std::optional<size_t> survived;
  if (expected == found) survived = 0;
  for (size_t i = 0; i < under_way_.size(); ++i) {
    apply_batch(expected, under_way_[i].writes);
    if (expected == found) survived = i + 1;
  }
  if (!survived) world_.violated("store", "what was read is not what was written");
  if (survived && *survived > 0) world_.reached("registry.unreported_write_survived");
  for (size_t i = survived.value_or(0); i < under_way_.size(); ++i) {
    lost_.insert({epoch_, under_way_[i].token});
  }
  under_way_.clear();
  epoch_ = epoch;
  durable_ = found;
}

bool Witness::holds(std::string_view suffix) const {
  return std::ranges::any_of(durable_,
                             [suffix](const auto& entry) {
                               return std::string_view(entry.first).ends_with(suffix);
                             }) ||
         std::ranges::any_of(newest_,
                             [suffix](const std::string& key) { return key.ends_with(suffix); });
}

}  // namespace tepui::sim
