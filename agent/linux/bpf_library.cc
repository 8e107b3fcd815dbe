#include "agent/linux/bpf_library.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "agent/linux/files.h"

namespace tepui {

void silence_bpf_library() { libbpf_set_print(nullptr); }

Result<BpfLink> attach(const bpf_program& program) {
  BpfLink link(bpf_program__attach(&program));
  if (link == nullptr) {
    return std::unexpected(
        system_error(errno, fmt::format("attaching {}", bpf_program__section_name(&program))));
  }
  return link;
}

Fd CgroupIterator::open_once() const { return Fd(bpf_iter_create(bpf_link__fd(link_.get()))); }

Result<CgroupIterator> open_cgroup_iterator(const bpf_program& program, int cgroup,
                                            bpf_cgroup_iter_order order) {
  bpf_iter_link_info where{};
  where.cgroup.order = order;
  where.cgroup.cgroup_fd = static_cast<uint32_t>(cgroup);
  bpf_iter_attach_opts options{};
  options.sz = sizeof options;
  options.link_info = &where;
  options.link_info_len = sizeof where;
  BpfLink link(bpf_program__attach_iter(&program, &options));
  if (link == nullptr) {
    return std::unexpected(system_error(errno, "attaching a BPF iterator to a cgroup"));
  }
  return CgroupIterator(std::move(link));
}

Result<Fd> create_shared_array(const char* name, uint32_t element_bytes, uint32_t elements) {
  bpf_map_create_opts options{};
  options.sz = sizeof options;
  options.map_flags = BPF_F_MMAPABLE;
  Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), element_bytes, elements,
                        &options));
  if (!map) return std::unexpected(system_error(errno, fmt::format("creating BPF map {}", name)));
  return map;
}

}  // namespace tepui
