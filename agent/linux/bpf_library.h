#pragma once
// What the users of libbpf here have in common: links that end with their owner, an iterator over
// cgroups, maps that several objects share.

#include <bpf/libbpf.h>

#include <memory>
#include <string_view>

#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

// The library writes to standard error by itself, for the whole process, if it is not told not to.
// What went wrong, our errors say.
void silence_bpf_library();

struct BpfLinkEnd {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, BpfLinkEnd>;

// Attaches where the program itself says.
Result<BpfLink> attach(const bpf_program& program);

class CgroupIterator {
 public:
  explicit CgroupIterator(BpfLink link) : link_(std::move(link)) {}
  // One walk: what the program writes is read from here. Empty with errno on failure.
  Fd open_once() const;

 private:
  BpfLink link_;
};
Result<CgroupIterator> open_cgroup_iterator(const bpf_program& program, int cgroup,
                                            bpf_cgroup_iter_order order);

// An array in memory that programs and the agent share; its elements are zero.
Result<Fd> create_shared_array(const char* name, uint32_t element_bytes, uint32_t elements);

}  // namespace tepui
