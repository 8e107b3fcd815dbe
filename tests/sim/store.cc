#include "tests/sim/store.h"

#include <algorithm>
#include <utility>

#include "common/record_log.h"

namespace tepui::sim {

// The lock moved: what the former holder has under way is in doubt, as after a crash of it.
SimStore::Opened SimStore::open() {
  crash();
  LogReplay read = replay_log(disk_);
  if (read.verdict == LogReplay::Verdict::kCorrupt) {
    world_.violated("store", "an honest log is called corrupt: " + read.why);
  }
  if (read.verdict == LogReplay::Verdict::kTorn) world_.reached("store.torn_end");
  StoreContents expected = durable_;
  for (const auto& batch : in_doubt_) {
    if (expected == read.contents) break;
    apply_batch(expected, batch);
    world_.reached("store.unreported_write_survived");
  }
  if (expected != read.contents) world_.violated("store", "what was read is not what was written");
  disk_.resize(read.valid_bytes);
  durable_ = std::move(read.contents);
  in_doubt_.clear();
  in_doubt_now_ = false;
  ++epoch_;
  const auto stamp =
      append_batch(disk_, {.epoch = epoch_, .offset = disk_.size(), .durable = disk_.size()}, {});
  if (!stamp) world_.violated("store", stamp.error().message);
  return {.epoch = epoch_, .contents = durable_};
}

void SimStore::write(uint64_t epoch, std::vector<StoreWrite> batch, Done done) {
  if (epoch != epoch_) {
    world_.reached("store.fenced");
    world_.after(world_.up_to(faults_.sync_max),
                 [done = std::move(done)] { done(fail("the store belongs to a later epoch")); });
    return;
  }
  if (in_doubt_now_) {
    world_.after(Duration{}, [done = std::move(done)] { done(fail("the store is in doubt")); });
    return;
  }
  const uint64_t number = ++writes_;
  uint64_t offset = disk_.size();
  for (const Pending& before : pending_) offset += before.bytes.size();
  Pending made{number, std::move(batch), {}, std::move(done)};
  const auto appended = append_batch(
      made.bytes, {.epoch = epoch, .offset = offset, .durable = disk_.size()}, made.batch);
  if (!appended) return world_.violated("store", appended.error().message);
  pending_.push_back(std::move(made));
  world_.after(world_.up_to(faults_.sync_max), [this, number] { sync(number); });
}

// One sync makes everything durable that was written before it, in order.
void SimStore::sync(uint64_t number) {
  const auto end =
      std::ranges::find_if(pending_, [number](const Pending& p) { return p.number > number; });
  std::vector<Pending> synced(std::make_move_iterator(pending_.begin()),
                              std::make_move_iterator(end));
  pending_.erase(pending_.begin(), end);
  const uint64_t full = faults_.full_one_in;
  for (size_t i = 0; i < synced.size(); ++i) {
    if (full != 0 && world_.rng().chance(1, full)) {
      world_.reached("store.full");
      in_doubt_now_ = true;
      in_doubt_.push_back(synced[i].batch);
      const size_t written = world_.rng().below(synced[i].bytes.size() + 1);
      disk_.insert(disk_.end(), synced[i].bytes.begin(),
                   synced[i].bytes.begin() + static_cast<ptrdiff_t>(written));
      for (Pending& later : pending_) synced.push_back(std::move(later));
      pending_.clear();
      for (size_t j = i; j < synced.size(); ++j) {
        synced[j].done(fail("no space left on device", 28));
      }
      return;
    }
    disk_.insert(disk_.end(), synced[i].bytes.begin(), synced[i].bytes.end());
    newest_.clear();
    for (const StoreWrite& write : synced[i].batch) {
      if (write.value || durable_.contains(write.key)) newest_.insert(write.key);
    }
    apply_batch(durable_, synced[i].batch);
    synced[i].done({});
  }
}

// Pages reach the disk in any order: a part is there, and perhaps a hole in it.
void SimStore::crash() {
  if (pending_.empty()) return;
  world_.reached("store.unsynced_lost");
  std::vector<std::byte> unsynced;
  for (Pending& pending : pending_) {
    unsynced.insert(unsynced.end(), pending.bytes.begin(), pending.bytes.end());
    in_doubt_.push_back(std::move(pending.batch));
  }
  pending_.clear();
  Rng& rng = world_.rng();
  if (rng.chance(1, 2)) unsynced.resize(rng.below(unsynced.size() + 1));
  if (!unsynced.empty() && rng.chance(1, 2)) {
    const size_t hole = rng.below(unsynced.size());
    const size_t end = hole + rng.below(unsynced.size() - hole) + 1;
    for (size_t i = hole; i < end; ++i) unsynced[i] = std::byte{0};
  }
  disk_.insert(disk_.end(), unsynced.begin(), unsynced.end());
}

bool SimStore::holds(std::string_view suffix) const {
  return std::ranges::any_of(durable_,
                             [suffix](const auto& entry) {
                               return std::string_view(entry.first).ends_with(suffix);
                             }) ||
         std::ranges::any_of(newest_,
                             [suffix](const std::string& key) { return key.ends_with(suffix); });
}

}  // namespace tepui::sim
