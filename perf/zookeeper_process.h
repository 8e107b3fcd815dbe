#pragma once
// ZookeeperProcess is a ZooKeeper server for a benchmark, from Debian's packages. Its folder is on
// the disk that its writes are measured with.
//
// For benchmarks only. What goes wrong is a std::runtime_error.

#include <string>

#include "perf/child.h"

namespace tepui::perf {

class ZookeeperProcess {
 public:
  // Whether the machine has one.
  static bool available();
  // Returns when it serves. `folder` exists.
  explicit ZookeeperProcess(const std::string& folder);

  std::string url() const;

 private:
  uint16_t port_;
  Child child_;
};

}  // namespace tepui::perf
