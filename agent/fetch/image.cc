#include "agent/fetch/image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "agent/fetch/oci.h"
#include "agent/fetch/sha256.h"
#include "agent/linux/files.h"
#include "common/limits.h"

namespace tepui {

namespace {

// An index in an index names images of one name for several machines; deeper is no use.
constexpr int kIndexDepthMax = 3;

Result<void> check_layout(ImageFiles& files) {
  Result<std::string> layout = files.read_small("oci-layout");
  if (!layout) return std::unexpected(std::move(layout).error().in("this is no OCI layout"));
  if (layout->find("\"1.") == std::string::npos) {
    return fail("the OCI layout is of another version than 1");
  }
  return {};
}

Result<oci::Manifest> find_manifest(ImageFiles& files, const std::string& reference) {
  std::string text = TRY(files.read_small("index.json"));
  std::string name = reference;
  for (int depth = 0; depth < kIndexDepthMax; ++depth) {
    const oci::Descriptor image =
        TRY(oci::choose(TRY(oci::parse_index(text)), name, oci::own_architecture()));
    text = TRY(files.read_blob(image.digest));
    if (oci::is_manifest(image.media_type)) return oci::parse_manifest(text);
    if (!oci::is_index(image.media_type)) {
      return fail(fmt::format("the image is '{}', which is none", image.media_type));
    }
    // Inside, they differ by machine.
    name.clear();
  }
  return fail("there are too many indexes in one another");
}

}  // namespace

std::string blob_path(const std::string& digest) {
  return "blobs/sha256/" + digest.substr(digest.find(':') + 1);
}

Result<size_t> ImageFiles::File::read(std::span<char> into) {
  while (true) {
    const ssize_t count = ::read(fd.get(), into.data(), into.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) return std::unexpected(system_error(errno, "reading the image"));
  }
}

Result<ByteSource*> ImageFiles::open(const std::string& path) {
  if (!is_archive_) {
    open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    file_.fd = Fd(static_cast<int>(syscall(SYS_openat2, fd_, path.c_str(), &how, sizeof how)));
    if (!file_.fd) return std::unexpected(system_error(errno, "opening " + path));
    return &file_;
  }
  if (lseek(fd_, 0, SEEK_SET) != 0) {
    return std::unexpected(system_error(errno, "reading the archive"));
  }
  archive_ = TRY(ArchiveReader::open(ArchiveReader::Kind::kTar, fd_));
  for (size_t entries = 0; TRY(archive_->next()); ++entries) {
    if (entries > limits::kArchiveEntriesMax) return fail("the archive has too many entries");
    const Result<std::string> name = clean_path(archive_->path());
    if (name && *name == path && archive_->type() == ArchiveReader::Type::kFile) {
      return archive_.get();
    }
  }
  return fail(fmt::format("there is no {} in the archive", path), ENOENT);
}

Result<std::string> ImageFiles::read_small(const std::string& path) {
  ByteSource* source = TRY(open(path));
  std::string text;
  std::vector<char> piece(1 << 16);
  while (text.size() <= limits::kImageJsonBytesMax) {
    const size_t count = TRY(source->read(piece));
    if (count == 0) return text;
    text.append(piece.data(), count);
  }
  return fail(fmt::format("{} has more than {} bytes", path, limits::kImageJsonBytesMax));
}

Result<std::string> ImageFiles::read_blob(const std::string& digest) {
  std::string text = TRY(read_small(blob_path(digest)));
  Sha256 hash;
  hash.add(text);
  const std::string is = hash.digits();
  if ("sha256:" + is != digest) {
    return fail(fmt::format("the blob {} is damaged: its digest is sha256:{}", digest, is),
                EBADMSG);
  }
  return text;
}

Result<FetchAnswer> inspect(const FetchJob& job, int input) {
  ImageFiles files(input, job.archive);
  TRY(check_layout(files));
  oci::Manifest manifest = TRY(find_manifest(files, job.reference));
  return FetchAnswer{.layers = std::move(manifest.layers),
                     .config = TRY(oci::parse_config(TRY(files.read_blob(manifest.config.digest)),
                                                     oci::own_architecture()))};
}

}  // namespace tepui
