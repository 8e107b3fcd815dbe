#include "agent/shell/checkpoints.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "agent/linux/files.h"
#include "agent/linux/volumes.h"
#include "common/check.h"

namespace tepui {

namespace {

constexpr const char* kFile = "resources";
constexpr const char* kDraft = "resources.draft";

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
  for (const VolumePlace& place : std::exchange(checkpoint->destroying, {})) {
    TRY(destroy_volume(place));
  }
  return std::move(*checkpoint);
}

Result<std::unique_ptr<Checkpoints>> Checkpoints::create(Reactor& reactor, CheckpointsOwner& owner,
                                                         std::string work_dir, VolumeQuota* quota) {
  std::unique_ptr<Checkpoints> made(new Checkpoints(owner, std::move(work_dir), quota));
  made->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  return made;
}

void Checkpoints::write(const AgentCheckpoint& checkpoint) {
  wanted_ = checkpoint;
  const bool accepted = worker_->submit(*this);
  CHECK(accepted);
}

void Checkpoints::run() {
  written_ = write_now();
  left_why_ = {};
  if (written_) destroy_left();
}

Result<void> Checkpoints::write_now() {
  // Who makes a volume where one was destroyed must not find its data.
  for (const VolumePlace& place : wanted_.make) {
    if (std::erase(left_, place) > 0) TRY(destroy_volume(place));
    TRY(create_volume(place));
  }
  if (quota_ != nullptr) TRY(quota_->bound(wanted_.total));
  std::vector<VolumePlace> destroying = left_;
  destroying.insert(destroying.end(), wanted_.destroy.begin(), wanted_.destroy.end());
  TRY(write_file(
      work_dir_,
      {.total = wanted_.total, .operations = wanted_.operations, .destroying = destroying}));
  left_ = std::move(destroying);
  return {};
}

// What fails is tried again with the next checkpoint, and at the next start.
void Checkpoints::destroy_left() {
  for (const VolumePlace& place : std::exchange(left_, {})) {
    Result<void> destroyed = destroy_volume(place);
    if (destroyed) continue;
    left_.push_back(place);
    left_why_ = std::move(destroyed);
  }
}

void Checkpoints::on_done() {
  if (!left_why_) owner_.on_volume_left(left_why_.error());
  if (written_) {
    owner_.on_checkpointed(wanted_.serial);
  } else {
    owner_.on_checkpoint_failed(wanted_.serial, Error(written_.error()));
  }
}

}  // namespace tepui
