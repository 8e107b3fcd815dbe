#include "agent/linux/sampler.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "agent/linux/bpf_place.h"
#include "agent/linux/cgroup_files.h"
#include "agent/linux/cgroup_walk.h"
#include "agent/linux/files.h"

namespace tepui {
namespace {

// Some 0.3 ms of a turn.
constexpr size_t kFilledPerTurn = 256;

}  // namespace

void SampleHistory::add(const Sample& sample) {
  if (samples_.size() < kept_) {
    samples_.push_back(sample);
    return;
  }
  samples_[first_] = sample;
  first_ = (first_ + 1) % kept_;
}

const char* name_of(SampleSource source) {
  switch (source) {
    case SampleSource::kIterator:
      return "iterator";
    case SampleSource::kHooks:
      return "hooks";
    case SampleSource::kFiles:
      return "files";
  }
  return "";
}

Sampler::Sampler(Reactor& reactor, const Options& options, SamplerOwner& owner)
    : reactor_(reactor), owner_(owner), options_(options) {
  for (uint32_t slot = options.slots - 1; slot > 0; --slot) free_slots_.push_back(slot);
}

Sampler::~Sampler() = default;

Result<std::unique_ptr<Sampler>> Sampler::create(Reactor& reactor, const Options& options,
                                                 SamplerOwner& owner) {
  std::unique_ptr<Sampler> sampler(new Sampler(reactor, options, owner));
  TRY(sampler->open());
  reactor.set(sampler->due_, later(reactor.now().mono, options.interval));
  return sampler;
}

Result<void> Sampler::open() {
  cgroup_ = TRY(open_directory_at(AT_FDCWD, options_.cgroup));
  if (options_.best != SampleSource::kFiles) {
    const Result<void> opened = open_hooks(cgroup_.get());
    if (!opened) notes_.push_back("no hooks in the kernel: " + opened.error().message);
  }
  if (hooks_ != nullptr) {
    source_ = SampleSource::kHooks;
    for (const std::string& missing : hooks_->missing()) {
      notes_.push_back("no hooks for " + missing);
    }
    if (options_.best == SampleSource::kIterator) open_iterator(cgroup_.get());
  }
  if (reader_ == nullptr) reader_ = TRY(CgroupFiles::create(reactor_, options_.slots, *this));
  return {};
}

Result<void> Sampler::open_hooks(int cgroup) {
  place_ = TRY(find_bpf_place(cgroup));
  hooks_ = TRY(Hooks::create(
      {.cgroup = cgroup, .place = place_, .slots = options_.slots, .waits = options_.waits}));
  Result<std::unique_ptr<KernelEvents>> events = KernelEvents::create(
      reactor_, {.place = place_, .slot_map = hooks_->slot_map(), .slots = options_.slots}, *this);
  if (events.has_value()) {
    events_ = *std::move(events);
  } else {
    notes_.push_back("no events from the kernel: " + events.error().message);
  }
  return {};
}

void Sampler::open_iterator(int cgroup) {
  Result<std::unique_ptr<CgroupWalk>> walk = CgroupWalk::create(
      reactor_,
      {.cgroup = cgroup, .place = place_, .slot_map = hooks_->slot_map(), .slots = options_.slots},
      *this);
  if (!walk) {
    notes_.push_back("files instead of the iterator: " + walk.error().message);
    return;
  }
  reader_ = *std::move(walk);
  source_ = SampleSource::kIterator;
}

bool Sampler::add(const ContainerId& id, const std::string& cgroup) {
  if (containers_.contains(id)) return true;
  struct stat facts{};
  if (fstatat(cgroup_.get(), cgroup.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (free_slots_.empty()) {
    ++counts_.refused;
    return false;
  }
  Container container{.slot = free_slots_.back(),
                      .cgroup_id = facts.st_ino,
                      .path = fmt::format("{}/{}", options_.cgroup, cgroup)};
  free_slots_.pop_back();
  if (hooks_ != nullptr && !hooks_->add(container.cgroup_id, container.slot)) ++counts_.refused;
  by_slot_[container.slot] = id;
  containers_.emplace(id, std::move(container));
  return true;
}

void Sampler::remove(const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return;
  const Container& container = found->second;
  if (hooks_ != nullptr) hooks_->remove(container.cgroup_id);
  by_slot_.erase(container.slot);
  (container.is_read ? leaving_ : free_slots_).push_back(container.slot);
  containers_.erase(found);
}

const SampleHistory* Sampler::find(const ContainerId& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.history.size() == 0) return nullptr;
  return &found->second.history;
}

Sampler::Counts Sampler::counts() const {
  Counts counts = counts_;
  counts.containers = containers_.size();
  if (events_ != nullptr) counts.events_lost = events_->lost();
  return counts;
}

void Sampler::apply_changes() {
  for (const uint32_t slot : leaving_) {
    reader_->remove(slot);
    free_slots_.push_back(slot);
  }
  leaving_.clear();
  for (auto& [id, container] : containers_) {
    if (std::exchange(container.is_read, true)) continue;
    reader_->add(container.slot, container.cgroup_id, container.path);
  }
}

void Sampler::on_due() {
  reactor_.set(due_, later(reactor_.now().mono, options_.interval));
  if (events_ != nullptr) events_->take();
  if (reading_) {
    ++counts_.skipped;
    return;
  }
  apply_changes();
  reading_ = true;
  began_ = reactor_.now().mono;
  reader_->start();
}

void Sampler::on_cgroups_read(const Result<void>& result) {
  if (!result) {
    ++counts_.failures;
    reading_ = false;
    return owner_.on_sampling_failed(result.error());
  }
  if (hooks_ != nullptr) hooks_->begin_read();
  filled_ = {};
  fill_slice();
}

void Sampler::fill_slice() {
  size_t left = kFilledPerTurn;
  for (auto at = containers_.upper_bound(filled_); at != containers_.end(); ++at, --left) {
    if (left == 0) return reactor_.next_turn(fill_);
    auto& [id, container] = *at;
    filled_ = id;
    if (!container.is_read) continue;  // came while we read
    Sample sample{.at = began_};
    reader_->fill(container.slot, sample);
    if (hooks_ != nullptr) hooks_->fill(container.slot, sample);
    container.history.add(sample);
  }
  ++counts_.samplings;
  counts_.last = reactor_.now().mono - began_;
  reading_ = false;
}

void Sampler::on_kernel_event(const kernel_event& event) {
  const auto found = by_slot_.find(event.slot);
  if (event.kind == kEventExit) {
    ++counts_.exits;
    return;
  }
  ++counts_.oom_victims;
  owner_.on_oom_victim(found == by_slot_.end() ? ContainerId{} : found->second, event.pid);
}

}  // namespace tepui
