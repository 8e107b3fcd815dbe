#pragma once
// FreezeDuties lets containers run for a part of the time only, by freezing them for the rest of
// each period: what is left for a maximum of processors where the cpu controller is missing.
//
// One thread, the loop's. The writes go through its ring, for they may wait for whoever makes or
// removes a cgroup.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "common/ids.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"

namespace tepui {

class FreezeDuties {
 public:
  static constexpr Duration kPeriod = std::chrono::milliseconds(100);
  static constexpr Duration kRunMin = std::chrono::milliseconds(5);

  explicit FreezeDuties(Reactor& reactor);
  ~FreezeDuties();
  FreezeDuties(const FreezeDuties&) = delete;
  FreezeDuties& operator=(const FreezeDuties&) = delete;

  bool has(const ContainerId& id) const { return duties_.contains(id); }
  // `freeze` is its cgroup.freeze, open for writing; `permille` of each period it runs, 1 to 999.
  void start(const ContainerId& id, Fd freeze, int64_t permille);
  void change(const ContainerId& id, int64_t permille);
  // Leaves it frozen, or not. Does nothing where there is no duty.
  void stop(const ContainerId& id, bool frozen);
  size_t size() const { return duties_.size(); }
  // That have ended, of all.
  uint64_t periods() const { return periods_; }

 private:
  class Duty;
  void sweep();

  Reactor& reactor_;
  uint64_t periods_ = 0;
  std::map<ContainerId, std::unique_ptr<Duty>> duties_;
  Later<&FreezeDuties::sweep> sweep_{*this};
};

}  // namespace tepui
