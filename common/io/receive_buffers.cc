#include "common/io/receive_buffers.h"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>

#include "common/check.h"

namespace tepui {

namespace {
constexpr size_t kPage = 4096;
}

Result<std::unique_ptr<ReceiveBuffers>> ReceiveBuffers::create(Reactor& reactor, Options options) {
  CHECK(options.count > 0 && options.count <= 32768 && (options.count & (options.count - 1)) == 0);
  std::unique_ptr<ReceiveBuffers> pool(new ReceiveBuffers(reactor, options));
  const size_t ring_bytes = (options.count * sizeof(io_uring_buf) + kPage - 1) & ~(kPage - 1);
  const size_t bytes = ring_bytes + size_t{options.count} * options.bytes;
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return fail(fmt::format("cannot map {} bytes of receive buffers: {}", bytes, strerror(errno)),
                errno);
  }
  pool->mapped_ = mapped;
  pool->mapped_bytes_ = bytes;
  pool->ring_ = static_cast<io_uring_buf_ring*>(mapped);
  pool->buffers_ = static_cast<std::byte*>(mapped) + ring_bytes;
  io_uring_buf_ring_init(pool->ring_);
  pool->group_ = reactor.buffer_groups_++;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(mapped);
  registration.ring_entries = options.count;
  registration.bgid = pool->group_;
  const int failed = io_uring_register_buf_ring(&reactor.ring_, &registration, 0);
  if (failed < 0) {
    return fail(fmt::format("cannot register receive buffers: {}", strerror(-failed)), -failed);
  }
  pool->registered_ = true;
  for (uint32_t i = 0; i < options.count; ++i) {
    pool->offer(static_cast<uint16_t>(i), static_cast<int>(i));
  }
  io_uring_buf_ring_advance(pool->ring_, static_cast<int>(options.count));
  return pool;
}

ReceiveBuffers::~ReceiveBuffers() {
  if (registered_) io_uring_unregister_buf_ring(&reactor_.ring_, group_);
  if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
}

std::span<const std::byte> ReceiveBuffers::view(const Completion& completion) const {
  if (!completion.has_buffer() || completion.result <= 0) return {};
  return {buffers_ + size_t{completion.buffer()} * options_.bytes,
          static_cast<size_t>(completion.result)};
}

void ReceiveBuffers::give_back(const Completion& completion) {
  if (!completion.has_buffer()) return;
  offer(completion.buffer(), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

void ReceiveBuffers::offer(uint16_t buffer, int place) {
  io_uring_buf_ring_add(ring_, buffers_ + size_t{buffer} * options_.bytes, options_.bytes, buffer,
                        io_uring_buf_ring_mask(options_.count), place);
}

}  // namespace tepui
