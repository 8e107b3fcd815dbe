#include "agent/fetch/place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string_view>
#include <vector>

#include "agent/fetch/archive.h"
#include "agent/fetch/sha256.h"
#include "agent/linux/files.h"
#include "common/io/fd.h"

namespace tepui {

namespace {

enum class Packing : uint8_t { kNone, kOneFile, kArchive };

Packing packing_of(std::string_view name) {
  constexpr std::string_view kArchives[] = {".tar",    ".tar.gz", ".tgz",     ".tar.bz2", ".tbz2",
                                            ".tar.xz", ".txz",    ".tar.zst", ".tzst",    ".zip"};
  for (const std::string_view ending : kArchives) {
    if (name.ends_with(ending)) return Packing::kArchive;
  }
  return name.ends_with(".gz") ? Packing::kOneFile : Packing::kNone;
}

// What comes next, given how much has come.
using Read = std::function<Result<size_t>(std::span<char>, uint64_t)>;

Result<uint64_t> write_file(const std::string& name, mode_t mode, const Read& read) {
  if (unlink(name.c_str()) != 0 && errno != ENOENT) {
    return std::unexpected(system_error(errno, "replacing " + name));
  }
  Fd file(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file || fchmod(file.get(), mode) != 0) {
    return std::unexpected(system_error(errno, "creating " + name));
  }
  std::vector<char> bytes(1 << 18);
  uint64_t written = 0;
  while (true) {
    const size_t count = TRY(read(bytes, written));
    if (count == 0) return written;
    std::span<const char> rest(bytes.data(), count);
    while (!rest.empty()) {
      const ssize_t taken = ::write(file.get(), rest.data(), rest.size());
      if (taken < 0 && errno == EINTR) continue;
      if (taken < 0) return std::unexpected(system_error(errno, "writing " + name));
      rest = rest.subspan(static_cast<size_t>(taken));
      written += static_cast<uint64_t>(taken);
    }
  }
}

Result<uint64_t> extract_all(const FetchJob& job, int input) {
  const std::unique_ptr<ArchiveReader> reader =
      TRY(ArchiveReader::open(ArchiveReader::Kind::kAnything, input));
  Extraction extraction({.bytes_max = job.bytes_max});
  while (TRY(reader->next())) {
    const std::string path = TRY(clean_path(reader->path()));
    if (path.empty()) continue;
    using Type = ArchiveReader::Type;
    if (reader->type() == Type::kPipe || reader->type() == Type::kOther) {
      return fail(fmt::format("'{}' in the archive is neither file, directory nor link", path));
    }
    TRY(extraction.write(*reader, path));
  }
  TRY(extraction.finish());
  return extraction.bytes();
}

Result<uint64_t> place_in(const FetchJob& job, std::string name, int input) {
  const Packing packing = job.extract && !job.executable ? packing_of(name) : Packing::kNone;
  if (packing == Packing::kArchive) return extract_all(job, input);
  if (packing == Packing::kOneFile) {
    name.resize(name.size() - std::string_view(".gz").size());
    if (name.empty()) return fail("there is no name before .gz");
    const std::unique_ptr<ArchiveReader> reader =
        TRY(ArchiveReader::open(ArchiveReader::Kind::kCompressed, input));
    if (!TRY(reader->next())) return fail("it is empty, and no gzip file");
    const auto read_next = [&](std::span<char> into, uint64_t before) -> Result<size_t> {
      const size_t count = TRY(reader->read(into));
      TRY(check_growth(*reader, before + count, job.bytes_max));
      return count;
    };
    return write_file(name, 0644, read_next);
  }
  const auto read_input = [input](std::span<char> into, uint64_t) -> Result<size_t> {
    const ssize_t count = read(input, into.data(), into.size());
    if (count < 0) return std::unexpected(system_error(errno, "reading what was fetched"));
    return static_cast<size_t>(count);
  };
  return write_file(name, job.executable ? 0755 : 0644, read_input);
}

}  // namespace

Result<FetchAnswer> place(const FetchJob& job, int input) {
  if (!job.sha256.empty()) {
    const std::string is = TRY(sha256_of_file(input));
    if (is != job.sha256) {
      return fail(fmt::format("its checksum is sha256:{}, expected sha256:{}", is, job.sha256),
                  EBADMSG);
    }
  }
  std::string name = TRY(clean_path(job.name));
  if (name.empty()) return fail("it has no name");
  if (const size_t slash = name.rfind('/'); slash != name.npos) {
    const Fd directory = TRY(make_directories_at(AT_FDCWD, name.substr(0, slash), 0755));
    if (fchdir(directory.get()) != 0) {
      return std::unexpected(system_error(errno, "entering " + name.substr(0, slash)));
    }
    name.erase(0, slash + 1);
  }
  return FetchAnswer{.bytes = TRY(place_in(job, std::move(name), input))};
}

}  // namespace tepui
