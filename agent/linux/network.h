#pragma once
// NetworkPrograms puts the eBPF programs of the network's isolators (agent/isolators/network.h) on
// cgroups. They stay there without us, with what they know of the cgroup, until it is removed: a
// next life of the agent finds them by their cgroup.
//
// Threads may share it; its calls may block.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "agent/isolation_plan.h"
#include "common/io/fd.h"
#include "common/result.h"

struct egress_bpf;
struct ports_bpf;

namespace tepui {

class NetworkPrograms {
 public:
  NetworkPrograms();
  ~NetworkPrograms();

  // Whether this is a write for network/egress or network/ports.
  static bool is_for(const ControlWrite& write);
  // On a cgroup that nothing lives in yet.
  Result<void> attach(int cgroup, const ControlWrite& write);
  // Where the program is on the cgroup already; otherwise nothing happens. What is dropped at this
  // moment may not be counted.
  static Result<void> change(int cgroup, const ControlWrite& write);
  // Tries an isolator by name on a cgroup, and takes it off again.
  Result<void> probe(int cgroup, std::string_view isolator);

 private:
  Result<void> attach_egress(int cgroup, std::string_view value);
  Result<void> attach_ports(int cgroup, std::string_view value);
  Result<const egress_bpf*> egress();
  Result<const ports_bpf*> ports();

  std::mutex mutex_;
  std::unique_ptr<egress_bpf, void (*)(egress_bpf*)> egress_;
  std::unique_ptr<ports_bpf, void (*)(ports_bpf*)> ports_;
};

// What egress limits dropped, of cgroups that have one, whoever attached it. Used by one thread; a
// system call for each number.
class EgressDrops {
 public:
  struct Count {
    int64_t bytes = 0;
    int64_t packets = 0;
  };
  // From zero. Does nothing if the cgroup, an open directory, has no limit.
  void add(int cgroup, uint64_t cgroup_id);
  void remove(uint64_t cgroup_id) { limited_.erase(cgroup_id); }
  // Since it was added; nothing if it has no limit.
  std::optional<Count> read(uint64_t cgroup_id) const;

 private:
  struct Limited {
    int map = -1;
    Count before;
  };
  // By their number in the kernel; all cgroups that one life of an agent limited share one.
  std::map<uint32_t, Fd> maps_;
  std::map<uint64_t, Limited> limited_;
};

}  // namespace tepui
