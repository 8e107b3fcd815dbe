#pragma once
// AgentReplay runs an agent again from its journal (agent/recorded_agent.h), record by record.
// After each turn of the original it compares the hash of all outputs so far; the first difference
// is an error that names the record: this program decides otherwise than the one that wrote the
// journal, or the journal is not of one run.
//
// Pure. The journal's bytes outlive it.

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "agent/recorded_agent.h"
#include "common/events.h"
#include "common/journal.h"
#include "common/store.h"

namespace tepui {

class AgentReplay {
 public:
  // Events of the agent go to `events`, which outlives the replay.
  AgentReplay(std::span<const std::byte> journal, EventSink& events);
  ~AgentReplay();
  AgentReplay(const AgentReplay&) = delete;
  AgentReplay& operator=(const AgentReplay&) = delete;

  // Runs the next record. False: that was the end.
  Result<bool> step();

  const ReplayProgress& progress() const { return progress_; }
  const std::string& newest() const { return newest_; }  // what the newest record was, in words
  // Null before the head was read.
  const Agent* agent() const;

 private:
  struct Machine;

  Result<void> make(const JournalRecord& record);
  Result<void> run(const JournalRecord& record);
  Result<void> run_container(const JournalRecord& record, JournalFields& in);
  Result<void> run_recovery(const JournalRecord& record);
  Result<void> run_turn(const JournalRecord& record);

  JournalReader reader_;
  EventSink& events_;
  std::unique_ptr<Machine> machine_;
  StoreContents memory_;  // of the recovery that comes
  ReplayProgress progress_;
  std::string newest_;
};

}  // namespace tepui
