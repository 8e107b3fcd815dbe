#pragma once
// What processes of the sampling tests do, and what the kernel's files say of it.

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "agent/linux/cgroup.h"
#include "agent/linux/files.h"
#include "common/check.h"
#include "common/io/fd.h"

namespace tepui {

inline int64_t processor_time_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

inline void burn(int64_t ns) {
  const int64_t end = processor_time_ns() + ns;
  while (processor_time_ns() < end) {
  }
}

// One end tells, the other waits: how processes of a test agree without sleeping.
struct Signal {
  Signal() {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
  void give() const { CHECK(write(write_end.get(), "x", 1) == 1); }
  void await() const {
    char byte = 0;
    CHECK(read(read_end.get(), &byte, 1) == 1);
  }
  Fd read_end;
  Fd write_end;
};

inline int64_t keyed_value(int cgroup, const std::string& file, std::string_view key) {
  const Result<std::string> text = read_file_at(cgroup, file);
  CHECK(text.has_value());
  return flat_keyed_value(*text, key);
}

// A number of /proc/PID/status.
inline int64_t status_value(pid_t pid, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1));
  }
  return -1;
}

}  // namespace tepui
