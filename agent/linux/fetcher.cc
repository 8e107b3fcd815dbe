#include "agent/linux/fetcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "agent/linux/files.h"
#include "agent/linux/users.h"

namespace tepui {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";

std::string digits_of(const std::string& checksum) {
  return checksum.empty() ? checksum : checksum.substr(kAlgorithm.size());
}

Result<void> check_sum(const Uri& uri, const FetchAnswer& answer) {
  if (uri.checksum.empty() || digits_of(uri.checksum) == answer.sha256) return {};
  return fail(fmt::format("its checksum is sha256:{}, expected {}", answer.sha256, uri.checksum),
              EBADMSG);
}

// Only what an earlier life kept there: the directory itself may be an operator's choice.
Result<Fd> empty_directory(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return std::unexpected(system_error(code.value(), "creating the directory " + path));
  Fd directory = TRY(open_directory_at(AT_FDCWD, path));
  if (fchmod(directory.get(), 0700) != 0) {
    return std::unexpected(system_error(errno, "closing the directory " + path));
  }
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("fetched-")) TRY(remove_file_at(directory.get(), name));
  }
  if (code) return std::unexpected(system_error(code.value(), "listing the directory " + path));
  return directory;
}

Result<Fd> create_file(const Fd& directory, const std::string& name) {
  Fd file(openat(directory.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(system_error(errno, "creating a file to fetch into"));
  return file;
}

std::string file_name(uint64_t number) { return fmt::format("fetched-{}", number); }

}  // namespace

Result<std::unique_ptr<Fetcher>> Fetcher::create(FetcherOptions options) {
  std::unique_ptr<Fetcher> fetcher(new Fetcher(std::move(options)));
  if (geteuid() == 0) {
    Result<UserIds> ids = find_user(fetcher->options_.user);
    if (!ids) return std::unexpected(std::move(ids).error().in("--fetcher-user"));
    if (ids->uid == 0) return fail("--fetcher-user: root would not be confined");
    fetcher->fetcher_ = *std::move(ids);
  }
  fetcher->directory_ = TRY(empty_directory(fetcher->options_.cache_dir));
  return fetcher;
}

Result<void> Fetcher::fetch(const Request& request) {
  for (const Uri& uri : request.command.uris) {
    request.bytes = 0;
    Result<void> fetched = uri.cache ? fetch_cached(request, uri) : fetch_one(request, uri);
    {
      const std::lock_guard lock(mutex_);
      ++(fetched ? counts_.succeeded : counts_.failed);
    }
    if (!fetched) {
      return std::unexpected(std::move(fetched).error().in("fetching " + shown(uri.value)));
    }
  }
  return {};
}

Fetcher::Counts Fetcher::counts() {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.cached_bytes = cache_.bytes();
  return counts;
}

void Fetcher::wake() {
  // So that nobody is between looking and waiting.
  {
    const std::lock_guard lock(mutex_);
  }
  changed_.notify_all();
}

Result<void> Fetcher::fetch_one(const Request& request, const Uri& uri) {
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    name = fmt::format("fetched-once-{}", ++staged_);
  }
  const Fd file = TRY(create_file(directory_, name));
  TRY(remove_file_at(directory_.get(), name));  // nothing is left, whatever happens
  TRY(check_sum(uri, TRY(download(request, uri, file.get()))));
  return place(request, uri, file.get(), digits_of(uri.checksum));
}

Result<void> Fetcher::fetch_cached(const Request& request, const Uri& uri) {
  // The ids of a user namespace are another's next time: as root's, whose files are read likewise.
  const bool is_somebody = request.user && !request.is_mapped;
  const FetchCacheKey key{.uid = is_somebody ? request.user->uid : geteuid(),
                          .uri = uri.value,
                          .checksum = uri.checksum};
  constexpr int kAttempts = 3;
  Error last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    FetchCache::Answer found = TRY(ask(request, key));
    if (found.kind == FetchCache::Answer::Kind::kFetch) {
      found.sha256 = TRY(fetch_into_cache(request, uri, key, found.number)).sha256;
    }
    const Fd file(openat(directory_.get(), file_name(found.number).c_str(), O_RDONLY | O_CLOEXEC));
    Result<void> placed = file ? place(request, uri, file.get(), found.sha256)
                               : std::unexpected(system_error(errno, "opening it in the cache"));
    const bool is_lost = !file || (!placed && placed.error().code == EBADMSG);
    {
      const std::lock_guard lock(mutex_);
      if (is_lost) cache_.lost(key, found.number);
      remove(is_lost ? std::vector{found.number} : cache_.release(key, found.number));
    }
    if (!is_lost) return placed;
    last = std::move(placed).error();
  }
  return std::unexpected(std::move(last));
}

Result<FetchCache::Answer> Fetcher::ask(const Request& request, const FetchCacheKey& key) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (request.cancellation.cancelled()) return fail("it was cancelled", ECANCELED);
    const FetchCache::Answer answer = cache_.ask(key);
    if (answer.kind != FetchCache::Answer::Kind::kWait) return answer;
    changed_.wait(lock);
  }
}

Result<FetchAnswer> Fetcher::fetch_into_cache(const Request& request, const Uri& uri,
                                              const FetchCacheKey& key, uint64_t number) {
  const auto get = [&]() -> Result<FetchAnswer> {
    const Fd file = TRY(create_file(directory_, file_name(number)));
    FetchAnswer answer = TRY(download(request, uri, file.get()));
    TRY(check_sum(uri, answer));
    return answer;
  };
  Result<FetchAnswer> answer = get();
  {
    const std::lock_guard lock(mutex_);
    if (answer) {
      remove(cache_.fetched(key, answer->bytes, answer->sha256));
    } else {
      cache_.failed(key);
      remove({number});
    }
  }
  changed_.notify_all();
  return answer;
}

void Fetcher::remove(const std::vector<uint64_t>& numbers) {
  for (const uint64_t number : numbers) unlinkat(directory_.get(), file_name(number).c_str(), 0);
}

Result<FetchAnswer> Fetcher::download(const Request& request, const Uri& uri, int output) {
  const bool as_task = !local_path(uri.value).empty() && request.user && request.user->uid != 0 &&
                       !request.is_mapped;
  const UserIds& who = as_task ? *request.user : fetcher_;
  const FetchJob job{.kind = FetchJob::Kind::kFetch,
                     .uid = who.uid,
                     .gid = who.gid,
                     .groups = who.groups,
                     .uri = uri.value,
                     .bytes_max = options_.bytes_max,
                     .stall_secs = static_cast<uint32_t>(
                         std::chrono::ceil<std::chrono::seconds>(options_.stall).count())};
  return run_fetch({.program = options_.program,
                    .cgroup = options_.cgroup,
                    .job = job,
                    .output = output,
                    .cancellation = request.cancellation,
                    .bytes = &request.bytes});
}

Result<void> Fetcher::place(const Request& request, const Uri& uri, int input, std::string sha256) {
  if (lseek(input, 0, SEEK_SET) != 0) {
    return std::unexpected(system_error(errno, "reading what was fetched"));
  }
  const UserIds who = request.user.value_or(UserIds{.uid = geteuid(), .gid = getegid()});
  const FetchJob job{.kind = FetchJob::Kind::kPlace,
                     .uid = who.uid,
                     .gid = who.gid,
                     .groups = who.groups,
                     .uri = uri.value,
                     .name = output_name(uri),
                     .sha256 = std::move(sha256),
                     .extract = uri.extract,
                     .executable = uri.executable,
                     .bytes_max = options_.bytes_max};
  TRY(run_fetch({.program = options_.program,
                 .cgroup = options_.cgroup,
                 .job = job,
                 .output = request.sandbox,
                 .input = input,
                 .cancellation = request.cancellation}));
  return {};
}

}  // namespace tepui
