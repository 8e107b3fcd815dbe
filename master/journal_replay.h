#pragma once
// JournalReplay runs a master again from its journal (see master/recorded_master.h), record by
// record. After each turn of the original it compares the hash of all outputs so far; the first
// difference is an error that names the record: this program decides otherwise than the one that
// wrote the journal, or the journal is not of one run.
//
// Pure. The journal's bytes outlive it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/events.h"
#include "common/journal.h"
#include "master/master.h"
#include "master/recorded_master.h"

namespace tepui {

class JournalReplay {
 public:
  // Events of the master go to `events`, which outlives the replay.
  JournalReplay(std::span<const std::byte> journal, EventSink& events);
  ~JournalReplay();
  JournalReplay(const JournalReplay&) = delete;
  JournalReplay& operator=(const JournalReplay&) = delete;

  // Runs the next record. False: that was the end.
  Result<bool> step();

  const ReplayProgress& progress() const { return progress_; }
  const std::string& newest() const { return newest_; }  // what the newest record was, in words
  // Null before the head was read.
  const Master* master() const;

 private:
  struct Machine;

  Result<void> make(const JournalRecord& record);
  Result<void> run(const JournalRecord& record);
  Result<void> run_turn(const JournalRecord& record);

  JournalReader reader_;
  EventSink& events_;
  std::unique_ptr<Machine> machine_;
  StoreContents contents_;  // of the election that comes
  ReplayProgress progress_;
  std::string newest_;
};

}  // namespace tepui
