#pragma once
// MappedFile is a whole file in memory, read as it is needed. Errors name the file.

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "common/io/fd.h"
#include "common/result.h"

namespace tepui::cli {

class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file || fstat(file.get(), &status) != 0) return refuse(path);
    MappedFile mapped;
    mapped.size_ = static_cast<size_t>(status.st_size);
    if (mapped.size_ == 0) return mapped;
    mapped.data_ = mmap(nullptr, mapped.size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (mapped.data_ == MAP_FAILED) return refuse(path);
    return mapped;
  }
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, MAP_FAILED)), size_(other.size_) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_ != MAP_FAILED) munmap(data_, size_);
  }

  std::span<const std::byte> bytes() const {
    if (data_ == MAP_FAILED) return {};
    return {static_cast<const std::byte*>(data_), size_};
  }

 private:
  MappedFile() = default;
  static std::unexpected<Error> refuse(const std::string& path) {
    return fail(fmt::format("cannot read {}: {}", path, strerror(errno)), errno);
  }

  void* data_ = MAP_FAILED;
  size_t size_ = 0;
};

}  // namespace tepui::cli
