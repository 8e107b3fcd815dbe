#pragma once
// How many status updates a second one agent makes durable: its core and its log on the disk, with
// one executor that has many tasks. Executor and master are played on the same thread, so sockets
// and containers cost nothing here. An update counts when it was written and synced, sent, and the
// master's acknowledgement was recorded, too; of one task there is never more than one under way.
//
// For benchmarks only. What goes wrong is a std::runtime_error.

#include <cstdint>
#include <string>

namespace tepui::perf {

struct DurableUpdates {
  uint32_t tasks = 500;
  uint32_t updates_per_task = 40;
};
// `folder` is empty, and on the disk that is measured.
double durable_updates_per_sec(const std::string& folder, const DurableUpdates& work);

}  // namespace tepui::perf
