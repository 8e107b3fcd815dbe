#pragma once
// CgroupReader reads what the kernel accounts to the cgroups of containers, all of them at once.
//
// Two implementations: CgroupWalk (one read of a BPF iterator) and CgroupFiles (their files).

#include <cstdint>
#include <string>

#include "agent/sample.h"
#include "common/result.h"

namespace tepui {

class CgroupReaderOwner {
 public:
  virtual ~CgroupReaderOwner() = default;
  // In a later turn than the start(); an error is about all of them.
  virtual void on_cgroups_read(const Result<void>& result) = 0;
};

class CgroupReader {
 public:
  virtual ~CgroupReader() = default;
  // For people and metrics: "iterator", "files".
  virtual const char* name() const = 0;
  // A slot that is free; while nothing is being read. Does not block.
  virtual void add(uint32_t slot, uint64_t cgroup_id, const std::string& path) = 0;
  virtual void remove(uint32_t slot) = 0;
  virtual void start() = 0;
  // What the last read found: until the next start(). Nothing if the cgroup is gone.
  virtual void fill(uint32_t slot, Sample& sample) const = 0;
};

}  // namespace tepui
