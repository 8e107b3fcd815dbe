#include "agent/linux/volumes.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/linux/files.h"
#include "common/io/fd.h"

namespace tepui {

namespace {

struct Entry {
  std::string name;
  bool is_directory = false;
};

Result<std::vector<Entry>> list_entries(int directory) {
  Fd own(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return std::unexpected(system_error(errno, "opening a directory to list it"));
  const auto close_stream = [](DIR* stream) { closedir(stream); };
  const std::unique_ptr<DIR, decltype(close_stream)> stream(fdopendir(own.get()), close_stream);
  if (stream == nullptr) return std::unexpected(system_error(errno, "listing a directory"));
  (void)own.release();  // the stream closes it
  std::vector<Entry> entries;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status{};
    const bool is_known = entry->d_type != DT_UNKNOWN;
    if (!is_known && fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    entries.push_back(
        {.name = std::string(name),
         .is_directory = is_known ? entry->d_type == DT_DIR : S_ISDIR(status.st_mode)});
  }
  if (errno != 0) return std::unexpected(system_error(errno, "listing a directory"));
  return entries;
}

// Neither a symbolic link nor what somebody mounted there: that is not the volume's.
Fd open_beneath(int parent, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  return Fd(static_cast<int>(syscall(SYS_openat2, parent, name.c_str(), &how, sizeof how)));
}

// Its own mode may keep us out, where we are not root.
Result<Fd> open_to_empty(int parent, const std::string& name) {
  Fd directory = open_beneath(parent, name);
  if (!directory && errno == EACCES && fchmodat(parent, name.c_str(), 0700, 0) == 0) {
    directory = open_beneath(parent, name);
  }
  if (!directory && errno == EXDEV) {
    return fail(fmt::format("something is mounted at {} in a volume that is to be destroyed; it is "
                            "left as it is",
                            name),
                EXDEV);
  }
  if (!directory) return std::unexpected(system_error(errno, "opening " + name + " to empty it"));
  if (fchmod(directory.get(), 0700) != 0) {
    return std::unexpected(system_error(errno, "opening " + name + " to empty it"));
  }
  return directory;
}

Result<void> unlink_entry(int directory, const std::string& name) {
  if (unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return std::unexpected(system_error(errno, "removing " + name));
}

// Moves the subdirectories of `name` up beside it and removes the rest of it: a tree becomes a list
// however deep it is, without a path that is too long or too many open directories.
Result<void> flatten(int top, const std::string& name, uint64_t& next_name) {
  const Fd directory = TRY(open_to_empty(top, name));
  for (const Entry& entry : TRY(list_entries(directory.get()))) {
    if (!entry.is_directory) {
      TRY(unlink_entry(directory.get(), entry.name));
      continue;
    }
    while (true) {
      const std::string moved = fmt::format(".removing-{}", next_name++);
      if (renameat2(directory.get(), entry.name.c_str(), top, moved.c_str(), RENAME_NOREPLACE) ==
          0) {
        break;
      }
      if (errno != EEXIST) return std::unexpected(system_error(errno, "moving " + entry.name));
    }
  }
  if (unlinkat(top, name.c_str(), AT_REMOVEDIR) != 0) {
    return std::unexpected(system_error(errno, "removing directory " + name));
  }
  return {};
}

// Where quota is for directories, nothing can be moved into one that is another's.
void forget_project(int directory) {
  fsxattr attributes{};
  if (ioctl(directory, FS_IOC_FSGETXATTR, &attributes) != 0) return;  // a file system without
  attributes.fsx_xflags &= ~static_cast<uint32_t>(FS_XFLAG_PROJINHERIT);
  (void)ioctl(directory, FS_IOC_FSSETXATTR, &attributes);  // then moving says what is wrong
}

Result<void> empty_directory(int top) {
  forget_project(top);
  uint64_t next_name = 0;
  while (true) {
    const std::vector<Entry> entries = TRY(list_entries(top));
    if (entries.empty()) return {};
    for (const Entry& entry : entries) {
      TRY(entry.is_directory ? flatten(top, entry.name, next_name) : unlink_entry(top, entry.name));
    }
  }
}

Result<void> sync(int directory, const std::string& name) {
  if (fsync(directory) == 0) return {};
  return std::unexpected(system_error(errno, "syncing directory " + name));
}

// Never the root of everything, which is a mount point too.
Result<bool> is_mount_point(int directory, const std::string& name) {
  struct stat own{};
  struct stat above{};
  struct statx more{};
  if (fstat(directory, &own) != 0 || fstatat(directory, "..", &above, 0) != 0 ||
      statx(directory, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &more) != 0) {
    return std::unexpected(system_error(errno, "looking at " + name));
  }
  const bool is_top = own.st_dev == above.st_dev && own.st_ino == above.st_ino;
  // The attribute (Linux 5.8) also knows a bind mount within one file system.
  const bool is_told = (more.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
  return !is_top && (is_told ? (more.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0
                             : own.st_dev != above.st_dev);
}

Result<Fd> open_base(const VolumePlace& place) {
  Fd base = TRY(open_directory_at(AT_FDCWD, place.base));
  if (place.directory.empty() && !TRY(is_mount_point(base.get(), place.base))) {
    return fail(fmt::format("{} is to be the mount point of a disk, and nothing is mounted there",
                            place.base));
  }
  return base;
}

}  // namespace

Result<void> check_disk(const Disk& disk) {
  if (disk.source == Disk::Source::kRoot) return {};
  const bool is_mounted = disk.source == Disk::Source::kMount;
  const Result<Fd> base =
      open_base({.base = disk.source_root, .directory = is_mounted ? "" : "volumes"});
  if (base) return {};
  return std::unexpected(
      Error(base.error())
          .in(fmt::format("the {} disk at '{}'", is_mounted ? "MOUNT" : "PATH", disk.source_root)));
}

Result<void> create_volume(const VolumePlace& place) {
  const Fd base = TRY(open_base(place));
  TRY(sync(base.get(), place.base));
  for (size_t end = 0; end < place.directory.size();) {
    end = std::min(place.directory.find('/', end + 1), place.directory.size());
    const std::string part = place.directory.substr(0, end);
    const Fd directory = TRY(make_directories_at(base.get(), part, 0755));
    TRY(sync(directory.get(), part));
  }
  // Again, now with the first of them in it.
  return sync(base.get(), place.base);
}

Result<void> destroy_volume(const VolumePlace& place) {
  const Fd base = TRY(open_base(place));
  if (place.directory.empty()) {
    TRY(empty_directory(base.get()));
    return sync(base.get(), place.base);
  }
  const size_t slash = place.directory.rfind('/');
  const std::string above = slash == std::string::npos ? "." : place.directory.substr(0, slash);
  const std::string name = place.directory.substr(slash + 1);
  const Result<Fd> parent = open_directory_at(base.get(), above);
  if (!parent)
    return parent.error().code == ENOENT ? Result<void>{} : std::unexpected(parent.error());
  struct stat status{};
  if (fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return std::unexpected(system_error(errno, "looking at " + place.directory));
  }
  {
    const Fd directory = TRY(open_to_empty(parent->get(), name));
    TRY(empty_directory(directory.get()));
  }
  if (unlinkat(parent->get(), name.c_str(), AT_REMOVEDIR) != 0) {
    return std::unexpected(system_error(errno, "removing directory " + place.directory));
  }
  return sync(parent->get(), above);
}

namespace {

// Of the volume itself.
std::string path_of(const VolumePlace& place) {
  return place.directory.empty() ? place.base : place.base + "/" + place.directory;
}

// Its directory belongs to the user if nobody else owns it.
Result<void> give_volume(const std::string& path, const std::optional<UserIds>& user) {
  const Fd volume = TRY(open_directory_at(AT_FDCWD, path));
  struct stat status{};
  if (user && fstat(volume.get(), &status) == 0 && status.st_uid == 0 &&
      fchown(volume.get(), user->uid, user->gid) != 0) {
    return std::unexpected(system_error(errno, "giving away " + path));
  }
  return {};
}

// The directory, made and given to the user, as are those on the way that are missing.
Result<Fd> make_way(int sandbox, std::string_view path, const std::optional<UserIds>& user) {
  Fd reached = TRY(open_directory_at(sandbox, "."));
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    Fd next = TRY(make_directories_at(reached.get(), path.substr(0, slash), 0755));
    if (user && fchown(next.get(), user->uid, user->gid) != 0) {
      return std::unexpected(system_error(errno, "giving away a directory of the sandbox"));
    }
    reached = std::move(next);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return reached;
}

}  // namespace

Result<void> remove_tree(int parent, const std::string& name) {
  struct stat status{};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
    return {};
  }
  {
    const Fd directory = TRY(open_to_empty(parent, name));
    TRY(empty_directory(directory.get()));
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return std::unexpected(system_error(errno, "removing directory " + name));
}

Result<void> make_in_sandbox(int sandbox, const std::string& path,
                             const std::optional<UserIds>& user) {
  TRY(make_way(sandbox, path, user));
  return {};
}

Result<void> prepare_volume(int sandbox, const VolumeMount& mount,
                            const std::optional<UserIds>& user,
                            const std::optional<UserIds>& owner) {
  TRY(give_volume(path_of(mount.place), owner));
  if (!mount.container_path.starts_with('/')) {
    TRY(make_way(sandbox, mount.container_path, user));
  }
  return {};
}

Result<void> link_volume(int sandbox, const VolumeMount& mount,
                         const std::optional<UserIds>& user) {
  const std::string target = path_of(mount.place);
  TRY(give_volume(target, user));
  const size_t slash = mount.container_path.rfind('/');
  const bool is_below = slash != std::string::npos;
  const Fd directory =
      TRY(make_way(sandbox, is_below ? mount.container_path.substr(0, slash) : "", user));
  const std::string name = is_below ? mount.container_path.substr(slash + 1) : mount.container_path;
  if (symlinkat(target.c_str(), directory.get(), name.c_str()) == 0) return {};
  if (errno != EEXIST) {
    return std::unexpected(system_error(errno, "linking " + mount.container_path));
  }
  char there[PATH_MAX];
  const ssize_t size = readlinkat(directory.get(), name.c_str(), there, sizeof there);
  if (size >= 0 && std::string_view(there, static_cast<size_t>(size)) == target) return {};
  return fail(fmt::format("{} is in the way of a volume", mount.container_path));
}

}  // namespace tepui
