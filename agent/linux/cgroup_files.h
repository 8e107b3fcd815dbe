#pragma once
// CgroupFiles reads the files of containers' cgroups, which it keeps open, on a thread of its own.
//
// Files that cannot be opened (the kernel or the controllers lack them) leave their numbers absent.
// At most half of the descriptors that this process may have are kept: the files of cgroups beyond
// that are opened for each reading, which costs about twice as much.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/linux/cgroup_reader.h"
#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"

namespace tepui {

class CgroupFiles final : public CgroupReader, private Job {
 public:
  static Result<std::unique_ptr<CgroupFiles>> create(Reactor& reactor, uint32_t slots,
                                                     CgroupReaderOwner& owner);
  ~CgroupFiles() override;

  const char* name() const override { return "files"; }
  void add(uint32_t slot, uint64_t cgroup_id, const std::string& path) override;
  void remove(uint32_t slot) override;
  void start() override;
  void fill(uint32_t slot, Sample& sample) const override;
  // What start() does elsewhere: opens what came, and reads everything. Blocks.
  void read_all();

  // Instead of half of what the process may have.
  void keep_at_most(size_t descriptors) { kept_max_ = descriptors / kFiles; }
  // Cgroups whose files are open.
  size_t kept() const { return kept_; }

 private:
  static constexpr size_t kFiles = 9;
  struct Cgroup {
    std::string path;  // empty: free
    bool is_kept = false;
    std::array<Fd, kFiles> files;
    Sample sample;
  };

  CgroupFiles(uint32_t slots, CgroupReaderOwner& owner);
  void run() override { read_all(); }
  void on_done() override { owner_.on_cgroups_read({}); }
  static void open(Cgroup& cgroup);
  static void read(Cgroup& cgroup);

  CgroupReaderOwner& owner_;
  // The worker's between start() and on_done(), else the loop's.
  std::vector<Cgroup> cgroups_;  // by slot
  size_t kept_ = 0;
  size_t kept_max_ = 0;
  std::unique_ptr<Worker> worker_;
};

}  // namespace tepui
