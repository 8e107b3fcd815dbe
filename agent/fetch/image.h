#pragma once
// An OCI image where it lies: a layout in a directory, or the same as one tar file.

#include <memory>
#include <string>

#include "agent/fetch/archive.h"
#include "agent/fetch_job.h"
#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

class ImageFiles {
 public:
  // The descriptor outlives it.
  ImageFiles(int fd, bool is_archive) : fd_(fd), is_archive_(is_archive) {}

  // A file of the layout, by its path there, to be read once; one at a time.
  Result<ByteSource*> open(const std::string& path);
  // All of a blob; its digest is what its name says.
  Result<std::string> read_blob(const std::string& digest);
  Result<std::string> read_small(const std::string& path);

 private:
  class File final : public ByteSource {
   public:
    Result<size_t> read(std::span<char> into) override;
    Fd fd;
  };

  const int fd_;
  const bool is_archive_;
  File file_;
  std::unique_ptr<ArchiveReader> archive_;
};

std::string blob_path(const std::string& digest);

// Of the image that the job names: what its layers are, and how it is to be run.
Result<FetchAnswer> inspect(const FetchJob& job, int input);

}  // namespace tepui
