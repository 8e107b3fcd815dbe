#pragma once
// ReceiveBuffers is a pool of equal buffers out of which the kernel takes one whenever it has
// received something for an operation started with Reactor::receive. Whoever gets a completion with
// a buffer copies what it needs and gives the buffer back at once.

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/io/operation.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

class ReceiveBuffers {
 public:
  struct Options {
    uint32_t count = 64;  // a power of two, at most 32768
    uint32_t bytes = 16384;
  };
  static Result<std::unique_ptr<ReceiveBuffers>> create(Reactor& reactor, Options options);
  ~ReceiveBuffers();
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;

  uint16_t group() const { return group_; }
  // What was received; empty if the completion carries none.
  std::span<const std::byte> view(const Completion& completion) const;
  void give_back(const Completion& completion);

 private:
  ReceiveBuffers(Reactor& reactor, Options options) : reactor_(reactor), options_(options) {}
  void offer(uint16_t buffer, int place);

  Reactor& reactor_;
  const Options options_;
  uint16_t group_ = 0;
  bool registered_ = false;
  void* mapped_ = nullptr;  // the ring, then the buffers
  size_t mapped_bytes_ = 0;
  io_uring_buf_ring* ring_ = nullptr;
  std::byte* buffers_ = nullptr;
};

}  // namespace tepui
