#pragma once
// Commands as plain processes, for benchmarks that compare with them. What goes wrong ends the
// program.

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace tepui::perf {

using MakeCommand = std::function<std::vector<std::string>()>;

// Starts it, without any input or output.
pid_t spawn(std::vector<std::string> words);

// Runs commands with `in_flight` of them at once, the oldest awaited first. All must end well.
double commands_per_second(int count, int in_flight, const MakeCommand& command);
// One after the other, from start to end.
std::vector<double> command_latencies_ms(int count, const MakeCommand& command);

}  // namespace tepui::perf
