#pragma once
// Fetcher puts what a command's URIs name into its sandbox, one after the other, by helper
// processes: one that speaks to the network and sees no sandbox, and one that reads what came,
// unpacks it, and sees no network. What is marked to be kept comes from the cache, and is checked
// each time.
//
// http: and https: are asked for as the fetcher's user. A local file is read with the rights of the
// task's user; where that is root, with those of the fetcher's user, so that a task which is root
// in its container only reads what everybody may.
//
// Its calls block; any thread may make them, several at once. The cache is empty at the start.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "agent/fetch_cache.h"
#include "agent/linux/fetch_helper.h"
#include "agent/linux/shim_spec.h"
#include "common/commands.h"
#include "common/io/fd.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

struct FetcherOptions {
  std::string program;  // tepui-fetch
  int cgroup = -1;      // where helpers are; an open directory that outlives the fetcher, or -1
  std::string user;     // who fetches, unless it is the task's user; where the agent is root
  std::string cache_dir;
  uint64_t cache_bytes = 0;
  uint64_t bytes_max = 0;  // of one file, and of what one archive unpacks to
  Duration stall{};        // how long nothing may come
};

class Fetcher {
 public:
  static Result<std::unique_ptr<Fetcher>> create(FetcherOptions options);

  struct Request {
    const CommandInfo& command;
    const std::optional<UserIds>& user;  // absent: the agent's own
    // His ids are those of a user namespace: with them he may no more than everybody.
    bool is_mapped = false;
    int sandbox = -1;
    const Cancellation& cancellation;
    std::atomic<uint64_t>& bytes;  // of the file that is being fetched
  };
  // The error names the URI. ECANCELED: it was cancelled.
  Result<void> fetch(const Request& request);

  struct Counts {
    uint64_t succeeded = 0;  // URIs
    uint64_t failed = 0;
    uint64_t cached_bytes = 0;
  };
  Counts counts();

  // After a cancellation: whoever waits for another's download looks again.
  void wake();

  const FetcherOptions& options() const { return options_; }

 private:
  explicit Fetcher(FetcherOptions options)
      : options_(std::move(options)), cache_(options_.cache_bytes) {}

  Result<void> fetch_one(const Request& request, const Uri& uri);
  Result<void> fetch_cached(const Request& request, const Uri& uri);
  Result<FetchAnswer> download(const Request& request, const Uri& uri, int output);
  Result<void> place(const Request& request, const Uri& uri, int input, std::string sha256);
  Result<FetchAnswer> fetch_into_cache(const Request& request, const Uri& uri,
                                       const FetchCacheKey& key, uint64_t number);
  Result<FetchCache::Answer> ask(const Request& request, const FetchCacheKey& key);
  void remove(const std::vector<uint64_t>& numbers);

  const FetcherOptions options_;
  UserIds fetcher_;  // the ids of options_.user
  Fd directory_;     // of the cache

  std::mutex mutex_;
  std::condition_variable changed_;
  FetchCache cache_;     // guarded by mutex_
  Counts counts_;        // guarded by mutex_; without the bytes
  uint64_t staged_ = 0;  // guarded by mutex_
};

}  // namespace tepui
