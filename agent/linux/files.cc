#include "agent/linux/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace tepui {

Error system_error(int code, std::string_view doing) {
  const char* name = strerrorname_np(code);
  const char* description = strerrordesc_np(code);
  return Error{.message = fmt::format("{}: {} ({})", doing, name != nullptr ? name : "errno",
                                      description != nullptr ? description : "unknown"),
               .code = code};
}

Result<Fd> open_directory_at(int directory, const std::string& path) {
  Fd fd(openat(directory, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(system_error(errno, "opening directory " + path));
  return fd;
}

Result<std::string> read_file_at(int directory, const std::string& path) {
  constexpr size_t kBytesMax = 1 << 20;
  Fd fd(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(system_error(errno, "opening " + path));
  std::string text;
  char chunk[4096];
  while (text.size() <= kBytesMax) {
    ssize_t bytes = read(fd.get(), chunk, sizeof chunk);
    if (bytes == 0) return text;
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return std::unexpected(system_error(errno, "reading " + path));
    text.append(chunk, static_cast<size_t>(bytes));
  }
  return fail(fmt::format("{} is larger than {} bytes", path, kBytesMax));
}

Result<void> write_control_at(int directory, const std::string& file, std::string_view value) {
  Fd fd(openat(directory, file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(system_error(errno, "opening " + file));
  ssize_t bytes = write(fd.get(), value.data(), value.size());
  if (bytes < 0) {
    int code = errno;
    return std::unexpected(system_error(code, fmt::format("writing \"{}\" to {}", value, file)));
  }
  if (static_cast<size_t>(bytes) != value.size()) {
    return fail(fmt::format("writing \"{}\" to {}: only {} bytes were taken", value, file, bytes));
  }
  return {};
}

namespace {

// A descriptor of the longest part of the path that is there, and what is left of it; no descriptor
// if not even its first directory is. No link is followed.
Fd open_existing(int directory, std::string_view& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  for (size_t end = path.size(); end != std::string_view::npos && end > 0;
       end = path.rfind('/', end - 1)) {
    const std::string part(path.substr(0, end));
    Fd found(static_cast<int>(syscall(SYS_openat2, directory, part.c_str(), &how, sizeof how)));
    if (found) {
      path.remove_prefix(std::min(end + 1, path.size()));
      return found;
    }
    if (errno != ENOENT) break;  // said by who makes what is left
  }
  return {};
}

bool is_plain(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return false;
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return true;
}

}  // namespace

Result<Fd> make_directories_at(int directory, std::string_view path, uint32_t mode) {
  if (path.empty()) return fail("the path of a directory is empty");
  if (!is_plain(path)) {
    return fail(fmt::format("\"{}\" cannot be the path of a directory here", path));
  }
  // Mostly others have made the first ones of many.
  Fd current = open_existing(directory, path);
  int below = current ? current.get() : directory;
  while (!path.empty()) {
    size_t slash = path.find('/');
    std::string name(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (mkdirat(below, name.c_str(), mode) != 0 && errno != EEXIST) {
      return std::unexpected(system_error(errno, "creating directory " + name));
    }
    Fd next(openat(below, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return std::unexpected(system_error(errno, "opening directory " + name));
    current = std::move(next);
    below = current.get();
  }
  return current;
}

Result<std::vector<std::string>> list_directories(int directory) {
  // A fresh description: the caller's may be shared, and reading moves its position.
  int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return std::unexpected(system_error(errno, "opening a directory to list it"));
  auto close_stream = [](DIR* stream) { closedir(stream); };
  std::unique_ptr<DIR, decltype(close_stream)> stream(fdopendir(own), close_stream);
  if (stream == nullptr) {
    int code = errno;
    Fd closes_it(own);
    return std::unexpected(system_error(code, "listing a directory"));
  }
  std::vector<std::string> names;
  while (dirent* entry = readdir(stream.get())) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN &&
        fstatat(own, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
      is_directory = S_ISDIR(status.st_mode);
    }
    if (is_directory) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Result<void> remove_file_at(int directory, const std::string& file) {
  if (unlinkat(directory, file.c_str(), 0) != 0 && errno != ENOENT) {
    return std::unexpected(system_error(errno, "removing " + file));
  }
  return {};
}

}  // namespace tepui
