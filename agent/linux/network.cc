#include "agent/linux/network.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include <egress.skel.h>
#include <ports.skel.h>

#include "agent/isolators/network.h"
#include "agent/linux/bpf_library.h"
#include "agent/linux/files.h"
#include "ebpf/egress.h"
#include "ebpf/ports.h"

namespace tepui {
namespace {

// On one cgroup: far more than agents of ours put there.
constexpr uint32_t kProgramsMax = 64;

Result<uint64_t> id_of(int cgroup) {
  struct stat facts{};
  if (fstat(cgroup, &facts) == 0) return facts.st_ino;
  return std::unexpected(system_error(errno, "looking at a cgroup"));
}

Result<void> attach_program(int program, int cgroup, bpf_attach_type type, const char* what) {
  if (bpf_prog_attach(program, cgroup, type, BPF_F_ALLOW_MULTI) == 0) return {};
  return std::unexpected(system_error(errno, fmt::format("attaching the program for {}", what)));
}

struct Storage {
  Fd map;
  uint32_t number = 0;
};

// The map of that name that a program has; nothing if it has none.
std::optional<Storage> map_of(int program, std::string_view name) {
  constexpr uint32_t kMapsMax = 8;
  std::array<uint32_t, kMapsMax> numbers{};
  bpf_prog_info about{};
  about.nr_map_ids = kMapsMax;
  about.map_ids = reinterpret_cast<uint64_t>(numbers.data());
  uint32_t size = sizeof about;
  if (bpf_obj_get_info_by_fd(program, &about, &size) != 0) return std::nullopt;
  for (uint32_t i = 0; i < std::min(about.nr_map_ids, kMapsMax); ++i) {
    Storage found{.map = Fd(bpf_map_get_fd_by_id(numbers[i])), .number = numbers[i]};
    bpf_map_info info{};
    size = sizeof info;
    if (found.map && bpf_obj_get_info_by_fd(found.map.get(), &info, &size) == 0 &&
        info.type == BPF_MAP_TYPE_CGROUP_STORAGE && name == info.name) {
      return found;
    }
  }
  return std::nullopt;
}

// What a program of ours keeps of the cgroup, whichever life of the agent attached it.
std::optional<Storage> find_storage(int cgroup, bpf_attach_type type, std::string_view name) {
  std::array<uint32_t, kProgramsMax> programs{};
  uint32_t count = kProgramsMax;
  if (bpf_prog_query(cgroup, type, 0, nullptr, programs.data(), &count) != 0) return std::nullopt;
  for (uint32_t i = 0; i < count; ++i) {
    const Fd program(bpf_prog_get_fd_by_id(programs[i]));
    if (!program) continue;
    if (std::optional<Storage> found = map_of(program.get(), name)) return found;
  }
  return std::nullopt;
}

Result<void> set_egress(int map, uint64_t cgroup_id, std::string_view value) {
  const EgressBucket bucket = TRY(parse_egress(value));
  egress_limit limit{};
  if (bpf_map_lookup_elem_flags(map, &cgroup_id, &limit, BPF_F_LOCK) != 0) {
    return std::unexpected(system_error(errno, "reading the egress limit of a cgroup"));
  }
  const auto burst = static_cast<uint64_t>(bucket.burst_bytes);
  const bool is_new = limit.bytes_per_second == 0;
  limit.bytes_per_second = static_cast<uint64_t>(bucket.bytes_per_second);
  limit.burst_bytes = burst;
  limit.fill_ns = static_cast<uint64_t>(bucket.fill_ns);
  limit.tokens = is_new ? burst : std::min<uint64_t>(limit.tokens, burst);
  if (bpf_map_update_elem(map, &cgroup_id, &limit, BPF_EXIST | BPF_F_LOCK) == 0) return {};
  return std::unexpected(system_error(errno, "setting the egress limit of a cgroup"));
}

Result<void> set_ports(int map, uint64_t cgroup_id, std::string_view value) {
  const auto set = std::make_unique<port_set>();
  for (const Range& range : TRY(parse_ports(value))) {
    for (uint64_t port = range.first; port <= range.last; ++port) {
      set->words[port / 64] |= uint64_t{1} << (port % 64);
    }
  }
  if (bpf_map_update_elem(map, &cgroup_id, set.get(), BPF_EXIST) == 0) return {};
  return std::unexpected(system_error(errno, "setting the ports of a cgroup"));
}

template <class Skeleton>
Result<void> load(Skeleton* skeleton, int (*load_it)(Skeleton*), const char* what) {
  if (skeleton == nullptr || load_it(skeleton) != 0) {
    return std::unexpected(system_error(errno, fmt::format("loading the program for {}", what)));
  }
  return {};
}

}  // namespace

NetworkPrograms::NetworkPrograms()
    : egress_(nullptr, egress_bpf__destroy), ports_(nullptr, ports_bpf__destroy) {}

NetworkPrograms::~NetworkPrograms() = default;

bool NetworkPrograms::is_for(const ControlWrite& write) {
  return write.controller == kEgressIsolator || write.controller == kPortsIsolator;
}

Result<const egress_bpf*> NetworkPrograms::egress() {
  const std::lock_guard lock(mutex_);
  if (egress_ != nullptr) return egress_.get();
  silence_bpf_library();
  decltype(egress_) opened(egress_bpf__open(), egress_bpf__destroy);
  TRY(load(opened.get(), egress_bpf__load, "egress limits"));
  egress_ = std::move(opened);
  return egress_.get();
}

Result<const ports_bpf*> NetworkPrograms::ports() {
  const std::lock_guard lock(mutex_);
  if (ports_ != nullptr) return ports_.get();
  silence_bpf_library();
  decltype(ports_) opened(ports_bpf__open(), ports_bpf__destroy);
  TRY(load(opened.get(), ports_bpf__load, "ports"));
  ports_ = std::move(opened);
  return ports_.get();
}

Result<void> NetworkPrograms::attach_egress(int cgroup, std::string_view value) {
  const egress_bpf& program = *TRY(egress());
  TRY(attach_program(bpf_program__fd(program.progs.limit_egress), cgroup, BPF_CGROUP_INET_EGRESS,
                     "egress limits"));
  return set_egress(bpf_map__fd(program.maps.egress_limits), TRY(id_of(cgroup)), value);
}

Result<void> NetworkPrograms::attach_ports(int cgroup, std::string_view value) {
  const ports_bpf& program = *TRY(ports());
  TRY(attach_program(bpf_program__fd(program.progs.check_bind4), cgroup, BPF_CGROUP_INET4_BIND,
                     "ports"));
  TRY(attach_program(bpf_program__fd(program.progs.check_bind6), cgroup, BPF_CGROUP_INET6_BIND,
                     "ports"));
  return set_ports(bpf_map__fd(program.maps.port_sets), TRY(id_of(cgroup)), value);
}

Result<void> NetworkPrograms::attach(int cgroup, const ControlWrite& write) {
  return write.controller == kEgressIsolator ? attach_egress(cgroup, write.value)
                                             : attach_ports(cgroup, write.value);
}

Result<void> NetworkPrograms::change(int cgroup, const ControlWrite& write) {
  const bool is_egress = write.controller == kEgressIsolator;
  const std::optional<Storage> storage =
      is_egress ? find_storage(cgroup, BPF_CGROUP_INET_EGRESS, TEPUI_EGRESS_MAP)
                : find_storage(cgroup, BPF_CGROUP_INET4_BIND, TEPUI_PORTS_MAP);
  if (!storage) return {};
  const uint64_t id = TRY(id_of(cgroup));
  return is_egress ? set_egress(storage->map.get(), id, write.value)
                   : set_ports(storage->map.get(), id, write.value);
}

Result<void> NetworkPrograms::probe(int cgroup, std::string_view isolator) {
  std::vector<std::pair<int, bpf_attach_type>> attached;
  if (isolator == kEgressIsolator) {
    TRY(attach_egress(cgroup, "1"));
    attached = {{bpf_program__fd(egress_->progs.limit_egress), BPF_CGROUP_INET_EGRESS}};
  } else {
    TRY(attach_ports(cgroup, "0-65535"));
    attached = {{bpf_program__fd(ports_->progs.check_bind4), BPF_CGROUP_INET4_BIND},
                {bpf_program__fd(ports_->progs.check_bind6), BPF_CGROUP_INET6_BIND}};
  }
  for (const auto& [program, type] : attached) {
    if (bpf_prog_detach2(program, cgroup, type) != 0) {
      return std::unexpected(
          system_error(errno, fmt::format("detaching the program for {}", isolator)));
    }
  }
  return {};
}

namespace {

std::optional<EgressDrops::Count> read_drops(int map, uint64_t cgroup_id) {
  egress_limit limit{};
  if (bpf_map_lookup_elem_flags(map, &cgroup_id, &limit, BPF_F_LOCK) != 0) return std::nullopt;
  return EgressDrops::Count{.bytes = static_cast<int64_t>(limit.dropped_bytes),
                            .packets = static_cast<int64_t>(limit.dropped_packets)};
}

}  // namespace

void EgressDrops::add(int cgroup, uint64_t cgroup_id) {
  std::optional<Storage> storage = find_storage(cgroup, BPF_CGROUP_INET_EGRESS, TEPUI_EGRESS_MAP);
  if (!storage) return;
  const int map = maps_.try_emplace(storage->number, std::move(storage->map)).first->second.get();
  if (const std::optional<Count> before = read_drops(map, cgroup_id)) {
    limited_[cgroup_id] = {.map = map, .before = *before};
  }
}

std::optional<EgressDrops::Count> EgressDrops::read(uint64_t cgroup_id) const {
  const auto found = limited_.find(cgroup_id);
  if (found == limited_.end()) return std::nullopt;
  std::optional<Count> count = read_drops(found->second.map, cgroup_id);
  if (!count) return std::nullopt;  // the cgroup is gone
  count->bytes -= found->second.before.bytes;
  count->packets -= found->second.before.packets;
  return count;
}

}  // namespace tepui
