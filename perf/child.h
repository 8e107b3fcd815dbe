#pragma once
// Child is a process that a benchmark starts: a program, or a function of the benchmark itself. It
// ends with its owner, whatever becomes of that.
//
// For benchmarks only. What cannot be started is a std::runtime_error.

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "common/time.h"

namespace tepui::perf {

class Child {
 public:
  // Standard error goes to the file `log`.
  static Child program(const std::vector<std::string>& arguments, const std::string& log);
  // Runs `body` in a copy of this process, which must have no other thread; 0 is its good end.
  static Child copy(const std::function<int()>& body);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // SIGTERM; SIGKILL if that does not help

  // SIGKILL; returns when it is dead.
  void kill_now();

  // Processor time of all its threads so far, and of the first alone.
  Duration processor_time() const;
  Duration first_thread_time() const;
  // Resident now, in MB of 2^20 bytes.
  double resident_mb() const;
  bool alive() const;

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  bool wait_for(Duration limit) const;

  pid_t pid_ = -1;
};

// A folder under the system's own for temporary files, removed with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tepui::perf
