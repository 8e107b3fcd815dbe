#include "agent/linux/exit_record_file.h"

#include <fmt/format.h>

#include <cstring>

#include "agent/linux/shim_protocol.h"

namespace tepui {

Result<RecordedExit> parse_exit_record(std::string_view bytes) {
  ExitRecordData data;
  if (bytes.size() != sizeof data) {
    return fail(fmt::format("an exit record has {} bytes, expected {}", bytes.size(), sizeof data));
  }
  std::memcpy(&data, bytes.data(), sizeof data);
  if (data.magic != kExitRecordMagic) {
    return fail(fmt::format("an exit record starts with {:#x}, expected {:#x}", data.magic,
                            kExitRecordMagic));
  }
  const uint64_t checksum =
      shim_checksum(reinterpret_cast<const unsigned char*>(bytes.data()), kExitRecordChecked);
  if (data.checksum != checksum) return fail("the checksum of an exit record is wrong");
  RecordedExit exit{.record = {},
                    .pid = data.pid,
                    .ended_at = WallTime(Duration(data.ended_at_unix_ns)),
                    .user = std::chrono::microseconds(data.user_us),
                    .system = std::chrono::microseconds(data.system_us)};
  exit.record.memory_peak_bytes = data.memory_peak_bytes;
  switch (static_cast<ExitKind>(data.kind)) {
    case ExitKind::kExited:
      exit.record.exit_status = data.value;
      return exit;
    case ExitKind::kSignaled:
      exit.record.signal = data.value;
      return exit;
  }
  return fail(fmt::format("an exit record is of kind {}, expected 1 or 2", data.kind));
}

}  // namespace tepui
