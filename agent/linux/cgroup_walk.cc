#include "agent/linux/cgroup_walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>

#include <cgroups.skel.h>

#include "agent/linux/cgroup_record.h"
#include "agent/linux/files.h"
#include "common/check.h"

namespace tepui {

CgroupWalk::CgroupWalk(Reactor& reactor, const Options& options, CgroupReaderOwner& owner)
    : reactor_(reactor),
      owner_(owner),
      options_(options),
      page_bytes_(sysconf(_SC_PAGESIZE)),
      programs_(nullptr, cgroups_bpf__destroy),
      ids_(options.slots) {}

CgroupWalk::~CgroupWalk() = default;

Result<std::unique_ptr<CgroupWalk>> CgroupWalk::create(Reactor& reactor, const Options& options,
                                                       CgroupReaderOwner& owner) {
  silence_bpf_library();
  std::unique_ptr<CgroupWalk> walk(new CgroupWalk(reactor, options, owner));
  TRY(walk->open());
  TRY(walk->try_walk());
  return walk;
}

Result<void> CgroupWalk::open() {
  programs_.reset(cgroups_bpf__open());
  if (programs_ == nullptr) return std::unexpected(system_error(errno, "opening the iterator"));
  programs_->rodata->slot_count = options_.slots;
  programs_->rodata->root_id = options_.place.cgroup_id;
  programs_->rodata->root_level = options_.place.level;
  if (bpf_map__reuse_fd(programs_->maps.slot_table, options_.slot_map) != 0 ||
      bpf_map__set_max_entries(programs_->maps.cgroup_records, options_.slots) != 0 ||
      cgroups_bpf__load(programs_.get()) != 0) {
    return std::unexpected(system_error(errno, "loading the iterator"));
  }
  iterator_.emplace(TRY(open_cgroup_iterator(*programs_->progs.walk_cgroups, options_.cgroup,
                                             BPF_CGROUP_ITER_DESCENDANTS_PRE)));
  records_ = TRY(
      BpfArray<cgroup_record>::map(bpf_map__fd(programs_->maps.cgroup_records), options_.slots));
  io_stat_ = Fd(openat(options_.cgroup, "io.stat", O_RDONLY | O_CLOEXEC));  // or there is none
  return {};
}

// Whether this kernel does what we count on.
Result<void> CgroupWalk::try_walk() {
  const Fd walking = iterator_->open_once();
  if (!walking) return std::unexpected(system_error(errno, "opening a walk of the iterator"));
  const ssize_t bytes = read(walking.get(), answer_.data(), answer_.size());
  if (bytes < 0) return std::unexpected(system_error(errno, "reading the iterator"));
  walk_ = TRY(decode_walk(std::span(answer_).first(static_cast<size_t>(bytes))));
  if (walk_.flushed == 0) return fail("this kernel lets no program flush the counts of cgroups");
  return {};
}

void CgroupWalk::add(uint32_t slot, uint64_t cgroup_id, const std::string&) {
  CHECK(slot > 0 && slot < ids_.size());
  ids_[slot] = cgroup_id;
}

void CgroupWalk::remove(uint32_t slot) { ids_[slot] = 0; }

void CgroupWalk::start() {
  CHECK(!read_io_.active());
  CHECK(!read_walk_.active());
  if (io_stat_) return reactor_.read(read_io_, io_stat_.get(), io_text_, 0);
  walk();
}

// Also when it failed: the numbers of io are then those of before.
void CgroupWalk::on_io_read(const Completion&) { walk(); }

void CgroupWalk::walk() {
  walking_ = iterator_->open_once();
  if (!walking_) {
    // Told in a later turn, by a read that fails.
    return reactor_.read(read_walk_, -1, answer_, -1);
  }
  reactor_.read(read_walk_, walking_.get(), answer_, -1);
}

void CgroupWalk::on_walked(const Completion& completion) {
  reactor_.close(std::move(walking_));
  if (completion.result < 0) {
    return owner_.on_cgroups_read(
        std::unexpected(system_error(-completion.result, "reading the iterator")));
  }
  Result<cgroup_walk> walk =
      decode_walk(std::span(answer_).first(static_cast<size_t>(completion.result)));
  if (!walk) return owner_.on_cgroups_read(std::unexpected(std::move(walk).error()));
  walk_ = *walk;
  owner_.on_cgroups_read({});
}

void CgroupWalk::fill(uint32_t slot, Sample& sample) const {
  if (ids_[slot] == 0) return;
  const std::span<const cgroup_record> one = records_.elements().subspan(slot, 1);
  // A record that no walk writes says nothing.
  (void)decode_record(std::as_bytes(one), walk_, ids_[slot], page_bytes_, sample).has_value();
}

}  // namespace tepui
