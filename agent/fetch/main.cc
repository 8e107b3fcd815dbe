// tepui-fetch: does one job of fetching or unpacking for an agent, see agent/fetch_job.h. What it
// reads was written by others: it does so confined, see confine.h.

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "agent/fetch/confine.h"
#include "agent/fetch/download.h"
#include "agent/fetch/image.h"
#include "agent/fetch/layer.h"
#include "agent/fetch/place.h"
#include "agent/fetch/reports.h"
#include "agent/fetch_job.h"
#include "agent/linux/files.h"
#include "common/commands.h"

namespace tepui {
namespace {

constexpr size_t kJobBytesMax = 16 << 20;

Result<FetchJob> read_job() {
  std::string bytes;
  std::vector<char> piece(1 << 16);
  while (bytes.size() <= kJobBytesMax) {
    const ssize_t count = read(STDIN_FILENO, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(system_error(errno, "reading the job"));
    if (count == 0) return decode_fetch_job(bytes);
    bytes.append(piece.data(), static_cast<size_t>(count));
  }
  return fail("the job is longer than jobs are");
}

Result<void> enter_output() {
  if (fchdir(kFetchOutput) == 0) return {};
  return std::unexpected(system_error(errno, "entering the directory"));
}

Result<FetchAnswer> fetch(const FetchJob& job, Reports& reports) {
  const std::string path(local_path(job.uri));
  if (path.empty()) {
    TRY(confine(job));
    return download(job, kFetchOutput, reports);
  }
  const Fd file = TRY(open_as_user(job, path));
  TRY(confine(job));
  return copy_file(job, file.get(), kFetchOutput, reports);
}

Result<FetchAnswer> work(Reports& reports) {
  const FetchJob job = TRY(read_job());
  if (job.kind == FetchJob::Kind::kFetch) return fetch(job, reports);
  TRY(confine(job));
  switch (job.kind) {
    case FetchJob::Kind::kFetch:
      break;
    case FetchJob::Kind::kPlace:
      TRY(enter_output());
      return place(job, kFetchInput);
    case FetchJob::Kind::kInspect:
      return inspect(job, kFetchInput);
    case FetchJob::Kind::kUnpack:
      TRY(enter_output());
      return unpack_layer(job, kFetchInput);
  }
  return fail("there is no such job");
}

int run() {
  Reports reports;
  Result<FetchAnswer> answer = work(reports);
  const bool done = answer.has_value();
  reports.answer(done ? *std::move(answer)
                      : FetchAnswer{.error = answer.error().message,
                                    .code = static_cast<uint32_t>(answer.error().code)});
  return done ? 0 : 1;
}

}  // namespace
}  // namespace tepui

int main() { return tepui::run(); }
