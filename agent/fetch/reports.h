#pragma once
// Says how a job goes, on standard output. Whoever listens may be gone: then this process ends.

#include <cstdint>

#include "agent/fetch_job.h"
#include "common/time.h"

namespace tepui {

class Reports {
 public:
  // At most once a second.
  void progress(uint64_t bytes, uint64_t total);
  void answer(FetchAnswer answer);

 private:
  Instant next_{};
};

}  // namespace tepui
