#include "agent/shell/memory.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "agent/linux/files.h"
#include "agent/records_wire.h"

namespace tepui {

namespace {

constexpr const char* kDirectory = "meta/agent";
constexpr uint64_t kCompactAboveBytes = 4 << 20;
// Enough to tell of some hundred tasks that a full disk fails.
constexpr uint64_t kReserveBytes = 256 << 10;

Error with_way_out(Error error, const std::string& path) {
  error.message += fmt::format(
      "; restore {0}, or remove it: then what this agent runs is killed, and it registers as a new "
      "agent",
      path);
  return error;
}

}  // namespace

Result<std::unique_ptr<AgentMemory>> AgentMemory::open(Reactor& reactor,
                                                       const std::string& work_dir,
                                                       AgentMemoryOwner& owner) {
  const std::string directory = fmt::format("{}/{}", work_dir, kDirectory);
  // For its owner's eyes only: the environment of tasks is in it.
  {
    Fd work = TRY(open_directory_at(AT_FDCWD, work_dir));
    TRY(make_directories_at(work.get(), kDirectory, 0700));
  }
  std::unique_ptr<AgentMemory> memory(new AgentMemory(owner, directory + "/memory.log"));
  StoreClient& store = *memory;
  CoordinatorClient& leader = *memory;
  Result<std::unique_ptr<FileStore>> opened =
      FileStore::create(reactor, directory, store, leader,
                        {.compact_above_bytes = kCompactAboveBytes,
                         .what = "memory",
                         .owner = "agent",
                         .reserve_bytes = kReserveBytes});
  if (!opened) {
    // Locked by another agent, or not ours to write: nothing is wrong with the file.
    if (opened.error().code != 0) return std::unexpected(std::move(opened).error());
    return std::unexpected(with_way_out(std::move(opened).error(), memory->path_));
  }
  memory->store_ = *std::move(opened);
  Result<RecoveredAgent> recovered = decode_memory(memory->store_->contents());
  if (!recovered) {
    return std::unexpected(
        with_way_out(std::move(recovered).error().in(memory->path_), memory->path_));
  }
  memory->recovered_ = *std::move(recovered);
  memory->store_->contend();
  return memory;
}

void AgentMemory::append(uint64_t serial, const AgentRecord& record) {
  std::vector<StoreWrite> writes = encode_record(record);
  if (epoch_ == 0) {
    early_.push_back({.serial = serial, .writes = std::move(writes)});
  } else {
    store_->write(epoch_, serial, std::move(writes));
  }
}

void AgentMemory::on_persisted(uint64_t token) {
  if (!failed_) owner_.on_appended(token);
}

void AgentMemory::on_persist_failed(uint64_t /*token*/, Error error) { fail_once(error); }

void AgentMemory::on_elected(uint64_t epoch, StoreContents /*contents*/) {
  epoch_ = epoch;
  for (Early& each : std::exchange(early_, {})) {
    store_->write(epoch_, each.serial, std::move(each.writes));
  }
}

void AgentMemory::on_deposed(std::string_view why) {
  fail_once(Error{.message = std::string(why)});
}

void AgentMemory::fail_once(const Error& error) {
  if (failed_) return;
  failed_ = true;
  owner_.on_append_failed(error);
}

}  // namespace tepui
