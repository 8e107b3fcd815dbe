#pragma once
// FileStore keeps the registry in a directory of this machine and makes whoever has it open the
// leader: `--registry=file:DIR`. The default for one master. An agent keeps its memory in one, and
// leads nobody; its epochs count its lives.
//
// A batch is one record of a log. What is written in one turn, and while the disk is busy, goes out
// as one write and one sync, and is reported afterwards, in order. When the log has grown to
// several times what it says, a worker writes a compacted one beside it, which then takes its
// place; no turn waits for that.
//
// Whoever resigns may contend again. What the store holds by then it does not keep in memory: a
// worker reads it from the log.
//
// After a failed write the store is in doubt and answers every further one with a failure. Opening
// it again finds out: what was reported is there, what was not may be.
//
// One thread, that of the reactor.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/coordinator.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/registry_log.h"
#include "common/io/worker.h"
#include "common/result.h"
#include "common/store.h"

namespace tepui {

class FileStore final : public Store, public Coordinator {
 public:
  struct Options {
    // A log below this is never compacted.
    uint64_t compact_above_bytes = 16 << 20;
    std::string what = "registry";  // names the files
    std::string owner = "master";   // for people
    // Taken on the disk ahead of the log's end, so that a disk that fills up does not stop the
    // store at once; best effort.
    uint64_t reserve_bytes = 0;
  };
  // Takes the directory, creating it if need be, and reads it: blocks, so it belongs to the start
  // of a program. The error is fit for the user.
  static Result<std::unique_ptr<FileStore>> create(Reactor& reactor, const std::string& directory,
                                                   StoreClient& store, CoordinatorClient& leader,
                                                   Options options);
  static Result<std::unique_ptr<FileStore>> create(Reactor& reactor, const std::string& directory,
                                                   StoreClient& store, CoordinatorClient& leader);
  ~FileStore() override;

  void contend() override;
  void resign(std::string_view why) override;
  void write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) override;

  // What was read; until it has been handed over by on_elected.
  const StoreContents& contents() const { return contents_; }
  // What was cut off a torn end when the log was opened, for the operator; empty: nothing.
  const std::string& repair() const { return repair_; }
  uint64_t log_bytes() const { return end_; }
  uint64_t compactions() const { return compactions_; }
  // Why the last compaction failed. The store works on without.
  const std::string& compaction_error() const { return compaction_error_; }

 private:
  enum class Role : uint8_t { kIdle, kElecting, kLeading };
  enum class Compaction : uint8_t {
    kNone,
    kBeginning,  // batches go to the log and are noted; those before are not durable yet
    kWriting,    // the same, and the worker writes the new log from what was before
    kStopping,   // batches are held back until the old one is quiet
    kReplacing,  // the worker adds what was noted, and replaces the old log
  };
  struct Pending {
    uint64_t token = 0;
    std::vector<StoreWrite> batch;
  };
  struct Failure {
    uint64_t token = 0;
    Error error;
  };
  class CompactJob;
  class ReplaceJob;
  class ReserveJob;
  class ReadJob;

  FileStore(Reactor& reactor, LogPlace place, StoreClient& store, CoordinatorClient& leader,
            Options options, OpenedLog opened);
  void log(uint64_t token, std::vector<StoreWrite> batch);
  void flush();
  void on_written(const Completion& completion);
  void on_synced(const Completion& completion);
  void on_durable();
  void fail_all(Error error);
  void refuse(uint64_t token, Error error);
  void tell();
  void lead();
  void on_read(uint64_t epoch, Result<StoreContents> read);
  void consider_reserve();
  void consider_compaction();
  void on_compacted(Result<NewLog> made);
  void on_replaced(Result<NewLog> made, bool in_doubt);
  void end_compaction();

  Reactor& reactor_;
  const LogPlace place_;
  StoreClient& store_;
  CoordinatorClient& leader_;
  const Options options_;
  const Fd lock_;
  const std::string repair_;

  Role role_ = Role::kIdle;
  uint64_t epoch_ = 0;
  uint64_t begun_ = 0;      // the last epoch whose beginning is durable
  StoreContents contents_;  // until it has been handed over
  bool has_contents_ = true;
  bool deposed_ = false;  // to be told, with why
  std::string deposed_why_;
  bool in_doubt_ = false;
  Error doubt_;
  std::vector<Failure> failures_;  // to be told

  Fd file_;
  uint64_t end_ = 0;      // of the log, with what is being written and what waits
  uint64_t durable_ = 0;  // bytes of the log
  std::vector<std::byte> filling_;
  std::vector<uint64_t> filling_tokens_;
  std::vector<std::byte> writing_;
  std::vector<uint64_t> writing_tokens_;
  size_t written_ = 0;  // of writing_
  int write_result_ = 0;

  Compaction compaction_ = Compaction::kNone;
  uint64_t compact_until_ = 0;    // what is behind this is noted
  uint64_t compacted_bytes_ = 0;  // the log's length after the last one
  uint64_t compactions_ = 0;
  std::string compaction_error_;
  NewLog new_log_;
  std::vector<LoggedBatch> noted_;
  std::vector<Pending> held_;
  std::unique_ptr<CompactJob> compact_job_;
  std::unique_ptr<ReplaceJob> replace_job_;
  uint64_t reserved_ = 0;  // up to this offset of the log there is, or was asked for, room
  std::unique_ptr<ReserveJob> reserve_job_;
  std::unique_ptr<ReadJob> read_job_;

  Op<&FileStore::on_written> write_{*this};
  Op<&FileStore::on_synced> sync_{*this};
  Later<&FileStore::flush> flush_{*this};
  Later<&FileStore::tell> tell_{*this};
  std::unique_ptr<Worker> worker_;  // last: its jobs end before what they use
};

}  // namespace tepui
