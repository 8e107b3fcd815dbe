#include "agent/shell/recording_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/check.h"
#include "common/io/numbered_files.h"
#include "common/limits.h"

namespace tepui {

namespace {

constexpr std::string_view kPrefix = "agent-";
constexpr std::string_view kSuffix = ".recording";

std::unexpected<Error> fail_on(std::string_view verb, const std::string& path) {
  const int code = errno;
  return fail(fmt::format("cannot {} {}: {}", verb, path, strerror(code)), code);
}

}  // namespace

Result<std::unique_ptr<RecordingFiles>> RecordingFiles::create(Reactor& reactor, Options options,
                                                               RecordingFilesOwner& owner) {
  TRY(make_private_directory(options.directory));
  if (access(options.directory.c_str(), W_OK) != 0) return fail_on("write in", options.directory);
  std::unique_ptr<RecordingFiles> made(new RecordingFiles(std::move(options), owner));
  made->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  return made;
}

RecordingFiles::~RecordingFiles() {
  worker_.reset();  // waits for what is being written, and drops what was not begun
  for (int left = 2; left > 0 && written_; --left) {
    run();
    handed_over_.swap(waiting_);
  }
}

void RecordingFiles::begin_segment() { waiting_.push_back({.begins = true, .bytes = {}}); }

void RecordingFiles::write(std::vector<std::byte>& bytes) {
  waiting_bytes_ += bytes.size();
  if (waiting_.empty() || !waiting_.back().bytes.empty()) waiting_.emplace_back();
  waiting_.back().bytes = bytes;
  bytes.clear();
  hand_over();
}

bool RecordingFiles::is_full() const { return waiting_bytes_ > limits::kRecordingWaitingBytesMax; }

void RecordingFiles::hand_over() {
  if (writing_ || waiting_.empty()) return;
  handed_over_.swap(waiting_);
  writing_ = true;
  const bool accepted = worker_->submit(*this);
  CHECK(accepted);
}

void RecordingFiles::run() {
  for (const Chunk& chunk : handed_over_) {
    if (written_ && chunk.begins) written_ = open_next();
    if (written_) written_ = append(chunk.bytes);
    done_bytes_ += chunk.bytes.size();
  }
  handed_over_.clear();
}

Result<void> RecordingFiles::open_next() {
  if (file_) fdatasync(file_.get());  // an error is told by the writes that follow
  std::vector<NumberedFile> files = TRY(find_numbered(options_.directory, kPrefix, kSuffix));
  const uint64_t next = files.empty() ? 1 : files.back().number + 1;
  TRY(make_room(files, options_.bytes_max - options_.segment_max));
  path_ = fmt::format("{}/{}{:010}{}", options_.directory, kPrefix, next, kSuffix);
  file_ = Fd(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (!file_) return fail_on("create", path_);
  return {};
}

Result<void> RecordingFiles::append(const std::vector<std::byte>& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(file_.get(), bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_on("write", path_);
    done += static_cast<size_t>(wrote);
  }
  return {};
}

void RecordingFiles::on_done() {
  writing_ = false;
  const size_t bytes = std::exchange(done_bytes_, 0);
  waiting_bytes_ -= bytes;
  if (written_) {
    bytes_written_ += bytes;
    owner_.on_written();
    return hand_over();
  }
  waiting_.clear();
  waiting_bytes_ = 0;
  const Error error = std::exchange(written_, Result<void>()).error();
  owner_.on_write_failed(error);
}

}  // namespace tepui
