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
// Of which it is not known yet whose they are. Those of others never end for us.
constexpr size_t kVictimsMax = 256;

}  // namespace

void SampleHistory::add(const Sample& sample) {
  samples_[(first_ + size_) % samples_.size()] = sample;
  if (size_ < samples_.size()) {
    ++size_;
  } else {
    first_ = (first_ + 1) % samples_.size();
  }
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
    : reactor_(reactor), owner_(owner), options_(options), containers_(options.slots) {
  for (uint32_t slot = options.slots - 1; slot > 0; --slot) free_slots_.push_back(slot);
}

Sampler::~Sampler() = default;

void Sampler::prepare() {
  Result<Fd> cgroup = open_directory_at(AT_FDCWD, options_.cgroup);
  if (!cgroup) return;  // which begin() tells
  cgroup_ = *std::move(cgroup);
  if (options_.best == SampleSource::kFiles) return;
  if (const Result<void> opened = open_hooks(); !opened) {
    notes_.push_back("no hooks in the kernel: " + opened.error().message);
    return;
  }
  source_ = SampleSource::kHooks;
  for (const std::string& missing : hooks_->missing()) notes_.push_back("no hooks for " + missing);
  if (options_.best == SampleSource::kIterator) open_iterator();
}

Result<void> Sampler::begin() {
  if (!cgroup_) cgroup_ = TRY(open_directory_at(AT_FDCWD, options_.cgroup));
  if (reader_ == nullptr) reader_ = TRY(CgroupFiles::create(reactor_, options_.slots, *this));
  if (events_ != nullptr) events_->start();
  if (source_ != SampleSource::kFiles) open_counters();
  reactor_.set(due_, later(reactor_.now().mono, options_.interval));
  return {};
}

Result<void> Sampler::open_hooks() {
  const int cgroup = cgroup_.get();
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

void Sampler::open_iterator() {
  Result<std::unique_ptr<CgroupWalk>> walk = CgroupWalk::create(reactor_,
                                                                {.cgroup = cgroup_.get(),
                                                                 .place = place_,
                                                                 .slot_map = hooks_->slot_map(),
                                                                 .slots = options_.slots},
                                                                *this);
  if (!walk) {
    notes_.push_back("files instead of the iterator: " + walk.error().message);
    return;
  }
  reader_ = *std::move(walk);
  source_ = SampleSource::kIterator;
}

void Sampler::open_counters() {
  Result<std::unique_ptr<Counters>> counters =
      Counters::create(reactor_, {.cgroup = options_.cgroup, .slots = options_.slots});
  if (counters.has_value()) {
    counters_ = *std::move(counters);
  } else {
    notes_.push_back("no counters of processors: " + counters.error().message);
  }
}

bool Sampler::add(const ContainerId& id, const std::string& cgroup) {
  if (slots_.contains(id)) return true;
  const Result<Fd> directory = open_directory_at(cgroup_.get(), cgroup);
  struct stat facts{};
  if (!directory || fstat(directory->get(), &facts) != 0) return false;
  if (free_slots_.empty()) {
    ++counts_.refused;
    return false;
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  if (hooks_ != nullptr && !hooks_->add(facts.st_ino, slot)) ++counts_.refused;
  drops_.add(directory->get(), facts.st_ino);
  containers_[slot].emplace(
      Container{.id = id, .cgroup_id = facts.st_ino, .path = options_.cgroup + "/" + cgroup});
  slots_[id] = slot;
  coming_.push_back(slot);
  return true;
}

void Sampler::remove(const ContainerId& id) {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return;
  const uint32_t slot = found->second;
  slots_.erase(found);
  const Container& container = *containers_[slot];
  if (hooks_ != nullptr) hooks_->remove(container.cgroup_id);
  drops_.remove(container.cgroup_id);
  if (container.is_read) {
    leaving_.push_back(slot);
  } else {
    std::erase(coming_, slot);
    free_slots_.push_back(slot);
  }
  containers_[slot].reset();
}

const SampleHistory* Sampler::find(const ContainerId& id) const {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return nullptr;
  const SampleHistory& history = containers_[found->second]->history;
  return history.size() == 0 ? nullptr : &history;
}

Sampler::Counts Sampler::counts() const {
  Counts counts = counts_;
  counts.containers = slots_.size();
  if (events_ != nullptr) counts.events_lost = events_->lost();
  return counts;
}

void Sampler::apply_changes() {
  for (const uint32_t slot : leaving_) {
    reader_->remove(slot);
    if (counters_ != nullptr) counters_->remove(slot);
    free_slots_.push_back(slot);
  }
  leaving_.clear();
  for (const uint32_t slot : coming_) {
    Container& container = *containers_[slot];
    container.is_read = true;
    reader_->add(slot, container.cgroup_id, container.path);
    if (counters_ != nullptr) counters_->add(slot, container.path);
  }
  coming_.clear();
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
  if (counters_ != nullptr) counters_->start(began_);
  reader_->start();
}

void Sampler::on_cgroups_read(const Result<void>& result) {
  if (!result) {
    ++counts_.failures;
    reading_ = false;
    return owner_.on_sampling_failed(result.error());
  }
  if (hooks_ != nullptr) hooks_->begin_read();
  to_fill_ = 0;
  fill_slice();
}

void Sampler::fill_slice() {
  size_t left = kFilledPerTurn;
  for (; to_fill_ < containers_.size(); ++to_fill_) {
    std::optional<Container>& container = containers_[to_fill_];
    // Some came while we read.
    if (!container.has_value() || !container->is_read) continue;
    if (left-- == 0) return reactor_.next_turn(fill_);
    Sample sample{.at = began_};
    reader_->fill(to_fill_, sample);
    if (hooks_ != nullptr) hooks_->fill(to_fill_, sample);
    if (counters_ != nullptr) counters_->fill(to_fill_, sample);
    fill_drops(*container, sample);
    container->history.add(sample);
    if (sink_ != nullptr) sink_->on_sample(container->id, sample);
  }
  if (sink_ != nullptr) sink_->on_sampled();
  ++counts_.samplings;
  counts_.last = reactor_.now().mono - began_;
  reading_ = false;
}

// The hook of packets runs whatever the limit says of them, and has counted those, too.
void Sampler::fill_drops(const Container& container, Sample& sample) const {
  const std::optional<EgressDrops::Count> dropped = drops_.read(container.cgroup_id);
  if (!dropped) return;
  sample.net_dropped_bytes = dropped->bytes;
  sample.net_dropped_packets = dropped->packets;
  if (!sample.net_sent_bytes.known()) return;
  sample.net_sent_bytes = sample.net_sent_bytes.value() - dropped->bytes;
  sample.net_sent_packets = sample.net_sent_packets.value() - dropped->packets;
}

void Sampler::on_kernel_event(const kernel_event& event) {
  const bool is_known =
      event.slot > 0 && event.slot < containers_.size() && containers_[event.slot].has_value();
  const ContainerId id = is_known ? containers_[event.slot]->id : ContainerId{};
  if (event.kind == kEventExit) {
    ++counts_.exits;
    // Now it is known whose it was.
    if (victims_.erase(event.pid) > 0 && is_known) owner_.on_oom_victim(id, event.pid);
    return;
  }
  ++counts_.oom_victims;
  if (event.slot == 0 && victims_.size() < kVictimsMax) victims_.insert(event.pid);
  owner_.on_oom_victim(id, event.pid);
}

}  // namespace tepui
