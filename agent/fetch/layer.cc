#include "agent/fetch/layer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/fetch/archive.h"
#include "agent/fetch/image.h"
#include "agent/fetch/sha256.h"
#include "agent/linux/files.h"
#include "common/io/fd.h"

namespace tepui {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kOther = ".wh..wh.";  // of a file system that is no more

// What comes through it is hashed.
class Hashed final : public ByteSource {
 public:
  explicit Hashed(ByteSource& source) : source_(source) {}
  Result<size_t> read(std::span<char> into) override {
    Result<size_t> count = source_.read(into);
    if (count) hash_.add(into.first(*count));
    return count;
  }
  // What the archive did not need counts, too.
  Result<std::string> finish() {
    std::vector<char> rest(1 << 16);
    while (TRY(read(rest)) > 0) {
    }
    return hash_.digits();
  }

 private:
  ByteSource& source_;
  Sha256 hash_;
};

class Layer {
 public:
  explicit Layer(uint64_t bytes_max) : extraction_({.bytes_max = bytes_max, .keep_owners = true}) {}

  Result<void> add(ArchiveReader& entry) {
    using Type = ArchiveReader::Type;
    const std::string path = TRY(clean_path(entry.path()));
    if (path.empty()) return {};
    const size_t slash = path.rfind('/');
    const std::string directory = slash == path.npos ? std::string() : path.substr(0, slash);
    const std::string name = slash == path.npos ? path : path.substr(slash + 1);
    if (name == kOpaque) return mark(directory);
    if (name.starts_with(kOther)) return {};
    if (name.starts_with(kWhiteout)) {
      return remove(directory, name.substr(kWhiteout.size()));
    }
    if (entry.type() == Type::kOther) return {};  // devices are what the container gives
    // In its place there is something new, which has nothing of the old.
    if (removed_.contains(path)) {
      TRY(forget(path));
      if (entry.type() == Type::kDirectory) TRY(mark(path));
    }
    return extraction_.write(entry, path);
  }

  Result<FetchAnswer> finish() {
    TRY(extraction_.finish());
    return FetchAnswer{.bytes = extraction_.bytes(), .opaque = {opaque_.begin(), opaque_.end()}};
  }

 private:
  Result<void> mark(const std::string& directory) {
    if (!directory.empty()) TRY(make_directories_at(AT_FDCWD, directory, 0755));
    opaque_.insert(directory.empty() ? "." : directory);
    return {};
  }

  Result<void> remove(const std::string& directory, const std::string& name) {
    if (name.empty() || name == "." || name == "..") {
      return fail(fmt::format("the layer removes '{}' of '{}'", name, directory));
    }
    Fd parent;
    if (!directory.empty()) parent = TRY(make_directories_at(AT_FDCWD, directory, 0755));
    const std::string path = directory.empty() ? name : directory + "/" + name;
    const int below = directory.empty() ? AT_FDCWD : parent.get();
    if (mknodat(below, name.c_str(), S_IFCHR, 0) == 0) {
      removed_.insert(path);
      return {};
    }
    if (errno != EEXIST) return std::unexpected(system_error(errno, "removing " + path));
    struct stat status{};
    const bool is_directory =
        fstatat(below, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
    if (is_directory) return mark(path);
    return {};  // the layer has another in its place
  }

  Result<void> forget(const std::string& path) {
    if (unlink(path.c_str()) != 0) {
      return std::unexpected(system_error(errno, "replacing " + path));
    }
    removed_.erase(path);
    return {};
  }

  Extraction extraction_;
  std::set<std::string> opaque_;
  std::set<std::string> removed_;
};

}  // namespace

Result<FetchAnswer> unpack_layer(const FetchJob& job, int input) {
  ImageFiles files(input, job.archive);
  Hashed blob(*TRY(files.open(blob_path(job.digest))));
  const std::unique_ptr<ArchiveReader> reader =
      TRY(ArchiveReader::open(ArchiveReader::Kind::kLayer, blob));
  Layer layer(job.bytes_max);
  while (TRY(reader->next())) TRY(layer.add(*reader));
  FetchAnswer answer = TRY(layer.finish());
  const std::string is = TRY(blob.finish());
  if ("sha256:" + is != job.digest) {
    return fail(fmt::format("the layer {} is damaged: its digest is sha256:{}", job.digest, is),
                EBADMSG);
  }
  return answer;
}

}  // namespace tepui
