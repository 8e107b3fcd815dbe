// An entry of an agent's memory that decodes is encoded again to one that decodes to the same.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/records_wire.h"
#include "common/check.h"

namespace {
constexpr std::array<std::string_view, 5> kKeys = {
    "agent", "frameworks/00000000000000000001", "tasks/00000000000000000002",
    "courses/00000000000000000002", "statuses/00000000000000000002/00000000000000000003"};
}  // namespace

// The first byte chooses the key.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view key = kKeys[data[0] % kKeys.size()];
  const std::string_view value(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto first = tepui::decode_record(key, value);
  if (!first.has_value()) {
    CHECK(!first.error().message.empty());
    return 0;
  }
  const auto writes = tepui::encode_record(*first);
  CHECK(writes.size() == 1 && writes[0].key == key && writes[0].value.has_value());
  const auto second = tepui::decode_record(key, *writes[0].value);
  CHECK(second.has_value());
  CHECK(tepui::encode_record(*second) == writes);
  return 0;
}
