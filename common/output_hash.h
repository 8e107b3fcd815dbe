#pragma once
// The hash of what a core did, in order: the same outputs give the same hash on every machine.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tepui {

class OutputHash {
 public:
  void add(uint64_t number);
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0;
};

}  // namespace tepui
