// What decodes is encoded again to a message that decodes to the same.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/check.h"
#include "common/limits.h"
#include "common/wire.h"

namespace {

template <class Decode>
void check(Decode decode, std::span<const std::byte> payload) {
  const auto first = decode(payload);
  if (!first.has_value()) {
    CHECK(!first.error().message.empty());
    return;
  }
  tepui::Encoder encoder;
  const auto bytes = encoder.encode(first->session, first->message);
  const std::vector<std::byte> encoded(bytes.begin(), bytes.end());
  // A message that shares its tables may be larger when each has its own.
  if (encoded.size() > tepui::limits::kFrameBytesMax) return;
  const auto second = decode(encoded);
  CHECK(second.has_value());
  CHECK(second->session == first->session);
  const auto again = encoder.encode(second->session, second->message);
  CHECK(std::equal(again.begin(), again.end(), encoded.begin(), encoded.end()));
}

}  // namespace

// The first byte chooses the conversation and its direction.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto payload = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 8) {
    case 0:
      check(tepui::decode_scheduler_to_master, payload);
      break;
    case 1:
      check(tepui::decode_master_to_scheduler, payload);
      break;
    case 2:
      check(tepui::decode_agent_to_master, payload);
      break;
    case 3:
      check(tepui::decode_master_to_agent, payload);
      break;
    case 4:
      check(tepui::decode_operator_to_server, payload);
      break;
    case 5:
      check(tepui::decode_server_to_operator, payload);
      break;
    case 6:
      check(tepui::decode_executor_to_agent, payload);
      break;
    default:
      check(tepui::decode_agent_to_executor, payload);
      break;
  }
  return 0;
}
