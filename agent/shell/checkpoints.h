#pragma once
// Checkpoints keeps the agent's resources, the operations that nobody acknowledged, and the
// directories of persistent volumes on disk: `<work_dir>/meta/resources`.
//
// One write: the new directories are made, the file is written beside the old one, synced and
// renamed, its directory is synced; only then are the directories of destroyed volumes destroyed. A
// crash in between leaves either the old state or the new one; what was still to be destroyed is
// in the file and is destroyed at the next start.
//
// Where there is quota, volumes are bounded by their size before it is written that they have it.
//
// What blocks runs on a thread of its own, one write at a time; open() runs before the loop.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/checkpoint_wire.h"
#include "agent/effects.h"
#include "agent/linux/volume_quota.h"
#include "common/io/fd.h"
#include "common/io/worker.h"
#include "common/result.h"

namespace tepui {

class CheckpointsOwner {
 public:
  virtual ~CheckpointsOwner() = default;
  virtual void on_checkpointed(uint64_t serial) = 0;
  virtual void on_checkpoint_failed(uint64_t serial, const Error& error) = 0;
  // A destroyed volume could not be emptied; no volume can be made there until it is.
  virtual void on_volume_left(const Error& error) = 0;
};

// What an earlier life left; nothing if there was none. A file that cannot be read is an error that
// names it. Finishes removing what it was removing.
Result<std::optional<StoredCheckpoint>> load_checkpoint(const std::string& work_dir);

class Checkpoints final : private Job {
 public:
  // Null: volumes have no bound.
  static Result<std::unique_ptr<Checkpoints>> create(Reactor& reactor, CheckpointsOwner& owner,
                                                     std::string work_dir, VolumeQuota* quota);

  // One at a time, as the core promises.
  void write(const AgentCheckpoint& checkpoint);

 private:
  Checkpoints(CheckpointsOwner& owner, std::string work_dir, VolumeQuota* quota)
      : owner_(owner), work_dir_(std::move(work_dir)), quota_(quota) {}
  void run() override;
  Result<void> write_now();
  void destroy_left();
  void on_done() override;

  CheckpointsOwner& owner_;
  const std::string work_dir_;
  VolumeQuota* const quota_;
  AgentCheckpoint wanted_;
  Result<void> written_;
  std::vector<VolumePlace> left_;  // destroyed, but their data is still there
  Result<void> left_why_;
  std::unique_ptr<Worker> worker_;  // last: its thread uses the others
};

}  // namespace tepui
