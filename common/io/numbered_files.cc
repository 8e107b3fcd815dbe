#include "common/io/numbered_files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <tuple>

namespace tepui {

namespace {

std::unexpected<Error> fail_on(std::string_view verb, const std::string& path) {
  const int code = errno;
  return fail(fmt::format("cannot {} {}: {}", verb, path, strerror(code)), code);
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

}  // namespace

Result<std::vector<NumberedFile>> find_numbered(const std::string& directory,
                                                std::string_view prefix, std::string_view suffix) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()), &closedir);
  if (open == nullptr) return fail_on("read the directory", directory);
  std::vector<NumberedFile> files;
  while (const dirent* entry = readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    std::string path = directory + "/" + std::string(name);
    const uint64_t bytes = size_of(path);
    files.push_back({.path = std::move(path), .number = number_of(name), .bytes = bytes});
  }
  const auto order = [](const NumberedFile& file) {
    return std::tuple(file.path.substr(0, file.path.rfind('-')), file.number, file.path);
  };
  std::ranges::sort(files, {}, order);
  return files;
}

Result<uint64_t> make_room(std::vector<NumberedFile>& files, uint64_t bytes_max) {
  uint64_t used = 0;
  for (const NumberedFile& file : files) used += file.bytes;
  while (used > bytes_max) {
    const NumberedFile& oldest = files.front();
    used -= oldest.bytes;
    if (unlink(oldest.path.c_str()) != 0) return fail_on("remove", oldest.path);
    files.erase(files.begin());
  }
  return used;
}

Result<void> make_private_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_on("create the directory", directory);
}

}  // namespace tepui
