#pragma once
// CgroupWalk reads all cgroups of the agent's subtree by one read of a BPF iterator, through the
// loop's ring: the walk runs on a thread of the kernel's, and leaves its records in memory that
// both share.
//
// Needs a kernel that lets a program flush (6.2 or later). While it walks, the kernel makes and
// removes no cgroup anywhere: about a millisecond for a thousand.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/linux/bpf_array.h"
#include "agent/linux/bpf_library.h"
#include "agent/linux/cgroup_reader.h"
#include "common/io/reactor.h"
#include "ebpf/cgroups.h"
#include "ebpf/place.h"

struct cgroups_bpf;

namespace tepui {

class CgroupWalk final : public CgroupReader {
 public:
  struct Options {
    int cgroup = -1;  // the agent's subtree, an open directory
    cgroup_place place{};
    int slot_map = -1;  // of Hooks
    uint32_t slots = 0;
  };
  // May block.
  static Result<std::unique_ptr<CgroupWalk>> create(Reactor& reactor, const Options& options,
                                                    CgroupReaderOwner& owner);
  ~CgroupWalk() override;

  const char* name() const override { return "iterator"; }
  void add(uint32_t slot, uint64_t cgroup_id, const std::string& path) override;
  void remove(uint32_t slot) override;
  void start() override;
  void fill(uint32_t slot, Sample& sample) const override;

 private:
  CgroupWalk(Reactor& reactor, const Options& options, CgroupReaderOwner& owner);
  Result<void> open();
  Result<void> try_walk();
  void walk();
  void on_io_read(const Completion& completion);
  void on_walked(const Completion& completion);

  Reactor& reactor_;
  CgroupReaderOwner& owner_;
  const Options options_;
  const int64_t page_bytes_;
  std::unique_ptr<cgroups_bpf, void (*)(cgroups_bpf*)> programs_;
  std::optional<CgroupIterator> iterator_;
  BpfArray<cgroup_record> records_;
  std::vector<uint64_t> ids_;  // by slot; 0: free
  Fd io_stat_;                 // of the subtree; reading it adds up what each processor counted
  std::array<std::byte, 4096> io_text_{};
  Fd walking_;
  std::array<std::byte, sizeof(cgroup_walk)> answer_{};
  cgroup_walk walk_{};
  Op<&CgroupWalk::on_io_read> read_io_{*this};
  Op<&CgroupWalk::on_walked> read_walk_{*this};
};

}  // namespace tepui
