#pragma once
// The files of a FileStore's directory, by calls that block: for the start of a program and for a
// worker. Of the registry they are:
//
//   lock              held with flock while a master has the directory open; contains its pid
//   registry.log      the registry: records of common/record_log.h
//   registry.log.new  a compacted log in the making; worth nothing after a crash

#include <cstdint>
#include <string>
#include <vector>

#include "common/io/fd.h"
#include "common/record_log.h"
#include "common/result.h"
#include "common/store.h"

namespace tepui {

struct LogPlace {
  std::string directory;
  std::string what = "registry";  // names the files
  std::string owner = "master";   // for people
};

struct OpenedLog {
  Fd lock;
  Fd file;
  uint64_t epoch = 0;
  uint64_t bytes = 0;
  StoreContents contents;
  std::string repair;  // what was cut off a torn end; empty: nothing
};

// Creates what is missing. Errors: another master has the directory ("registry DIR is in use by
// another master (pid 17)"); the log is damaged where that cannot be a torn write.
Result<OpenedLog> open_log(const LogPlace& place);

struct LoggedBatch {
  uint64_t epoch = 0;
  std::vector<StoreWrite> writes;
};

// What the first `bytes` bytes of registry.log say; they are durable.
Result<StoreContents> read_log(const LogPlace& place, uint64_t bytes);

struct NewLog {
  Fd file;
  uint64_t bytes = 0;
};

// Writes registry.log.new with the state after the first `bytes` bytes of registry.log, durably.
Result<NewLog> write_compacted(const LogPlace& place, uint64_t bytes);
// Adds what was logged since.
Result<void> append_to_new(NewLog& log, const std::vector<LoggedBatch>& batches);
// Puts it in place of registry.log, durably. After an error nobody knows which one is there.
Result<void> replace_log(const LogPlace& place);
void remove_new_log(const LogPlace& place);

// Takes room behind the end of a log, whose length stays; does nothing where it cannot be had.
void reserve(int log, uint64_t from, uint64_t bytes);

}  // namespace tepui
