#include "common/io/journal_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/check.h"
#include "common/io/numbered_files.h"
#include "common/limits.h"

namespace tepui {

namespace {

constexpr std::string_view kSuffix = ".journal";

std::unexpected<Error> fail_on(std::string_view verb, const std::string& path) {
  const int code = errno;
  return fail(fmt::format("cannot {} {}: {}", verb, path, strerror(code)), code);
}

}  // namespace

Result<std::unique_ptr<JournalFile>> JournalFile::create(Reactor& reactor, Options options,
                                                         JournalOwner& owner) {
  const std::string& directory = options.directory;
  TRY(make_private_directory(directory));
  std::vector<NumberedFile> files = TRY(find_numbered(directory, options.name + "-", kSuffix));
  const uint64_t next = files.empty() ? 1 : files.back().number + 1;
  // At most half of the bound is left to the journals of earlier lives.
  const uint64_t used = TRY(make_room(files, options.bytes_max / 2));
  std::unique_ptr<JournalFile> made(new JournalFile(owner, options.bytes_max - used));
  made->path_ = fmt::format("{}/{}-{:06}{}", directory, options.name, next, kSuffix);
  made->file_ = Fd(open(made->path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made->file_) return fail_on("create", made->path_);
  made->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  return made;
}

JournalFile::~JournalFile() {
  worker_.reset();  // waits for what is being written, and drops what was not begun
  for (int left = 2; left > 0 && written_; --left) {
    run();
    handed_over_.swap(buffer_);
  }
}

bool JournalFile::append(const JournalRecord& record) {
  if (ended_) return false;
  bytes_ += append_record(buffer_, bytes_, record);
  if (bytes_ > bytes_max_) {
    end(fmt::format("it has reached its bound of {} bytes", bytes_max_));
  } else if (buffer_.size() > limits::kJournalWaitingBytesMax) {
    end(fmt::format("the disk is too slow: {} bytes wait", buffer_.size()));
  }
  return !ended_;
}

void JournalFile::flush() {
  if (writing_ || buffer_.empty() || !written_) return;
  handed_over_.swap(buffer_);
  writing_ = true;
  const bool accepted = worker_->submit(*this);
  CHECK(accepted);
}

void JournalFile::run() {
  for (size_t done = 0; done < handed_over_.size();) {
    const ssize_t wrote =
        ::write(file_.get(), handed_over_.data() + done, handed_over_.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      written_ = fail_on("write", path_);
      break;
    }
    done += static_cast<size_t>(wrote);
  }
  handed_over_.clear();
}

void JournalFile::on_done() {
  writing_ = false;
  if (!written_) end(written_.error().message);
}

// What was appended before stays worth reading.
void JournalFile::end(std::string why) {
  if (std::exchange(ended_, true)) return;
  owner_.on_journal_ended(why);
}

Result<std::vector<std::string>> find_journals(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return fail_on("find", path);
  if (!S_ISDIR(status.st_mode)) return std::vector<std::string>{path};
  std::vector<std::string> paths;
  for (NumberedFile& file : TRY(find_numbered(path, "", kSuffix))) {
    paths.push_back(std::move(file.path));
  }
  if (paths.empty()) return fail(fmt::format("{} holds no journal (*{})", path, kSuffix));
  return paths;
}

}  // namespace tepui
