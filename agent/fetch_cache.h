#pragma once
// FetchCache decides what of the fetched files is kept on a machine: who fetches, who waits for
// another's download, who finds it there, and what makes room. The files themselves are its
// caller's, each named by a number that is never used again.
//
// What is referred to is never removed; so it can grow beyond its bound while everything in it is
// used. The least recently used goes first.
//
// Pure.

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace tepui {

// One user's file does not serve another: he may not be allowed to fetch it.
struct FetchCacheKey {
  uint32_t uid = 0;
  std::string uri;
  std::string checksum;
  auto operator<=>(const FetchCacheKey&) const = default;
};

class FetchCache {
 public:
  explicit FetchCache(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  struct Answer {
    enum class Kind : uint8_t {
      kFetch,  // the caller fetches it into the file of this number: fetched() or failed() follows
      kWait,   // somebody fetches it: ask again when that has ended
      kThere,  // it is in the file of this number, referred to: release() follows, or lost()
    };
    Kind kind = Kind::kWait;
    uint64_t number = 0;
    std::string sha256;  // of kThere
  };
  Answer ask(const FetchCacheKey& key);

  // It is there, and the caller refers to it. Files to be removed.
  std::vector<uint64_t> fetched(const FetchCacheKey& key, uint64_t bytes, std::string sha256);
  void failed(const FetchCacheKey& key);
  // Files to be removed.
  std::vector<uint64_t> release(const FetchCacheKey& key, uint64_t number);
  // The file was not there, or was not what it had been: whoever asks next fetches it again.
  // Others who refer to it go on.
  void lost(const FetchCacheKey& key, uint64_t number);

  uint64_t bytes() const { return bytes_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint64_t number = 0;
    bool there = false;  // else somebody fetches it
    uint32_t references = 0;
    uint64_t bytes = 0;
    uint64_t used = 0;  // in the order of use
    std::string sha256;
  };
  std::vector<uint64_t> make_room();

  const uint64_t bytes_max_;
  uint64_t bytes_ = 0;
  uint64_t clock_ = 0;
  uint64_t numbers_ = 0;
  std::map<FetchCacheKey, Entry> entries_;  // bounded by bytes, and by who fetches now
};

}  // namespace tepui
