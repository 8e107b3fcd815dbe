#include "common/output_hash.h"

#include <xxhash.h>

namespace tepui {

void OutputHash::add(uint64_t number) { hash_ = XXH64(&number, sizeof number, hash_); }

void OutputHash::add(std::span<const std::byte> bytes) {
  hash_ = XXH64(bytes.data(), bytes.size(), hash_);
}

}  // namespace tepui
