#pragma once
// KernelEvents brings what the kernel tells at once (ebpf/events.h): victims of the out-of-memory
// killer as they are chosen, and ends of processes when somebody asks.
//
// One thread, the loop's.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "agent/linux/bpf_array.h"
#include "agent/linux/bpf_library.h"
#include "common/io/reactor.h"
#include "ebpf/events.h"
#include "ebpf/place.h"

struct events_bpf;
struct ring_buffer;

namespace tepui {

class KernelEventsOwner {
 public:
  virtual ~KernelEventsOwner() = default;
  virtual void on_kernel_event(const kernel_event& event) = 0;
};

class KernelEvents {
 public:
  struct Options {
    cgroup_place place{};
    int slot_map = -1;  // of Hooks
    uint32_t slots = 0;
  };
  // May block, and on any thread: it tells nothing before start().
  static Result<std::unique_ptr<KernelEvents>> create(Reactor& reactor, const Options& options,
                                                      KernelEventsOwner& owner);
  ~KernelEvents();

  void start();
  // Tells what has been waiting, at most as much as the ring holds.
  void take();
  // What did not fit into the ring.
  uint64_t lost() const;

 private:
  KernelEvents(Reactor& reactor, KernelEventsOwner& owner);
  Result<void> open(const Options& options);
  Result<void> load(const Options& options, bool victims_are_tasks);
  void on_ready(const Completion& completion);
  static int on_event(void* self, void* bytes, size_t size);

  Reactor& reactor_;
  KernelEventsOwner& owner_;
  std::unique_ptr<events_bpf, void (*)(events_bpf*)> programs_;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring_;
  BpfArray<event_losses> losses_;
  size_t taken_ = 0;
  BpfLink exits_;
  BpfLink victims_;
  Op<&KernelEvents::on_ready> ready_{*this};
};

}  // namespace tepui
