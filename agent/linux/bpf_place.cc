#include "agent/linux/bpf_place.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <place.skel.h>

#include "agent/linux/bpf_library.h"
#include "agent/linux/files.h"

namespace tepui {

Result<cgroup_place> find_bpf_place(int cgroup) {
  silence_bpf_library();
  const std::unique_ptr<place_bpf, void (*)(place_bpf*)> programs(place_bpf__open(),
                                                                  place_bpf__destroy);
  if (programs == nullptr) return std::unexpected(system_error(errno, "opening BPF programs"));
  if (place_bpf__load(programs.get()) != 0) {
    return std::unexpected(system_error(errno, "loading a BPF program that looks at cgroups"));
  }
  const CgroupIterator walk =
      TRY(open_cgroup_iterator(*programs->progs.tell_place, cgroup, BPF_CGROUP_ITER_SELF_ONLY));
  const Fd iterator = walk.open_once();
  if (!iterator) return std::unexpected(system_error(errno, "opening a BPF iterator"));
  cgroup_place place{};
  const ssize_t bytes = read(iterator.get(), &place, sizeof place);
  if (bytes < 0) return std::unexpected(system_error(errno, "reading a BPF iterator"));
  if (bytes != sizeof place || place.level < 0) {
    return fail(fmt::format("a BPF iterator answered {} bytes and level {}, expected {} bytes",
                            bytes, place.level, sizeof place));
  }
  return place;
}

}  // namespace tepui
