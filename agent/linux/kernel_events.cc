#include "agent/linux/kernel_events.h"

#include <poll.h>

#include <cerrno>
#include <optional>

#include <events.skel.h>

#include "agent/linux/cgroup_record.h"
#include "agent/linux/files.h"

namespace tepui {

KernelEvents::KernelEvents(Reactor& reactor, KernelEventsOwner& owner)
    : reactor_(reactor),
      owner_(owner),
      programs_(nullptr, events_bpf__destroy),
      ring_(nullptr, ring_buffer__free) {}

KernelEvents::~KernelEvents() = default;

Result<std::unique_ptr<KernelEvents>> KernelEvents::create(Reactor& reactor, const Options& options,
                                                           KernelEventsOwner& owner) {
  silence_bpf_library();
  std::unique_ptr<KernelEvents> events(new KernelEvents(reactor, owner));
  TRY(events->open(options));
  return events;
}

Result<void> KernelEvents::load(const Options& options, bool victims_are_tasks) {
  programs_.reset(events_bpf__open());
  if (programs_ == nullptr) return std::unexpected(system_error(errno, "opening events"));
  programs_->rodata->slot_count = options.slots;
  programs_->rodata->root_id = options.place.cgroup_id;
  programs_->rodata->root_level = options.place.level;
  bpf_program__set_autoload(programs_->progs.on_victim, victims_are_tasks);
  bpf_program__set_autoload(programs_->progs.on_victim_pid, !victims_are_tasks);
  if (bpf_map__reuse_fd(programs_->maps.slot_table, options.slot_map) != 0 ||
      events_bpf__load(programs_.get()) != 0) {
    return std::unexpected(system_error(errno, "loading events"));
  }
  return {};
}

Result<void> KernelEvents::open(const Options& options) {
  // A kernel refuses the program that is written for the other.
  bool victims_are_tasks = true;
  if (!load(options, victims_are_tasks)) {
    victims_are_tasks = false;
    TRY(load(options, victims_are_tasks));
  }
  exits_ = TRY(attach(*programs_->progs.on_exit));
  victims_ = TRY(
      attach(victims_are_tasks ? *programs_->progs.on_victim : *programs_->progs.on_victim_pid));
  losses_ = TRY(BpfArray<event_losses>::map(bpf_map__fd(programs_->maps.event_losses), 1));
  ring_.reset(ring_buffer__new(bpf_map__fd(programs_->maps.events), on_event, this, nullptr));
  if (ring_ == nullptr) return std::unexpected(system_error(errno, "opening the ring of events"));
  return {};
}

void KernelEvents::start() { reactor_.poll(ready_, ring_buffer__epoll_fd(ring_.get()), POLLIN); }

void KernelEvents::on_ready(const Completion& completion) {
  if (completion.result < 0) return;  // only when it is being closed
  take();
  start();
}

// More than the ring holds at once: a container that ends processes faster than we look at them
// must not keep us here.
constexpr size_t kTakenMax = kEventRingBytes / sizeof(kernel_event);

void KernelEvents::take() {
  taken_ = 0;
  ring_buffer__consume(ring_.get());
}

int KernelEvents::on_event(void* self, void* bytes, size_t size) {
  auto& events = *static_cast<KernelEvents*>(self);
  const std::optional<kernel_event> event =
      decode_event({static_cast<const std::byte*>(bytes), size});
  if (event.has_value()) events.owner_.on_kernel_event(*event);
  return ++events.taken_ < kTakenMax ? 0 : -EAGAIN;
}

uint64_t KernelEvents::lost() const { return load_shared(losses_.elements()[0].lost); }

}  // namespace tepui
