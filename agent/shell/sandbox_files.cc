#include "agent/shell/sandbox_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

Error file_error(std::string_view path, int code) {
  if (code == ENOENT) return Error{fmt::format("the sandbox has no file '{}'", path), code};
  if (code == ELOOP) {
    return Error{fmt::format("'{}' leads through a symbolic link, which is not followed", path),
                 code};
  }
  return Error{fmt::format("cannot read '{}': {}", path, std::strerror(code)), code};
}

Result<Fd> open_below(int directory, const SandboxRead& read) {
  const std::string full = read.sandbox + "/" + read.path;
  open_how how{};
  // Without blocking: a task may have put a fifo there.
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long result = 0;
  do {
    result = syscall(SYS_openat2, directory, full.c_str(), &how, sizeof how);
  } while (result < 0 && (errno == EINTR || errno == EAGAIN));
  if (result < 0) return std::unexpected(file_error(read.path, errno));
  return Fd(static_cast<int>(result));
}

}  // namespace

Result<void> validate_sandbox_path(std::string_view path) {
  if (path.empty()) return fail("the path is empty, expected one like 'stdout'");
  if (path.size() > limits::kLineBytesMax) {
    return fail(fmt::format("the path has {} bytes, at most {} are allowed", path.size(),
                            limits::kLineBytesMax));
  }
  if (path.find('\0') != std::string_view::npos) return fail("the path contains a zero byte");
  if (path.front() == '/') {
    return fail(fmt::format("'{}' is absolute, expected a path relative to the sandbox", path));
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (path.substr(begin, end - begin) == "..") {
      return fail(fmt::format("'{}' contains '..'", path));
    }
    begin = end + 1;
  }
  return {};
}

Result<SandboxBytes> read_sandbox_file(int work_dir, const SandboxRead& read) {
  TRY(validate_sandbox_path(read.path));
  const Fd file = TRY(open_below(work_dir, read));
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return std::unexpected(file_error(read.path, errno));
  if (!S_ISREG(status.st_mode)) return fail(fmt::format("'{}' is not a regular file", read.path));
  SandboxBytes bytes{.size = static_cast<uint64_t>(status.st_size), .data = {}};
  bytes.offset = std::min(read.offset, bytes.size);
  const uint64_t wanted =
      std::min<uint64_t>({read.length, limits::kReadFileMax, bytes.size - bytes.offset});
  bytes.data.resize(wanted);
  size_t have = 0;
  while (have < wanted) {
    const ssize_t got = pread(file.get(), bytes.data.data() + have, wanted - have,
                              static_cast<off_t>(bytes.offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(file_error(read.path, errno));
    if (got == 0) break;  // the file became shorter meanwhile
    have += static_cast<size_t>(got);
  }
  bytes.data.resize(have);
  return bytes;
}

struct SandboxFiles::Reading final : Job {
  Reading(SandboxFiles& files, uint64_t number, SandboxRead wanted)
      : owner(files), token(number), read(std::move(wanted)) {}

  void run() override { bytes = read_sandbox_file(owner.work_dir_.get(), read); }
  void on_done() override { owner.on_done(*this); }

  SandboxFiles& owner;
  const uint64_t token;
  const SandboxRead read;
  Result<SandboxBytes> bytes;
};

SandboxFiles::SandboxFiles(SandboxFilesOwner& owner, Fd work_dir)
    : owner_(owner), work_dir_(std::move(work_dir)) {}

SandboxFiles::~SandboxFiles() = default;

Result<std::unique_ptr<SandboxFiles>> SandboxFiles::create(Reactor& reactor,
                                                           SandboxFilesOwner& owner,
                                                           const std::string& work_dir) {
  Fd directory(open(work_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    return fail(
        fmt::format("cannot open the work directory '{}': {}", work_dir, std::strerror(errno)),
        errno);
  }
  std::unique_ptr<SandboxFiles> files(new SandboxFiles(owner, std::move(directory)));
  files->worker_ =
      TRY(Worker::create(reactor, {.threads = 1, .queue_max = limits::kSandboxReadsMax}));
  return files;
}

bool SandboxFiles::start(uint64_t token, SandboxRead read) {
  auto reading = std::make_unique<Reading>(*this, token, std::move(read));
  if (!worker_->submit(*reading)) return false;
  readings_.emplace(token, std::move(reading));
  return true;
}

void SandboxFiles::on_done(Reading& reading) {
  const uint64_t token = reading.token;
  Result<SandboxBytes> bytes = std::move(reading.bytes);
  readings_.erase(token);
  owner_.on_sandbox_read(token, std::move(bytes));
}

}  // namespace tepui
