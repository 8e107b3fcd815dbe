#pragma once
// Archives, read one entry after the other, and written to the current directory. What is written
// stays below it: no absolute path, no '..', nothing through a symbolic link.
//
// libarchive is named in archive.cc only.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"

struct archive;
struct archive_entry;

namespace tepui {

// Where bytes come from, once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<size_t> read(std::span<char> into) = 0;  // 0: the end
};

class ArchiveReader final : public ByteSource {
 public:
  enum class Kind : uint8_t {
    kAnything,    // what people pack: tar, compressed or not, and zip
    kCompressed,  // one file, compressed
    kTar,         // not compressed
    kLayer,       // tar, or that with gzip or zstd
  };
  enum class Type : uint8_t { kFile, kDirectory, kSymbolicLink, kHardLink, kPipe, kOther };

  // The source outlives it.
  static Result<std::unique_ptr<ArchiveReader>> open(Kind kind, ByteSource& source);
  // The file is read from where it stands, in any order.
  static Result<std::unique_ptr<ArchiveReader>> open(Kind kind, int fd);
  ~ArchiveReader() override;
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // False: there are no more.
  Result<bool> next();
  std::string path() const;
  Type type() const;
  uint64_t size() const;
  // Of the entry's content.
  Result<size_t> read(std::span<char> into) override;
  // That were taken from the file or source so far.
  uint64_t bytes_taken() const;

 private:
  friend class Extraction;
  ArchiveReader() = default;
  static Result<std::unique_ptr<ArchiveReader>> create(Kind kind);

  archive* archive_ = nullptr;
  archive_entry* entry_ = nullptr;
  ByteSource* source_ = nullptr;
  std::vector<char> buffer_;
  std::string source_error_;

  static long on_read(archive* which, void* context, const void** bytes);
};

// "./a//b/" is "a/b", and "." is "". Refuses what climbs: absolute paths and '..'.
Result<std::string> clean_path(const std::string& path);

// Refuses what has grown, or will with `bytes` in all, beyond `bytes_max` or out of proportion to
// what was read for it.
Result<void> check_growth(const ArchiveReader& reader, uint64_t bytes, uint64_t bytes_max);

class Extraction {
 public:
  struct Options {
    uint64_t bytes_max = 0;
    // Owners and modes as the archive has them. Without, files are of who extracts them, and gain
    // nobody a right.
    bool keep_owners = false;
  };
  explicit Extraction(Options options);
  ~Extraction();
  Extraction(const Extraction&) = delete;
  Extraction& operator=(const Extraction&) = delete;

  // Writes the entry at which the reader stands, at this (clean) path.
  Result<void> write(ArchiveReader& reader, const std::string& path);
  // Directories get their modes and times.
  Result<void> finish();
  uint64_t bytes() const { return bytes_; }

 private:
  const Options options_;
  archive* disk_ = nullptr;
  uint64_t bytes_ = 0;
  uint64_t entries_ = 0;
};

}  // namespace tepui
