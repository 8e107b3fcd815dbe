#pragma once
// What the files of a cgroup say, in samples. A number that is not there, or no number, stays
// absent: kernels differ in what they write.
//
// Pure.

#include <string_view>

#include "agent/sample.h"

namespace tepui {

void read_cpu_stat(std::string_view text, Sample& sample);
void read_memory_events(std::string_view text, Sample& sample);
void read_io_stat(std::string_view text, Sample& sample);  // all devices together
void read_pressure(std::string_view text, Measured& some_ns, Measured& full_ns);
// A file with one number, as memory.current. "max" is absent.
Measured read_number(std::string_view text);

}  // namespace tepui
