#include "common/io/journal_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

constexpr std::string_view kSuffix = ".journal";

std::unexpected<Error> fail_on(std::string_view verb, const std::string& path) {
  const int code = errno;
  return fail(fmt::format("cannot {} {}: {}", verb, path, strerror(code)), code);
}

Result<std::vector<std::string>> names_in(const std::string& directory, std::string_view prefix) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()), &closedir);
  if (open == nullptr) return fail_on("read the directory", directory);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(prefix) && name.ends_with(kSuffix)) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// Of `master-000012.journal`; 0: it has none.
uint64_t number_of(std::string_view name) {
  const size_t dash = name.rfind('-');
  uint64_t number = 0;
  if (dash == std::string_view::npos) return 0;
  std::from_chars(name.data() + dash + 1, name.data() + name.size(), number);
  return number;
}

uint64_t size_of(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

// Leaves at most half of the bound to the journals of earlier lives.
Result<uint64_t> make_room(const std::string& directory, std::vector<std::string>& names,
                           uint64_t bytes_max) {
  uint64_t used = 0;
  for (const std::string& name : names) used += size_of(directory + "/" + name);
  while (used > bytes_max / 2) {
    const std::string oldest = directory + "/" + names.front();
    used -= std::min(used, size_of(oldest));
    if (unlink(oldest.c_str()) != 0) return fail_on("remove", oldest);
    names.erase(names.begin());
  }
  return used;
}

}  // namespace

Result<std::unique_ptr<JournalFile>> JournalFile::create(Reactor& reactor, Options options,
                                                         JournalOwner& owner) {
  const std::string& directory = options.directory;
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_on("create the directory", directory);
  }
  std::vector<std::string> names = TRY(names_in(directory, options.name + "-"));
  const uint64_t next = names.empty() ? 1 : number_of(names.back()) + 1;
  const uint64_t used = TRY(make_room(directory, names, options.bytes_max));
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
  std::vector<std::string> names = TRY(names_in(path, ""));
  if (names.empty()) return fail(fmt::format("{} holds no journal (*{})", path, kSuffix));
  for (std::string& name : names) name = path + "/" + name;
  return names;
}

}  // namespace tepui
