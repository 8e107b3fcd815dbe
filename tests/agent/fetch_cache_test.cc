#include "agent/fetch_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui {
namespace {

using Kind = FetchCache::Answer::Kind;
using Numbers = std::vector<uint64_t>;

constexpr uint64_t kMegabyte = 1 << 20;

FetchCacheKey key(const std::string& uri, uint32_t uid = 1) {
  return {.uid = uid, .uri = uri, .checksum = {}};
}

uint64_t fill(FetchCache& cache, const FetchCacheKey& one, uint64_t bytes) {
  const FetchCache::Answer answer = cache.ask(one);
  EXPECT_EQ(answer.kind, Kind::kFetch);
  EXPECT_EQ(cache.fetched(one, bytes, "sum"), Numbers{});
  EXPECT_EQ(cache.release(one, answer.number), Numbers{});
  return answer.number;
}

TEST(FetchCache, OneFetchesAndTheOthersWait) {
  FetchCache cache(kMegabyte);
  const FetchCache::Answer first = cache.ask(key("a"));
  EXPECT_EQ(first.kind, Kind::kFetch);
  EXPECT_EQ(cache.ask(key("a")).kind, Kind::kWait);
  EXPECT_EQ(cache.fetched(key("a"), 10, "sum"), Numbers{});
  const FetchCache::Answer second = cache.ask(key("a"));
  EXPECT_EQ(second.kind, Kind::kThere);
  EXPECT_EQ(second.number, first.number);
  EXPECT_EQ(second.sha256, "sum");
}

TEST(FetchCache, AfterAFailureTheNextOneTries) {
  FetchCache cache(kMegabyte);
  const uint64_t failed = cache.ask(key("a")).number;
  cache.failed(key("a"));
  const FetchCache::Answer again = cache.ask(key("a"));
  EXPECT_EQ(again.kind, Kind::kFetch);
  EXPECT_NE(again.number, failed);
}

TEST(FetchCache, UsersAndChecksumsHaveTheirOwn) {
  FetchCache cache(kMegabyte);
  fill(cache, key("a"), 10);
  EXPECT_EQ(cache.ask(key("a", 2)).kind, Kind::kFetch);
  FetchCacheKey checked = key("a");
  checked.checksum = "sha256:x";
  EXPECT_EQ(cache.ask(checked).kind, Kind::kFetch);
}

TEST(FetchCache, TheLeastRecentlyUsedMakesRoom) {
  FetchCache cache(3 * kMegabyte);
  const uint64_t a = fill(cache, key("a"), kMegabyte - 4096);
  const uint64_t b = fill(cache, key("b"), kMegabyte - 4096);
  fill(cache, key("c"), kMegabyte - 4096);
  EXPECT_EQ(cache.bytes(), 3 * kMegabyte);
  cache.release(key("a"), cache.ask(key("a")).number);
  const uint64_t d = cache.ask(key("d")).number;
  EXPECT_EQ(cache.fetched(key("d"), kMegabyte - 4096, "sum"), Numbers{b});
  EXPECT_EQ(cache.ask(key("a")).number, a);
  EXPECT_EQ(cache.ask(key("d")).number, d);
}

TEST(FetchCache, WhatIsUsedStaysAndGoesWhenItIsNot) {
  FetchCache cache(0);
  const uint64_t number = cache.ask(key("a")).number;
  EXPECT_EQ(cache.fetched(key("a"), kMegabyte, "sum"), Numbers{});
  EXPECT_EQ(cache.ask(key("a")).kind, Kind::kThere);
  EXPECT_EQ(cache.release(key("a"), number), Numbers{});
  EXPECT_EQ(cache.release(key("a"), number), Numbers{number});
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(FetchCache, WhatIsLostIsFetchedAgain) {
  FetchCache cache(kMegabyte);
  const uint64_t number = fill(cache, key("a"), 10);
  EXPECT_EQ(cache.ask(key("a")).kind, Kind::kThere);
  EXPECT_EQ(cache.ask(key("a")).kind, Kind::kThere);
  cache.lost(key("a"), number);
  EXPECT_EQ(cache.bytes(), 0u);
  const FetchCache::Answer again = cache.ask(key("a"));
  EXPECT_EQ(again.kind, Kind::kFetch);
  // The other one, which still referred to it, harms nobody.
  cache.lost(key("a"), number);
  EXPECT_EQ(cache.release(key("a"), number), Numbers{});
  EXPECT_EQ(cache.ask(key("a")).kind, Kind::kWait);
}

}  // namespace
}  // namespace tepui
