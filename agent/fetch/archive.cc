#include "agent/fetch/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr size_t kBlockBytes = 1 << 16;

Error archive_error(archive* which, std::string_view doing) {
  const char* text = archive_error_string(which);
  return {.message = fmt::format("{}: {}", doing, text != nullptr ? text : "it is damaged"),
          .code = archive_errno(which)};
}

void permit(archive* reader, ArchiveReader::Kind kind) {
  using Kind = ArchiveReader::Kind;
  if (kind == Kind::kAnything || kind == Kind::kCompressed) {
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_xz(reader);
  }
  if (kind != Kind::kTar) {
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_zstd(reader);
  }
  if (kind == Kind::kCompressed) {
    archive_read_support_format_raw(reader);
  } else {
    archive_read_support_format_tar(reader);
  }
  if (kind == Kind::kAnything) archive_read_support_format_zip(reader);
  // An image may be empty.
  if (kind == Kind::kLayer) archive_read_support_format_empty(reader);
}

}  // namespace

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::create(Kind kind) {
  std::unique_ptr<ArchiveReader> reader(new ArchiveReader);
  reader->archive_ = archive_read_new();
  CHECK(reader->archive_ != nullptr);
  permit(reader->archive_, kind);
  return reader;
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(Kind kind, ByteSource& source) {
  std::unique_ptr<ArchiveReader> reader = TRY(create(kind));
  reader->source_ = &source;
  reader->buffer_.resize(kBlockBytes);
  if (archive_read_open(reader->archive_, reader.get(), nullptr, &on_read, nullptr) != ARCHIVE_OK) {
    return std::unexpected(archive_error(reader->archive_, "opening the archive"));
  }
  return reader;
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(Kind kind, int fd) {
  std::unique_ptr<ArchiveReader> reader = TRY(create(kind));
  if (archive_read_open_fd(reader->archive_, fd, kBlockBytes) != ARCHIVE_OK) {
    return std::unexpected(archive_error(reader->archive_, "opening the archive"));
  }
  return reader;
}

ArchiveReader::~ArchiveReader() { archive_read_free(archive_); }

long ArchiveReader::on_read(archive* which, void* context, const void** bytes) {
  auto* self = static_cast<ArchiveReader*>(context);
  const Result<size_t> count = self->source_->read(self->buffer_);
  if (!count) {
    archive_set_error(which, count.error().code, "%s", count.error().message.c_str());
    return ARCHIVE_FATAL;
  }
  *bytes = self->buffer_.data();
  return static_cast<long>(*count);
}

Result<bool> ArchiveReader::next() {
  const int result = archive_read_next_header(archive_, &entry_);
  if (result == ARCHIVE_EOF) return false;
  if (result < ARCHIVE_WARN) {
    return std::unexpected(archive_error(archive_, "reading the archive"));
  }
  return true;
}

std::string ArchiveReader::path() const {
  const char* path = archive_entry_pathname(entry_);
  return path != nullptr ? path : "";
}

ArchiveReader::Type ArchiveReader::type() const {
  if (archive_entry_hardlink(entry_) != nullptr) return Type::kHardLink;
  switch (archive_entry_filetype(entry_)) {
    case AE_IFREG:
      return Type::kFile;
    case AE_IFDIR:
      return Type::kDirectory;
    case AE_IFLNK:
      return Type::kSymbolicLink;
    case AE_IFIFO:
      return Type::kPipe;
    default:
      return Type::kOther;
  }
}

uint64_t ArchiveReader::size() const {
  return archive_entry_size_is_set(entry_) != 0
             ? static_cast<uint64_t>(std::max<int64_t>(0, archive_entry_size(entry_)))
             : 0;
}

Result<size_t> ArchiveReader::read(std::span<char> into) {
  const la_ssize_t count = archive_read_data(archive_, into.data(), into.size());
  if (count < 0) return std::unexpected(archive_error(archive_, "reading " + path()));
  return static_cast<size_t>(count);
}

uint64_t ArchiveReader::bytes_taken() const {
  constexpr int kOutermost = -1;
  return static_cast<uint64_t>(std::max<int64_t>(0, archive_filter_bytes(archive_, kOutermost)));
}

Result<std::string> clean_path(const std::string& path) {
  if (path.starts_with('/')) return fail(fmt::format("the path '{}' is absolute", path));
  std::string clean;
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(fmt::format("the path '{}' climbs out of the archive", path));
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

Result<void> check_growth(const ArchiveReader& reader, uint64_t bytes, uint64_t bytes_max) {
  if (bytes > bytes_max) {
    return fail(fmt::format("the archive unpacks to more than {}",
                            bytes_to_text(static_cast<int64_t>(bytes_max))),
                EFBIG);
  }
  if (bytes > limits::kArchiveRatioFrom &&
      bytes / limits::kArchiveRatioMax > reader.bytes_taken()) {
    return fail(
        fmt::format("the archive unpacks to more than {} times its size", limits::kArchiveRatioMax),
        EFBIG);
  }
  return {};
}

Extraction::Extraction(Options options) : options_(options), disk_(archive_write_disk_new()) {
  CHECK(disk_ != nullptr);
  int flags = ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
              ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS | ARCHIVE_EXTRACT_TIME;
  if (options.keep_owners) flags |= ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM;
  archive_write_disk_set_options(disk_, flags);
}

Extraction::~Extraction() { archive_write_free(disk_); }

Result<void> Extraction::write(ArchiveReader& reader, const std::string& path) {
  if (++entries_ > limits::kArchiveEntriesMax) {
    return fail(fmt::format("the archive has more than {} entries", limits::kArchiveEntriesMax));
  }
  archive_entry* entry = reader.entry_;
  archive_entry_set_pathname(entry, path.c_str());
  if (const char* target = archive_entry_hardlink(entry)) {
    archive_entry_set_hardlink(entry, TRY(clean_path(target)).c_str());
  }
  constexpr mode_t kPermissions = 0777;
  if (!options_.keep_owners) {
    // The owner can always remove what he has fetched.
    const mode_t least = archive_entry_filetype(entry) == AE_IFDIR ? 0700 : 0600;
    archive_entry_set_perm(entry, (archive_entry_perm(entry) & kPermissions) | least);
  }
  const auto failed = [&](int result) {
    return result < ARCHIVE_WARN || (result != ARCHIVE_OK && options_.keep_owners);
  };
  if (failed(archive_write_header(disk_, entry))) {
    return std::unexpected(archive_error(disk_, "writing " + path));
  }
  while (true) {
    const void* bytes = nullptr;
    size_t size = 0;
    int64_t offset = 0;
    const int result = archive_read_data_block(reader.archive_, &bytes, &size, &offset);
    if (result == ARCHIVE_EOF) break;
    if (result < ARCHIVE_WARN) {
      return std::unexpected(archive_error(reader.archive_, "reading " + path));
    }
    TRY(check_growth(reader, bytes_ + size, options_.bytes_max));
    if (archive_write_data_block(disk_, bytes, size, offset) < ARCHIVE_WARN) {
      return std::unexpected(archive_error(disk_, "writing " + path));
    }
    bytes_ += size;
  }
  if (failed(archive_write_finish_entry(disk_))) {
    return std::unexpected(archive_error(disk_, "writing " + path));
  }
  return {};
}

Result<void> Extraction::finish() {
  if (archive_write_close(disk_) < ARCHIVE_WARN) {
    return std::unexpected(archive_error(disk_, "ending the extraction"));
  }
  return {};
}

}  // namespace tepui
