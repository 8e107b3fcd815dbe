// A stream of bytes gives the same frames, and the same end, however it is cut into chunks.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "common/check.h"
#include "common/frame.h"

namespace {

struct Heard {
  std::vector<std::vector<std::byte>> payloads;
  std::optional<tepui::FrameError> error;

  bool operator==(const Heard&) const = default;
};

void take(tepui::FrameParser& parser, Heard& heard) {
  for (;;) {
    auto next = parser.next();
    if (!next.has_value()) {
      CHECK(!heard.error);
      heard.error = next.error();
      return;
    }
    if (!*next) return;
    CHECK(!heard.error);
    const auto payload = (*next)->payload;
    CHECK(payload.size() == (*next)->header.length);
    CHECK(reinterpret_cast<uintptr_t>(payload.data()) % tepui::kFrameAlign == 0);
    heard.payloads.emplace_back(payload.begin(), payload.end());
  }
}

}  // namespace

// The first byte says how the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = 1 + data[0];
  const auto stream = std::as_bytes(std::span(data + 1, size - 1));
  Heard whole;
  tepui::FrameParser at_once;
  at_once.feed(stream);
  take(at_once, whole);

  Heard pieces;
  tepui::FrameParser parser;
  for (size_t at = 0, i = 0; at < stream.size(); ++i) {
    const size_t length = std::min(1 + step * i % 61, stream.size() - at);
    parser.feed(stream.subspan(at, length));
    at += length;
    if (i % 3 != 2) take(parser, pieces);
  }
  take(parser, pieces);
  CHECK(whole == pieces);
  return 0;
}
