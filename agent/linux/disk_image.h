#pragma once
// DiskImages bounds sandboxes where the file system has no project quota: each is a file system of
// its own, ext4 in a sparse file of that size that is mounted over a loop device.
//
//   <work_dir>/disks/ID/ext4      the file system of the sandbox of container ID
//   <work_dir>/disks/ID/sandbox   where that is, below the work directory; written first
//
// Images outlive the agent: a next life finds them by their files, and after a reboot, too, when
// nothing is mounted any more. A loop device ends with its mount, whoever lives.
//
// The bound is hard, for root, too; what ext4 needs itself is part of it. Whoever has the mount in
// a mount namespace of his own keeps the loop device, but no space: a released image is empty.
//
// Threads may share it; its calls may block.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

class DiskImages {
 public:
  // Of what was written to stdout and stderr, this much of the end stays with the sandbox when its
  // image goes.
  static constexpr int64_t kKeptBytes = int64_t{1} << 20;

  // Tries one. The error says why there can be none.
  static Result<std::unique_ptr<DiskImages>> create(const std::string& work_dir);

  // To release what an earlier life made; null if there is nothing. It can mount no others.
  static std::unique_ptr<DiskImages> left_in(const std::string& work_dir);

  // Makes the sandbox, a path below the work directory, and mounts an image of that size on it.
  // Leaves nothing behind on failure but the directory.
  Result<void> mount(const std::string& id, const std::string& sandbox, int64_t bytes) const;
  // Unmounts and removes the image of a container, if it has one. Nobody may run in it any more.
  Result<void> release(const std::string& id) const;
  // Releases all but those of these containers; how many there were.
  Result<int> release_unknown(const std::set<std::string>& known) const;

 private:
  DiskImages(std::string work_dir, std::string mkfs, Fd work, Fd images);
  Result<void> fill_and_mount(const std::string& id, int64_t bytes, int sandbox) const;
  Result<void> unmount(const std::string& id, const std::string& sandbox) const;
  Result<void> make_file_system(const std::string& image) const;

  const std::string work_dir_;
  const std::string mkfs_;
  const Fd work_;
  const Fd images_;
};

}  // namespace tepui
