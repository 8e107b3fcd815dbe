#pragma once
// MachineLoad reads how loaded the machine is as a whole, for the QoS controllers.

#include <cstdint>
#include <string_view>

#include "agent/qos/controller.h"
#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

// Of the texts of /proc/loadavg, /proc/meminfo and /proc/stat; what is missing is 0. Pure.
MachineSample parse_machine(std::string_view loadavg, std::string_view meminfo,
                            std::string_view stat, int64_t ticks_per_sec);

class MachineLoad {
 public:
  // Keeps the files open.
  static Result<MachineLoad> open();
  // Three system calls, none of which waits.
  MachineSample read(Instant now) const;

 private:
  MachineLoad(Fd loadavg, Fd meminfo, Fd stat);

  Fd loadavg_;
  Fd meminfo_;
  Fd stat_;
};

}  // namespace tepui
