#include "agent/shell/checkpoints.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/linux/files.h"
#include "common/check.h"
#include "common/io/files.h"

namespace tepui {

namespace {

constexpr const char* kFile = "resources";
constexpr const char* kDraft = "resources.draft";
constexpr std::string_view kLostAndFound = "lost+found";

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// The entries of an open directory; the file system's own is not one.
Result<std::vector<std::string>> entries_of(int fd, const std::string& path) {
  const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Directory directory(copy < 0 ? nullptr : fdopendir(copy));
  if (directory == nullptr) return std::unexpected(system_error(errno, "reading " + path));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != kLostAndFound) names.emplace_back(name);
  }
  return names;
}

// Removes everything in the directory. Follows no symbolic link, and stays on its file system.
Result<void> empty_directory(int fd, const std::string& path, dev_t device) {
  for (const std::string& name : TRY(entries_of(fd, path))) {
    const std::string child_path = path + "/" + name;
    if (unlinkat(fd, name.c_str(), 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM) {
      return std::unexpected(system_error(errno, "removing " + child_path));
    }
    Fd child(openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (!child || fstat(child.get(), &status) != 0) {
      return std::unexpected(system_error(errno, "opening " + child_path));
    }
    if (status.st_dev != device) {
      return fail(fmt::format("something is mounted at {}, which belongs to a destroyed volume",
                              child_path));
    }
    TRY(empty_directory(child.get(), child_path, device));
    if (unlinkat(fd, name.c_str(), AT_REMOVEDIR) != 0) {
      return std::unexpected(system_error(errno, "removing " + child_path));
    }
  }
  return {};
}

// Empties the directory of a volume, and removes it where it is not the root of a disk.
Result<void> remove_volume(const std::string& path) {
  Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && errno == ENOENT) return {};
  struct stat status{};
  if (!directory || fstat(directory.get(), &status) != 0) {
    return std::unexpected(system_error(errno, "opening the volume " + path));
  }
  TRY(empty_directory(directory.get(), path, status.st_dev));
  // Of a mounted disk the root stays: it is busy, or not empty.
  (void)rmdir(path.c_str());
  return {};
}

Result<void> remove_volumes(const std::vector<std::string>& paths) {
  Result<void> result;
  for (const std::string& path : paths) {
    Result<void> removed = remove_volume(path);
    if (!removed && result) result = std::move(removed);
  }
  return result;
}

// Every directory of the path; what was there before must be empty at its end, so that nobody is
// handed the content of another volume.
Result<void> make_volume(const std::string& path) {
  for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    // What is missing here fails below, with the whole path in the message.
    (void)mkdir(path.substr(0, end).c_str(), 0755);
  }
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return std::unexpected(system_error(errno, "making the volume " + path));
  }
  Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return std::unexpected(system_error(errno, "opening the volume " + path));
  const std::vector<std::string> entries = TRY(entries_of(directory.get(), path));
  if (!entries.empty()) {
    return fail(fmt::format("the directory {} of the new volume holds '{}' and {} others", path,
                            entries.front(), entries.size() - 1));
  }
  return {};
}

// The directories of a volume must outlive a power failure as the file does.
Result<void> sync_parents(const std::string& path) {
  for (size_t end = path.rfind('/'); end != std::string::npos && end > 0;
       end = path.rfind('/', end - 1)) {
    const std::string parent = path.substr(0, end);
    Fd directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || fsync(directory.get()) != 0) {
      return std::unexpected(system_error(errno, "syncing " + parent));
    }
    if (parent.ends_with("/volumes")) break;
  }
  return {};
}

Result<void> write_file(const std::string& work_dir, const StoredCheckpoint& checkpoint) {
  Fd work = TRY(open_directory_at(AT_FDCWD, work_dir));
  Fd meta = TRY(make_directories_at(work.get(), "meta", 0700));
  const std::string bytes = encode_checkpoint(checkpoint);
  Fd file(openat(meta.get(), kDraft, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(system_error(errno, "creating meta/resources.draft"));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return std::unexpected(system_error(errno, "writing meta/resources.draft"));
    done += static_cast<size_t>(wrote);
  }
  if (fsync(file.get()) != 0) {
    return std::unexpected(system_error(errno, "syncing meta/resources.draft"));
  }
  if (renameat(meta.get(), kDraft, meta.get(), kFile) != 0) {
    return std::unexpected(system_error(errno, "renaming meta/resources.draft"));
  }
  if (fsync(meta.get()) != 0 || fsync(work.get()) != 0) {
    return std::unexpected(system_error(errno, "syncing meta"));
  }
  return {};
}

Result<std::string> read_whole(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return std::unexpected(system_error(errno, "opening " + path));
  std::string bytes;
  char part[65536];
  for (;;) {
    const ssize_t got = read(file.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(system_error(errno, "reading " + path));
    if (got == 0) return bytes;
    bytes.append(part, static_cast<size_t>(got));
  }
}

}  // namespace

Result<std::optional<StoredCheckpoint>> load_checkpoint(const std::string& work_dir) {
  const std::string path = work_dir + "/meta/" + kFile;
  Result<std::string> bytes = read_whole(path);
  if (!bytes && bytes.error().code == ENOENT) return std::nullopt;
  if (!bytes) return std::unexpected(std::move(bytes).error());
  Result<StoredCheckpoint> checkpoint = decode_checkpoint(*bytes);
  if (!checkpoint) {
    return std::unexpected(std::move(checkpoint)
                               .error()
                               .in(fmt::format("the checkpoint {} is corrupt (restore it, or "
                                               "remove it to give up all reservations and "
                                               "volumes of this agent)",
                                               path)));
  }
  TRY(remove_volumes(checkpoint->removing));
  checkpoint->removing.clear();
  return std::move(*checkpoint);
}

Result<std::unique_ptr<Checkpoints>> Checkpoints::create(Reactor& reactor, CheckpointsOwner& owner,
                                                         std::string work_dir) {
  std::unique_ptr<Checkpoints> made(new Checkpoints(owner, std::move(work_dir)));
  made->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  return made;
}

void Checkpoints::write(const AgentCheckpoint& checkpoint) {
  wanted_ = checkpoint;
  const bool accepted = worker_->submit(*this);
  CHECK(accepted);
}

void Checkpoints::run() {
  removed_ = {};
  written_ = [this]() -> Result<void> {
    for (const std::string& path : wanted_.make) {
      TRY(make_volume(path));
      TRY(sync_parents(path));
    }
    return write_file(
        work_dir_,
        {.total = wanted_.total, .operations = wanted_.operations, .removing = wanted_.remove});
  }();
  if (written_) removed_ = remove_volumes(wanted_.remove);
}

void Checkpoints::on_done() {
  if (written_ && !removed_) owner_.on_volume_left(removed_.error());
  if (written_) {
    owner_.on_checkpointed(wanted_.serial);
  } else {
    owner_.on_checkpoint_failed(wanted_.serial, Error(written_.error()));
  }
}

}  // namespace tepui
