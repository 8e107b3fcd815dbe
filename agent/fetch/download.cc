#include "agent/fetch/download.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "agent/fetch/sha256.h"
#include "agent/linux/files.h"
#include "common/limits.h"
#include "common/text.h"

namespace tepui {

namespace {

// The file that is being made.
class Target {
 public:
  Target(const FetchJob& job, int output, Reports& reports)
      : bytes_max_(job.bytes_max), output_(output), reports_(reports) {}

  Result<void> add(std::span<const char> bytes) {
    if (bytes.size() > bytes_max_ - written_) {
      return fail(fmt::format("it has more than the {} that may be fetched",
                              bytes_to_text(static_cast<int64_t>(bytes_max_))),
                  EFBIG);
    }
    hash_.add(bytes);
    while (!bytes.empty()) {
      const ssize_t count = write(output_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return std::unexpected(system_error(errno, "writing what came"));
      bytes = bytes.subspan(static_cast<size_t>(count));
      written_ += static_cast<uint64_t>(count);
    }
    reports_.progress(written_, total);
    return {};
  }

  FetchAnswer answer() { return {.bytes = written_, .sha256 = hash_.digits()}; }

  uint64_t total = 0;            // as it was announced; 0: it was not
  std::optional<Error> problem;  // why no more is taken

 private:
  const uint64_t bytes_max_;
  const int output_;
  Reports& reports_;
  Sha256 hash_;
  uint64_t written_ = 0;
};

struct EndCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

size_t on_bytes(char* bytes, size_t, size_t count, void* context) {
  auto* target = static_cast<Target*>(context);
  if (Result<void> added = target->add(std::span(bytes, count)); !added) {
    target->problem = std::move(added).error();
    return 0;
  }
  return count;
}

int on_progress(void* context, curl_off_t total, curl_off_t, curl_off_t, curl_off_t) {
  static_cast<Target*>(context)->total = static_cast<uint64_t>(total);
  return 0;
}

Error explain(CURLcode code, CURL* curl, const char* detail, const FetchJob& job) {
  long status = 0;
  switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
      return {.message = fmt::format("the server answered with HTTP status {}", status)};
    case CURLE_PARTIAL_FILE:
      return {.message = fmt::format("the server ended before all of it had come: {}", detail)};
    case CURLE_FILESIZE_EXCEEDED:
      return {.message = fmt::format("it has more than the {} that may be fetched",
                                     bytes_to_text(static_cast<int64_t>(job.bytes_max)))};
    case CURLE_OPERATION_TIMEDOUT:
      return {.message = fmt::format("nothing came for {} s", job.stall_secs)};
    case CURLE_TOO_MANY_REDIRECTS:
      return {.message = fmt::format("the server redirects more than {} times",
                                     limits::kFetchRedirectsMax)};
    default:
      return {.message = detail[0] != '\0' ? detail : curl_easy_strerror(code)};
  }
}

}  // namespace

Result<FetchAnswer> download(const FetchJob& job, int output, Reports& reports) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return fail("libcurl does not start");
  const std::unique_ptr<CURL, EndCurl> owned(curl_easy_init());
  CURL* curl = owned.get();
  if (curl == nullptr) return fail("libcurl does not start");
  Target target(job, output, reports);
  std::array<char, CURL_ERROR_SIZE> detail{};
  const auto connect_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(limits::kFetchConnectTimeout).count();
  CURLcode set = CURLE_OK;
  const auto option = [&set, curl](CURLoption name, auto value) {
    if (set == CURLE_OK) set = curl_easy_setopt(curl, name, value);
  };
  option(CURLOPT_URL, job.uri.c_str());
  option(CURLOPT_PROTOCOLS_STR, "http,https");
  option(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  option(CURLOPT_FOLLOWLOCATION, 1L);
  option(CURLOPT_MAXREDIRS, limits::kFetchRedirectsMax);
  option(CURLOPT_FAILONERROR, 1L);
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_PROXY, "");
  option(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  option(CURLOPT_USERAGENT, "tepui-fetch");
  option(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  option(CURLOPT_LOW_SPEED_LIMIT, 1L);
  option(CURLOPT_LOW_SPEED_TIME, static_cast<long>(job.stall_secs));
  option(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(job.bytes_max));
  option(CURLOPT_ERRORBUFFER, detail.data());
  option(CURLOPT_WRITEFUNCTION, &on_bytes);
  option(CURLOPT_WRITEDATA, static_cast<void*>(&target));
  option(CURLOPT_NOPROGRESS, 0L);
  option(CURLOPT_XFERINFOFUNCTION, &on_progress);
  option(CURLOPT_XFERINFODATA, static_cast<void*>(&target));
  if (set != CURLE_OK) return fail(fmt::format("libcurl: {}", curl_easy_strerror(set)));
  const CURLcode code = curl_easy_perform(curl);
  if (target.problem) return std::unexpected(*std::move(target.problem));
  if (code != CURLE_OK) return std::unexpected(explain(code, curl, detail.data(), job));
  return target.answer();
}

Result<FetchAnswer> copy_file(const FetchJob& job, int input, int output, Reports& reports) {
  Target target(job, output, reports);
  std::vector<char> bytes(1 << 18);
  while (true) {
    const ssize_t count = read(input, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(system_error(errno, "reading it"));
    if (count == 0) return target.answer();
    TRY(target.add(std::span(bytes.data(), static_cast<size_t>(count))));
  }
}

}  // namespace tepui
