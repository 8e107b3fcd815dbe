#pragma once
// Rates are what a container did between two of its samples, per second or as a part of the time.
//
// What cannot be known is absent: a count that one of the samples lacks, one that has become
// smaller (it began anew), all of them where no time has passed.
//
// Pure.

#include <optional>

#include "agent/sample.h"
#include "common/ids.h"

namespace tepui {

struct Reading {
  ContainerId container_id;
  Sample sample;
};

struct Rates {
  std::optional<double> cpus;          // processors in use: 1.5 is one and a half
  std::optional<double> throttled;     // part of the periods in which it was, 0 to 1
  std::optional<double> cpu_pressure;  // part of the time in which some task waited, 0 to 1
  std::optional<double> memory_pressure;
  std::optional<double> io_pressure;
  std::optional<double> io_read_bytes;  // all of these a second
  std::optional<double> io_written_bytes;
  std::optional<double> net_received_bytes;
  std::optional<double> net_sent_bytes;
  std::optional<double> switches;
  std::optional<double> page_faults;
  std::optional<double> cycles_per_instruction;
};

// All absent if the two are of different containers: a task that was restarted in between.
Rates rates_between(const Reading& before, const Reading& after);

}  // namespace tepui
