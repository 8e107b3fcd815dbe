#include "agent/linux/cgroup_files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "agent/linux/cgroup_text.h"
#include "common/check.h"

namespace tepui {
namespace {

using Put = void (*)(std::string_view text, Sample& sample);

struct File {
  const char* name;
  Put put;
};

// In this order in each Cgroup.
constexpr std::array<File, 9> kTable = {{
    {"cpu.stat", read_cpu_stat},
    {"cpu.pressure",
     [](std::string_view text, Sample& s) { read_pressure(text, s.cpu_some_ns, s.cpu_full_ns); }},
    {"memory.pressure", [](std::string_view text,
                           Sample& s) { read_pressure(text, s.memory_some_ns, s.memory_full_ns); }},
    {"io.pressure",
     [](std::string_view text, Sample& s) { read_pressure(text, s.io_some_ns, s.io_full_ns); }},
    {"memory.current",
     [](std::string_view text, Sample& s) { s.memory_bytes = read_number(text); }},
    {"memory.peak",
     [](std::string_view text, Sample& s) { s.memory_peak_bytes = read_number(text); }},
    {"memory.swap.current",
     [](std::string_view text, Sample& s) { s.swap_bytes = read_number(text); }},
    {"memory.events", read_memory_events},
    {"io.stat", read_io_stat},
}};

}  // namespace

CgroupFiles::CgroupFiles(uint32_t slots, CgroupReaderOwner& owner)
    : owner_(owner), cgroups_(slots) {
  static_assert(kTable.size() == kFiles);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) keep_at_most(limit.rlim_cur / 2);
}

CgroupFiles::~CgroupFiles() = default;

Result<std::unique_ptr<CgroupFiles>> CgroupFiles::create(Reactor& reactor, uint32_t slots,
                                                         CgroupReaderOwner& owner) {
  std::unique_ptr<CgroupFiles> files(new CgroupFiles(slots, owner));
  files->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  return files;
}

void CgroupFiles::add(uint32_t slot, uint64_t, const std::string& path) {
  CHECK(slot > 0 && slot < cgroups_.size());
  cgroups_[slot].path = path;
}

void CgroupFiles::remove(uint32_t slot) {
  if (cgroups_[slot].is_kept) --kept_;
  cgroups_[slot] = {};
}

void CgroupFiles::start() {
  const bool submitted = worker_->submit(*this);
  CHECK(submitted);
}

void CgroupFiles::fill(uint32_t slot, Sample& sample) const {
  const Instant at = sample.at;
  sample = cgroups_[slot].sample;
  sample.at = at;
}

void CgroupFiles::read_all() {
  for (Cgroup& cgroup : cgroups_) {
    if (cgroup.path.empty()) continue;
    if (cgroup.is_kept) {
      read(cgroup);
      continue;
    }
    open(cgroup);
    read(cgroup);
    if (kept_ < kept_max_) {
      cgroup.is_kept = true;
      ++kept_;
    } else {
      cgroup.files = {};
    }
  }
}

void CgroupFiles::open(Cgroup& cgroup) {
  const Fd directory(::open(cgroup.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (size_t i = 0; i < kTable.size() && directory; ++i) {
    cgroup.files[i] = Fd(openat(directory.get(), kTable[i].name, O_RDONLY | O_CLOEXEC));
  }
}

void CgroupFiles::read(Cgroup& cgroup) {
  cgroup.sample = {};
  char text[4096];
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (!cgroup.files[i]) continue;
    const ssize_t bytes = pread(cgroup.files[i].get(), text, sizeof text, 0);
    // ENODEV: the cgroup is gone.
    if (bytes < 0) continue;
    kTable[i].put({text, static_cast<size_t>(bytes)}, cgroup.sample);
  }
}

}  // namespace tepui
