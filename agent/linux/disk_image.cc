#include "agent/linux/disk_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "agent/linux/files.h"

namespace tepui {
namespace {

constexpr const char* kDirectory = "disks";
constexpr const char* kImage = "ext4";
constexpr const char* kPlace = "sandbox";
// Below that ext4 has no room for itself.
constexpr int64_t kBytesMin = 2 << 20;
// Not of a container.
constexpr const char* kProbe = ".probe";

Result<std::string> find_mkfs() {
  for (const char* path : {"/sbin/mkfs.ext4", "/usr/sbin/mkfs.ext4"}) {
    if (access(path, X_OK) == 0) return std::string(path);
  }
  return fail("there is no mkfs.ext4 (of e2fsprogs) in /sbin or /usr/sbin");
}

// A loop device on the file that ends with its last user.
Result<std::pair<Fd, std::string>> attach_loop(int file, const std::string& name) {
  constexpr int kAttempts = 64;  // others look for free ones, too
  const Fd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return std::unexpected(system_error(errno, "opening /dev/loop-control"));
  loop_config wanted{};
  wanted.fd = static_cast<uint32_t>(file);
  wanted.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  auto& shown = wanted.info.lo_file_name;
  std::memcpy(shown, name.data(), std::min(name.size(), sizeof shown - 1));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return std::unexpected(system_error(errno, "looking for a free loop device"));
    std::string path = fmt::format("/dev/loop{}", number);
    Fd device(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!device) return std::unexpected(system_error(errno, "opening " + path));
    if (ioctl(device.get(), LOOP_CONFIGURE, &wanted) == 0) {
      return std::pair(std::move(device), std::move(path));
    }
    if (errno != EBUSY) return std::unexpected(system_error(errno, "setting up " + path));
  }
  return fail("others take each free loop device", EBUSY);
}

// Whether what is mounted there is the image of that container.
bool is_on_image(int directory, const std::string& id) {
  struct stat status{};
  if (fstat(directory, &status) != 0) return false;
  const Result<std::string> backing =
      read_file_at(AT_FDCWD, fmt::format("/sys/dev/block/{}:{}/loop/backing_file",
                                         major(status.st_dev), minor(status.st_dev)));
  return backing.has_value() &&
         backing->ends_with(fmt::format("/{}/{}/{}\n", kDirectory, id, kImage));
}

// The end of a file that a task wrote; nothing if it is none.
std::optional<std::string> read_end(int directory, const char* name) {
  const Fd file(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const int64_t begin = std::max<int64_t>(0, status.st_size - DiskImages::kKeptBytes);
  std::string bytes(static_cast<size_t>(status.st_size - begin), '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t part = pread(file.get(), bytes.data() + got, bytes.size() - got,
                               begin + static_cast<int64_t>(got));
    if (part <= 0) break;
    got += static_cast<size_t>(part);
  }
  bytes.resize(got);
  return bytes;
}

// Best effort: the sandbox is on a disk that may be full.
void write_kept(int directory, const char* name, std::string_view bytes) {
  const Fd file(
      openat(directory, name, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644));
  while (file && !bytes.empty()) {
    const ssize_t wrote = write(file.get(), bytes.data(), bytes.size());
    if (wrote <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

Result<void> write_place(int directory, std::string_view sandbox) {
  const Fd file(openat(directory, kPlace, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(system_error(errno, "creating a file for an image"));
  const ssize_t wrote = write(file.get(), sandbox.data(), sandbox.size());
  if (wrote == static_cast<ssize_t>(sandbox.size())) return {};
  return std::unexpected(system_error(wrote < 0 ? errno : ENOSPC, "saying where an image is"));
}

// So that what nobody will read is not written first.
void stop_writing(int directory) {
  constexpr uint32_t kNoLogFlush = 2;
  uint32_t how = kNoLogFlush;
  constexpr unsigned long kExt4Shutdown = _IOR('X', 125, uint32_t);
  (void)ioctl(directory, kExt4Shutdown, &how);  // older file systems write, which is all
}

}  // namespace

DiskImages::DiskImages(std::string work_dir, std::string mkfs, Fd work, Fd images)
    : work_dir_(std::move(work_dir)),
      mkfs_(std::move(mkfs)),
      work_(std::move(work)),
      images_(std::move(images)) {}

Result<std::unique_ptr<DiskImages>> DiskImages::create(const std::string& work_dir) {
  std::string mkfs = TRY(find_mkfs());
  Fd work = TRY(open_directory_at(AT_FDCWD, work_dir));
  Fd directory = TRY(make_directories_at(work.get(), kDirectory, 0700));
  std::unique_ptr<DiskImages> images(
      new DiskImages(work_dir, std::move(mkfs), std::move(work), std::move(directory)));
  const std::string sandbox = fmt::format("{}/{}/{}", kDirectory, kProbe, kProbe);
  TRY(images->release(kProbe));
  TRY(images->mount(kProbe, sandbox, kBytesMin));
  TRY(images->unmount(kProbe, sandbox));
  if (unlinkat(images->work_.get(), sandbox.c_str(), AT_REMOVEDIR) != 0) {
    return std::unexpected(system_error(errno, "removing " + sandbox));
  }
  TRY(images->release(kProbe));
  return images;
}

std::unique_ptr<DiskImages> DiskImages::left_in(const std::string& work_dir) {
  Result<Fd> work = open_directory_at(AT_FDCWD, work_dir);
  if (!work) return nullptr;
  Result<Fd> directory = open_directory_at(work->get(), kDirectory);
  if (!directory || list_directories(directory->get()).value_or(std::vector<std::string>()).empty())
    return nullptr;
  return std::unique_ptr<DiskImages>(
      new DiskImages(work_dir, "", *std::move(work), *std::move(directory)));
}

Result<void> DiskImages::make_file_system(const std::string& image) const {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  }
  // Nothing is reserved for root, and nothing survives a crash of the machine: no journal.
  const std::array<const char*, 12> words = {mkfs_.c_str(), "-q", "-F",           "-m",
                                             "0",           "-O", "^has_journal", "-E",
                                             "nodiscard",   "--", image.c_str(),  nullptr};
  char* const environment[] = {nullptr};
  pid_t child = 0;
  const int problem = posix_spawn(&child, mkfs_.c_str(), &files, nullptr,
                                  const_cast<char* const*>(words.data()), environment);
  posix_spawn_file_actions_destroy(&files);
  if (problem != 0) return std::unexpected(system_error(problem, "starting " + mkfs_));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(fmt::format("{} of {} ended with status {}", mkfs_, image,
                          WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)));
}

Result<void> DiskImages::fill_and_mount(const std::string& id, int64_t bytes, int sandbox) const {
  const std::string path = fmt::format("{}/{}/{}/{}", work_dir_, kDirectory, id, kImage);
  const Fd image(open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!image) return std::unexpected(system_error(errno, "creating " + path));
  if (ftruncate(image.get(), std::max(bytes, kBytesMin)) != 0) {
    return std::unexpected(system_error(errno, "making room in " + path));
  }
  TRY(make_file_system(path));
  const auto [device, device_path] = TRY(attach_loop(image.get(), id));
  const std::string at = fmt::format("/proc/self/fd/{}", sandbox);
  if (::mount(device_path.c_str(), at.c_str(), "ext4", MS_NOSUID | MS_NODEV, "errors=remount-ro") !=
      0) {
    return std::unexpected(system_error(errno, "mounting " + path));
  }
  return {};
}

Result<void> DiskImages::mount(const std::string& id, const std::string& sandbox,
                               int64_t bytes) const {
  TRY(release(id));  // of an earlier life that got no further
  const Fd below = TRY(make_directories_at(work_.get(), sandbox, 0755));
  {
    const Fd directory = TRY(make_directories_at(images_.get(), id, 0700));
    TRY(write_place(directory.get(), sandbox));
  }
  Result<void> mounted = fill_and_mount(id, bytes, below.get());
  if (mounted) {
    const Fd top = TRY(open_directory_at(work_.get(), sandbox));
    unlinkat(top.get(), "lost+found", AT_REMOVEDIR);
  } else {
    (void)release(id).has_value();
  }
  return mounted;
}

Result<void> DiskImages::release(const std::string& id) const {
  const Result<Fd> directory = open_directory_at(images_.get(), id);
  if (!directory) {
    if (directory.error().code == ENOENT) return {};
    return std::unexpected(directory.error());
  }
  // Where nobody could say where it is, nothing was mounted.
  const std::string sandbox = read_file_at(directory->get(), kPlace).value_or(std::string());
  TRY(unmount(id, sandbox));
  const Fd file(openat(directory->get(), kImage, O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file && ftruncate(file.get(), 0) != 0) {
    return std::unexpected(system_error(errno, "emptying the image of " + id));
  }
  TRY(remove_file_at(directory->get(), kImage));
  TRY(remove_file_at(directory->get(), kPlace));
  if (unlinkat(images_.get(), id.c_str(), AT_REMOVEDIR) == 0) return {};
  return std::unexpected(system_error(errno, "removing the image of " + id));
}

Result<void> DiskImages::unmount(const std::string& id, const std::string& sandbox) const {
  if (sandbox.empty()) return {};
  Result<Fd> top = open_directory_at(work_.get(), sandbox);
  if (!top || !is_on_image(top->get(), id)) return {};
  std::array<std::pair<const char*, std::optional<std::string>>, 2> kept = {
      {{"stdout", {}}, {"stderr", {}}}};
  for (auto& [name, bytes] : kept) bytes = read_end(top->get(), name);
  stop_writing(top->get());
  top->reset();
  const std::string path = work_dir_ + "/" + sandbox;
  // Operators may just read a file there.
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
    return std::unexpected(system_error(errno, "unmounting " + path));
  }
  const Fd below = TRY(open_directory_at(work_.get(), sandbox));
  for (const auto& [name, bytes] : kept) {
    if (bytes) write_kept(below.get(), name, *bytes);
  }
  return {};
}

Result<int> DiskImages::release_unknown(const std::set<std::string>& known) const {
  int released = 0;
  for (const std::string& id : TRY(list_directories(images_.get()))) {
    if (known.contains(id) || id == kProbe) continue;
    TRY(release(id));
    ++released;
  }
  return released;
}

}  // namespace tepui
