#pragma once
// RecordingFiles writes the segments of a recording, `agent-0000000001.recording` and so on, on a
// thread of its own; together they stay below a bound, and the oldest make room.
//
// What is handed over waits in memory, up to limits::kRecordingWaitingBytesMax. Segments are synced
// when they are full, so a crash of the agent costs nothing that was handed over, and one of the
// machine at most what the kernel had not written yet.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"

namespace tepui {

class RecordingFilesOwner {
 public:
  virtual ~RecordingFilesOwner() = default;
  // The segment is as long as it will be, and what was handed over since is lost: what comes next
  // has to begin a segment.
  virtual void on_write_failed(const Error& error) = 0;
  virtual void on_written() = 0;
};

class RecordingFiles final : private Job {
 public:
  struct Options {
    std::string directory;     // made if it is absent
    uint64_t bytes_max = 0;    // of all segments there
    uint64_t segment_max = 0;  // about how long one gets
  };
  static Result<std::unique_ptr<RecordingFiles>> create(Reactor& reactor, Options options,
                                                        RecordingFilesOwner& owner);
  // What was handed over is written.
  ~RecordingFiles() override;

  // `bytes` is empty afterwards, and keeps its memory where it can.
  void write(std::vector<std::byte>& bytes);
  // What is written from now on is in the next segment.
  void begin_segment();
  bool is_full() const;
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  struct Chunk {
    bool begins = false;
    std::vector<std::byte> bytes;
  };

  RecordingFiles(Options options, RecordingFilesOwner& owner)
      : options_(std::move(options)), owner_(owner) {}
  void hand_over();
  void run() override;
  void on_done() override;
  Result<void> open_next();
  Result<void> append(const std::vector<std::byte>& bytes);

  const Options options_;
  RecordingFilesOwner& owner_;
  std::vector<Chunk> waiting_;
  size_t waiting_bytes_ = 0;  // of waiting_ and of handed_over_
  uint64_t bytes_written_ = 0;
  bool writing_ = false;
  // The thread's, while writing_.
  std::vector<Chunk> handed_over_;
  size_t done_bytes_ = 0;  // of those that are dealt with
  Fd file_;
  std::string path_;
  Result<void> written_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace tepui
