#pragma once
// JournalFile writes a journal (common/journal.h) beside the loop: records are put into a buffer,
// and a thread writes what the loop has handed it. It never blocks the loop and never waits: when
// the file has reached its bound, the disk is full or too slow, the journal ends there for good,
// which is told once.
//
// The files of a directory are numbered, `master-000001.journal`; each life of a program begins a
// new one, and the oldest are removed so that all together stay below the bound.
//
// Nothing is synced: what a crash of the program leaves is whole up to its last turn or so.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/io/fd.h"
#include "common/io/worker.h"
#include "common/journal.h"
#include "common/result.h"

namespace tepui {

class JournalOwner {
 public:
  virtual ~JournalOwner() = default;
  virtual void on_journal_ended(const std::string& why) = 0;
};

class JournalFile final : public JournalSink, private Job {
 public:
  struct Options {
    std::string directory;   // created if it is absent
    std::string name;        // "master"
    uint64_t bytes_max = 0;  // of all journals of that name together
  };
  static Result<std::unique_ptr<JournalFile>> create(Reactor& reactor, Options options,
                                                     JournalOwner& owner);
  // What was appended is written.
  ~JournalFile() override;

  bool append(const JournalRecord& record) override;
  // At the end of a turn: hands over what came.
  void flush();

  const std::string& path() const { return path_; }

 private:
  JournalFile(JournalOwner& owner, uint64_t bytes_max) : owner_(owner), bytes_max_(bytes_max) {}
  void run() override;
  void on_done() override;
  void end(std::string why);

  JournalOwner& owner_;
  const uint64_t bytes_max_;
  std::string path_;
  Fd file_;
  uint64_t bytes_ = 0;  // appended so far
  bool ended_ = false;
  bool writing_ = false;
  std::vector<std::byte> buffer_;
  std::vector<std::byte> handed_over_;  // the thread's, while writing_
  Result<void> written_;
  std::unique_ptr<Worker> worker_;
};

// The journals of a directory, oldest first; or `path` itself, where it is a file.
Result<std::vector<std::string>> find_journals(const std::string& path);

}  // namespace tepui
