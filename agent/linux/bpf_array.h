#pragma once
// BpfArray is an array of T that BPF programs and this process share: a BPF array map in memory.
// Programs write while we read: single fields are whole, a struct need not be of one moment.

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "agent/linux/files.h"
#include "common/result.h"

namespace tepui {

// A field that a program may be writing.
inline uint64_t load_shared(const uint64_t& field) {
  return __atomic_load_n(&field, __ATOMIC_RELAXED);
}
inline uint64_t load_shared(const unsigned long long& field) {
  return __atomic_load_n(&field, __ATOMIC_RELAXED);
}
inline uint32_t load_shared(const uint32_t& field) {
  return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

template <class T>
class BpfArray {
  static_assert(sizeof(T) % 8 == 0, "the kernel rounds the size of an element up");

 public:
  BpfArray() = default;
  // `map` is the descriptor of a map with BPF_F_MMAPABLE; it may be closed afterwards.
  static Result<BpfArray> map(int map, size_t size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = (size * sizeof(T) + page - 1) / page * page;
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (at == MAP_FAILED) return std::unexpected(system_error(errno, "mapping a BPF array"));
    BpfArray array;
    array.elements_ = static_cast<T*>(at);
    array.size_ = size;
    array.bytes_ = bytes;
    return array;
  }
  BpfArray(BpfArray&& other) noexcept { swap(other); }
  BpfArray& operator=(BpfArray&& other) noexcept {
    BpfArray taken(std::move(other));
    swap(taken);
    return *this;
  }
  BpfArray(const BpfArray&) = delete;
  BpfArray& operator=(const BpfArray&) = delete;
  ~BpfArray() {
    if (elements_ != nullptr) munmap(elements_, bytes_);
  }

  bool empty() const { return size_ == 0; }
  std::span<T> elements() { return {elements_, size_}; }
  std::span<const T> elements() const { return {elements_, size_}; }

 private:
  void swap(BpfArray& other) {
    std::swap(elements_, other.elements_);
    std::swap(size_, other.size_);
    std::swap(bytes_, other.bytes_);
  }

  T* elements_ = nullptr;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace tepui
