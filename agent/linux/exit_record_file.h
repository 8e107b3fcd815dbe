#pragma once
// What a shim wrote about the end of its command, read back with suspicion: a record that is torn
// or of another version is an error, never a wrong exit status.
//
// Pure.

#include <cstdint>
#include <string_view>

#include "agent/effects.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

struct RecordedExit {
  ExitRecord record;  // exit_status or signal, and memory_peak_bytes
  int64_t pid = 0;
  WallTime ended_at{};
  Duration user{};
  Duration system{};
};

Result<RecordedExit> parse_exit_record(std::string_view bytes);

}  // namespace tepui
