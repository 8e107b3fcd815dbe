#pragma once
// TransportStats counts what a transport did since it was created.

#include <array>
#include <cstdint>

#include "common/frame.h"

namespace tepui {

struct TransportStats {
  static constexpr size_t kFrameErrors = static_cast<size_t>(FrameError::kBadPadding) + 1;

  uint64_t frames_received = 0;
  uint64_t frames_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t links_opened = 0;
  uint64_t links_ended = 0;  // that had been opened
  uint64_t connects_failed = 0;
  uint64_t accepts_failed = 0;  // no descriptor left, too many links
  uint64_t queues_overflowed = 0;
  uint64_t peers_silent = 0;
  uint64_t peers_foreign = 0;                    // the first bytes were not ours
  std::array<uint64_t, kFrameErrors> refused{};  // by FrameError
};

}  // namespace tepui
