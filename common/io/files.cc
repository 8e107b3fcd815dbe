#include "common/io/files.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "common/io/fd.h"

namespace tepui {

namespace {

std::unexpected<Error> fail_on(std::string_view verb, const std::string& path, int code) {
  return fail(fmt::format("cannot {} {}: {}", verb, path, strerror(code)), code);
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_on("write", path, errno);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_on("read", path, errno);
  std::string content;
  while (true) {
    const size_t size = content.size();
    // One more than permitted, to notice a file that is too long.
    const size_t wanted = std::min<size_t>(65536, bytes_max + 1 - size);
    content.resize(size + wanted);
    const ssize_t got = read(file.get(), content.data() + size, wanted);
    if (got < 0 && errno != EINTR) return fail_on("read", path, errno);
    content.resize(size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return content;
    if (content.size() > bytes_max) {
      return fail(fmt::format("{} has more than the {} bytes that are allowed", path, bytes_max),
                  EFBIG);
    }
  }
}

Result<void> write_file_durably(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  {
    const Fd file(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) return fail_on("create", beside, errno);
    TRY(write_all(file.get(), content, beside));
    if (fsync(file.get()) != 0) return fail_on("sync", beside, errno);
  }
  if (rename(beside.c_str(), path.c_str()) != 0) return fail_on("replace", path, errno);
  const size_t slash = path.rfind('/');
  return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

Result<void> sync_directory(const std::string& path) {
  const Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_on("open", path, errno);
  if (fsync(directory.get()) != 0) return fail_on("sync", path, errno);
  return {};
}

}  // namespace tepui
