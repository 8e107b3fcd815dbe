#pragma once
// AgentMemory keeps what the agent core must remember in a log of records:
// `<work_dir>/meta/agent/memory.log`. The records of a turn leave with one write and one sync.
//
// One thread, the loop's; open() blocks, so it comes before the loop.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/records.h"
#include "agent/recovery.h"
#include "common/coordinator.h"
#include "common/io/file_store.h"
#include "common/io/reactor.h"
#include "common/result.h"
#include "common/store.h"

namespace tepui {

class AgentMemoryOwner {
 public:
  virtual ~AgentMemoryOwner() = default;
  virtual void on_appended(uint64_t serial) = 0;
  // Nothing more becomes durable.
  virtual void on_append_failed(const Error& error) = 0;
};

class AgentMemory final : private StoreClient, private CoordinatorClient {
 public:
  // The error is fit for the user, and says how to go on.
  static Result<std::unique_ptr<AgentMemory>> open(Reactor& reactor, const std::string& work_dir,
                                                   AgentMemoryOwner& owner);

  // What was read, once.
  RecoveredAgent take() { return std::move(recovered_); }
  void append(uint64_t serial, const AgentRecord& record);

  const std::string& path() const { return path_; }
  // What was cut off a torn end; empty: nothing.
  const std::string& repair() const { return store_->repair(); }

 private:
  struct Early {
    uint64_t serial = 0;
    std::vector<StoreWrite> writes;
  };

  AgentMemory(AgentMemoryOwner& owner, std::string path) : owner_(owner), path_(std::move(path)) {}
  void fail_once(const Error& error);

  void on_persisted(uint64_t token) override;
  void on_persist_failed(uint64_t token, Error error) override;
  void on_elected(uint64_t epoch, StoreContents contents) override;
  void on_deposed(std::string_view why) override;

  AgentMemoryOwner& owner_;
  const std::string path_;
  RecoveredAgent recovered_;
  uint64_t epoch_ = 0;  // 0: the log is not ours yet
  bool failed_ = false;
  std::vector<Early> early_;  // until it is
  std::unique_ptr<FileStore> store_;
};

}  // namespace tepui
