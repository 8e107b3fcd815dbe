#include "agent/fetch_cache.h"

#include <utility>

#include "common/check.h"

namespace tepui {

namespace {
// What a file costs beside its bytes, so that empty ones are bounded too.
constexpr uint64_t kEntryBytes = 4096;
}  // namespace

FetchCache::Answer FetchCache::ask(const FetchCacheKey& key) {
  const auto [found, is_new] = entries_.try_emplace(key);
  Entry& entry = found->second;
  if (is_new) {
    entry.number = ++numbers_;
    return {.kind = Answer::Kind::kFetch, .number = entry.number, .sha256 = {}};
  }
  if (!entry.there) return {.kind = Answer::Kind::kWait, .number = 0, .sha256 = {}};
  ++entry.references;
  entry.used = ++clock_;
  return {.kind = Answer::Kind::kThere, .number = entry.number, .sha256 = entry.sha256};
}

std::vector<uint64_t> FetchCache::fetched(const FetchCacheKey& key, uint64_t bytes,
                                          std::string sha256) {
  Entry& entry = entries_.at(key);
  CHECK(!entry.there);
  entry.there = true;
  entry.references = 1;
  entry.bytes = bytes + kEntryBytes;
  entry.used = ++clock_;
  entry.sha256 = std::move(sha256);
  bytes_ += entry.bytes;
  return make_room();
}

void FetchCache::failed(const FetchCacheKey& key) {
  CHECK(!entries_.at(key).there);
  entries_.erase(key);
}

std::vector<uint64_t> FetchCache::release(const FetchCacheKey& key, uint64_t number) {
  const auto found = entries_.find(key);
  // Lost meanwhile, and perhaps fetched again.
  if (found == entries_.end() || found->second.number != number) return {};
  CHECK(found->second.references > 0);
  --found->second.references;
  return make_room();
}

void FetchCache::lost(const FetchCacheKey& key, uint64_t number) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.number != number) return;
  bytes_ -= found->second.bytes;
  entries_.erase(found);
}

std::vector<uint64_t> FetchCache::make_room() {
  std::vector<uint64_t> removed;
  while (bytes_ > bytes_max_) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!entry->second.there || entry->second.references > 0) continue;
      if (oldest == entries_.end() || entry->second.used < oldest->second.used) oldest = entry;
    }
    if (oldest == entries_.end()) break;
    bytes_ -= oldest->second.bytes;
    removed.push_back(oldest->second.number);
    entries_.erase(oldest);
  }
  return removed;
}

}  // namespace tepui
