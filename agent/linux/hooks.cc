#include "agent/linux/hooks.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include <block.skel.h>
#include <mm.skel.h>
#include <net.skel.h>
#include <sched.skel.h>

#include "agent/linux/files.h"
#include "agent/linux/quantiles.h"
#include "agent/linux/slot_table.h"

namespace tepui {
namespace {

uint32_t processor_count() {
  return static_cast<uint32_t>(std::clamp(libbpf_num_possible_cpus(), 1, int{kProcessorsMax}));
}

// What all our objects are told before they are loaded.
template <class Skeleton>
Result<void> prepare(Skeleton& skeleton, const Hooks::Options& options, int slot_map,
                     bpf_map* counts, uint32_t elements) {
  skeleton.rodata->slot_count = options.slots;
  skeleton.rodata->root_id = options.place.cgroup_id;
  skeleton.rodata->root_level = options.place.level;
  if (bpf_map__reuse_fd(skeleton.maps.slot_table, slot_map) != 0 ||
      bpf_map__set_max_entries(counts, elements) != 0) {
    return std::unexpected(system_error(errno, "preparing BPF maps"));
  }
  return {};
}

// The sum over processors of one field.
template <class Counts, class Field>
int64_t sum(const BpfArray<Counts>& counts, uint32_t slots, uint32_t slot, Field Counts::* field) {
  uint64_t total = 0;
  const std::span<const Counts> elements = counts.elements();
  for (size_t i = slot; i < elements.size(); i += slots) total += load_shared(elements[i].*field);
  return static_cast<int64_t>(total);
}

template <class Counts>
void clear_slot(BpfArray<Counts>& counts, uint32_t slots, uint32_t slot) {
  const std::span<Counts> elements = counts.elements();
  for (size_t i = slot; i < elements.size(); i += slots) elements[i] = {};
}

// Adds up the buckets of all processors, keeps them in `before`, and answers what is new. Whole
// histograms are copied first: that a bucket is of a moment later does not matter.
template <size_t kBuckets, class Counts>
std::array<uint32_t, kBuckets> new_counts(const BpfArray<Counts>& counts, uint32_t slots,
                                          uint32_t slot, std::array<uint32_t, kBuckets>& before) {
  std::array<uint32_t, kBuckets> total{};
  const std::span<const Counts> elements = counts.elements();
  for (size_t i = slot; i < elements.size(); i += slots) {
    std::array<uint32_t, kBuckets> one;
    std::memcpy(one.data(), elements[i].buckets, sizeof one);
    for (size_t b = 0; b < kBuckets; ++b) total[b] += one[b];
  }
  std::array<uint32_t, kBuckets> fresh;
  for (size_t b = 0; b < kBuckets; ++b) fresh[b] = total[b] - before[b];  // they may wrap
  before = total;
  return fresh;
}

// Percentiles are where their bucket ends.
template <class Begin>
void put_quantiles(std::span<const uint32_t> counts, Begin begin, Measured& p50, Measured& p99) {
  const std::optional<QuantileBuckets> found = quantile_buckets(counts);
  if (!found.has_value()) return;
  p50 = static_cast<int64_t>(begin(found->p50 + 1));
  p99 = static_cast<int64_t>(begin(found->p99 + 1));
}

}  // namespace

Hooks::Hooks(const Options& options)
    : options_(options),
      processors_(processor_count()),
      sched_(nullptr, sched_bpf__destroy),
      block_(nullptr, block_bpf__destroy),
      net_(nullptr, net_bpf__destroy),
      memory_(nullptr, mm_bpf__destroy),
      before_(options.slots) {}

Hooks::~Hooks() = default;

Result<std::unique_ptr<Hooks>> Hooks::create(const Options& options) {
  silence_bpf_library();
  std::unique_ptr<Hooks> hooks(new Hooks(options));
  hooks->slot_map_ = TRY(create_shared_array("slot_table", sizeof(slot_place), kSlotTableSize));
  hooks->table_ = TRY(BpfArray<slot_place>::map(hooks->slot_map_.get(), kSlotTableSize));
  const auto open = [&hooks](std::string_view what, Result<void> opened) {
    if (opened.has_value()) return;
    hooks->missing_.push_back(fmt::format("{}: {}", what, opened.error().message));
  };
  open("scheduler", hooks->open_sched());
  open("block devices", hooks->open_block());
  open("network", hooks->open_net());
  if (options.memory) open("memory", hooks->open_memory());
  if (hooks->links_.empty()) return fail(fmt::format("{}", fmt::join(hooks->missing_, "; ")));
  return hooks;
}

Result<void> Hooks::open_sched() {
  sched_.reset(sched_bpf__open());
  if (sched_ == nullptr) return std::unexpected(system_error(errno, "opening"));
  const uint32_t elements = processors_ * options_.slots;
  TRY(prepare(*sched_, options_, slot_map_.get(), sched_->maps.sched_counts, elements));
  sched_->rodata->measure_waits = options_.waits;
  sched_->rodata->processor_count = processors_;
  if (options_.waits) bpf_map__set_max_entries(sched_->maps.wait_histograms, elements);
  if (sched_bpf__load(sched_.get()) != 0) return std::unexpected(system_error(errno, "loading"));
  BpfLink on_switch = TRY(attach(*sched_->progs.on_switch));
  BpfLink on_migrate = TRY(attach(*sched_->progs.on_migrate));
  sched_counts_ =
      TRY(BpfArray<sched_counts>::map(bpf_map__fd(sched_->maps.sched_counts), elements));
  running_ =
      TRY(BpfArray<running_stint>::map(bpf_map__fd(sched_->maps.running_stints), kProcessorsMax));
  if (options_.waits) {
    waits_ =
        TRY(BpfArray<wait_histogram>::map(bpf_map__fd(sched_->maps.wait_histograms), elements));
  }
  TRY(find_run_queues());
  links_.push_back(std::move(on_switch));
  links_.push_back(std::move(on_migrate));
  return {};
}

// Once on each processor. One that is not there now stays unknown, and its stints show when they
// end.
Result<void> Hooks::find_run_queues() {
  for (uint32_t cpu = 0; cpu < processors_; ++cpu) {
    bpf_test_run_opts run{};
    run.sz = sizeof run;
    run.flags = BPF_F_TEST_RUN_ON_CPU;
    run.cpu = cpu;
    if (bpf_prog_test_run_opts(bpf_program__fd(sched_->progs.find_run_queue), &run) != 0 &&
        errno != ENXIO) {
      return std::unexpected(system_error(errno, "running a BPF program on a processor"));
    }
  }
  return {};
}

Result<void> Hooks::open_block() {
  block_.reset(block_bpf__open());
  if (block_ == nullptr) return std::unexpected(system_error(errno, "opening"));
  const uint32_t elements = processors_ * options_.slots;
  TRY(prepare(*block_, options_, slot_map_.get(), block_->maps.block_counts, elements));
  if (block_bpf__load(block_.get()) != 0) return std::unexpected(system_error(errno, "loading"));
  BpfLink on_complete = TRY(attach(*block_->progs.on_complete));
  block_counts_ =
      TRY(BpfArray<block_counts>::map(bpf_map__fd(block_->maps.block_counts), elements));
  links_.push_back(std::move(on_complete));
  return {};
}

Result<void> Hooks::open_net() {
  net_.reset(net_bpf__open());
  if (net_ == nullptr) return std::unexpected(system_error(errno, "opening"));
  const uint32_t elements = processors_ * options_.slots;
  TRY(prepare(*net_, options_, slot_map_.get(), net_->maps.net_counts, elements));
  if (net_bpf__load(net_.get()) != 0) return std::unexpected(system_error(errno, "loading"));
  BpfLink on_retransmit = TRY(attach(*net_->progs.on_retransmit));
  BpfLink received(bpf_program__attach_cgroup(net_->progs.on_received, options_.cgroup));
  if (received == nullptr) return std::unexpected(system_error(errno, "attaching for input"));
  BpfLink sent(bpf_program__attach_cgroup(net_->progs.on_sent, options_.cgroup));
  if (sent == nullptr) return std::unexpected(system_error(errno, "attaching for output"));
  net_counts_ = TRY(BpfArray<net_counts>::map(bpf_map__fd(net_->maps.net_counts), elements));
  links_.push_back(std::move(on_retransmit));
  links_.push_back(std::move(received));
  links_.push_back(std::move(sent));
  return {};
}

Result<void> Hooks::open_memory() {
  memory_.reset(mm_bpf__open());
  if (memory_ == nullptr) return std::unexpected(system_error(errno, "opening"));
  const uint32_t elements = processors_ * options_.slots;
  TRY(prepare(*memory_, options_, slot_map_.get(), memory_->maps.mm_counts, elements));
  if (mm_bpf__load(memory_.get()) != 0) return std::unexpected(system_error(errno, "loading"));
  std::vector<BpfLink> links;
  for (const bpf_program* program :
       {memory_->progs.on_page_fault, memory_->progs.on_direct_reclaim_begin,
        memory_->progs.on_direct_reclaim_end, memory_->progs.on_memcg_reclaim_begin,
        memory_->progs.on_memcg_reclaim_end}) {
    links.push_back(TRY(attach(*program)));
  }
  memory_counts_ = TRY(BpfArray<mm_counts>::map(bpf_map__fd(memory_->maps.mm_counts), elements));
  std::ranges::move(links, std::back_inserter(links_));
  return {};
}

bool Hooks::add(uint64_t cgroup_id, uint32_t slot) {
  if (slot == 0 || slot >= options_.slots) return false;
  clear_slot(sched_counts_, options_.slots, slot);
  clear_slot(waits_, options_.slots, slot);
  clear_slot(block_counts_, options_.slots, slot);
  clear_slot(net_counts_, options_.slots, slot);
  clear_slot(memory_counts_, options_.slots, slot);
  before_[slot] = {};
  return publish_slot(table_.elements(), cgroup_id, slot);
}

void Hooks::remove(uint64_t cgroup_id) { withdraw_slot(table_.elements(), cgroup_id); }

void Hooks::begin_read() {
  if (running_.empty()) return;
  bpf_test_run_opts run{};
  run.sz = sizeof run;
  // Should it fail, the stints are those of the time before, which fill() bears.
  (void)bpf_prog_test_run_opts(bpf_program__fd(sched_->progs.note_running), &run);
}

void Hooks::fill(uint32_t slot, Sample& sample) {
  if (slot == 0 || slot >= options_.slots) return;
  if (!sched_counts_.empty()) fill_sched(slot, sample);
  if (!block_counts_.empty()) fill_block(slot, sample);
  if (!net_counts_.empty()) fill_net(slot, sample);
  if (!memory_counts_.empty()) fill_memory(slot, sample);
}

namespace {

// On one processor, with a stint that went on when it was noted. If it has ended since, it is among
// those that are counted.
int64_t time_with(const sched_counts& counts, const running_stint& running) {
  const auto ended = [&counts] {
    return load_shared(counts.switches_voluntary) + load_shared(counts.switches_forced);
  };
  const bool goes_on = ended() == load_shared(running.ended);
  const auto counted = static_cast<int64_t>(load_shared(counts.on_cpu_ns));
  if (!goes_on) return counted;
  if (ended() != load_shared(running.ended))
    return static_cast<int64_t>(load_shared(counts.on_cpu_ns));
  return counted + static_cast<int64_t>(load_shared(running.ns));
}

}  // namespace

void Hooks::fill_sched(uint32_t slot, Sample& sample) {
  const uint32_t slots = options_.slots;
  const auto total = [&](auto field) { return sum(sched_counts_, slots, slot, field); };
  int64_t on_cpu_ns = 0;
  for (uint32_t cpu = 0; cpu < processors_; ++cpu) {
    const ::sched_counts& counts = sched_counts_.elements()[size_t{cpu} * slots + slot];
    const running_stint& running = running_.elements()[cpu];
    on_cpu_ns += load_shared(running.slot) == slot
                     ? time_with(counts, running)
                     : static_cast<int64_t>(load_shared(counts.on_cpu_ns));
  }
  // It may be counted twice just when it ends: never backwards.
  Before& before = before_[slot];
  before.on_cpu_ns = std::max(before.on_cpu_ns, on_cpu_ns);
  sample.on_cpu_ns = before.on_cpu_ns;
  sample.switches_voluntary = total(&::sched_counts::switches_voluntary);
  sample.switches_forced = total(&::sched_counts::switches_forced);
  sample.migrations = total(&::sched_counts::migrations);
  if (waits_.empty()) return;
  sample.run_queue_waits = total(&::sched_counts::run_queue_waits);
  sample.run_queue_wait_ns = total(&::sched_counts::run_queue_ns);
  if (std::exchange(before.run_queue_waits, sample.run_queue_waits) == sample.run_queue_waits)
    return;
  const auto fresh = new_counts(waits_, slots, slot, before.waits);
  put_quantiles(fresh, wait_bucket_begin_ns, sample.run_queue_p50_ns, sample.run_queue_p99_ns);
}

void Hooks::fill_block(uint32_t slot, Sample& sample) {
  const uint32_t slots = options_.slots;
  sample.block_requests = sum(block_counts_, slots, slot, &::block_counts::reads) +
                          sum(block_counts_, slots, slot, &::block_counts::writes);
  sample.block_latency_ns = sum(block_counts_, slots, slot, &::block_counts::latency_ns);
  Before& before = before_[slot];
  if (std::exchange(before.block_requests, sample.block_requests) == sample.block_requests) return;
  const auto fresh = new_counts(block_counts_, slots, slot, before.blocks);
  put_quantiles(fresh, block_bucket_begin_ns, sample.block_p50_ns, sample.block_p99_ns);
}

void Hooks::fill_net(uint32_t slot, Sample& sample) const {
  const auto total = [&](auto field) { return sum(net_counts_, options_.slots, slot, field); };
  sample.net_received_bytes = total(&::net_counts::received_bytes);
  sample.net_received_packets = total(&::net_counts::received_packets);
  sample.net_sent_bytes = total(&::net_counts::sent_bytes);
  sample.net_sent_packets = total(&::net_counts::sent_packets);
  sample.net_retransmissions = total(&::net_counts::retransmissions);
}

void Hooks::fill_memory(uint32_t slot, Sample& sample) const {
  const auto total = [&](auto field) { return sum(memory_counts_, options_.slots, slot, field); };
  sample.page_faults = total(&::mm_counts::page_faults);
  sample.reclaim_stalls = total(&::mm_counts::reclaim_stalls);
  sample.reclaim_stall_ns = total(&::mm_counts::reclaim_stall_ns);
}

int Hooks::switch_program() const {
  return sched_counts_.empty() ? -1 : bpf_program__fd(sched_->progs.on_switch);
}

}  // namespace tepui
