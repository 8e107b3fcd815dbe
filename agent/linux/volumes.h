#pragma once
// The directories of persistent volumes: made, emptied, and shown to tasks.
//
// Every call may block: they run on a worker's thread. Each can be repeated: what it finds done it
// leaves so, and what it returns from is durable.

#include <optional>

#include "agent/linux/users.h"
#include "agent/volumes.h"
#include "common/result.h"

namespace tepui {

// The root of a PATH or MOUNT disk is there, and that of a MOUNT disk is a mount point.
Result<void> check_disk(const Disk& disk);

// The directory is there, empty if it was not, and survives a power failure. The base of a PATH or
// MOUNT disk must exist, and that of a MOUNT disk must be a mount point.
Result<void> create_volume(const VolumePlace& place);

// Its contents are gone, and its directory too, unless that is the base itself. Nothing outside is
// touched, whatever symbolic links the contents have.
Result<void> destroy_volume(const VolumePlace& place);

// Removes a directory and all that is in it, but nothing that is mounted there. It need not be
// there.
Result<void> remove_tree(int parent, const std::string& name);

// Makes a directory below an open sandbox, with those on the way, for the user. Follows no link.
Result<void> make_in_sandbox(int sandbox, const std::string& path,
                             const std::optional<UserIds>& user);

// Makes the directory at which a volume will be mounted, with those on the way, for the user; and
// gives the volume's own directory, if it is still root's, to its owner: him, but with the ids that
// are on the disk where the mount maps them.
Result<void> prepare_volume(int sandbox, const VolumeMount& mount,
                            const std::optional<UserIds>& user,
                            const std::optional<UserIds>& owner);

// Shows a volume in an open sandbox directory, as a symbolic link at its container path. Missing
// directories on the way are made and given to the user, as is the volume's own directory if it is
// still root's. Refuses where something else is in the way.
Result<void> link_volume(int sandbox, const VolumeMount& mount, const std::optional<UserIds>& user);

}  // namespace tepui
