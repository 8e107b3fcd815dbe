// A segment of a recording is read to its end or its damage, whatever is in it; what is read names
// known containers, and no count of it is negative.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "agent/recording_reader.h"
#include "agent/recording_writer.h"
#include "common/check.h"

namespace {

using tepui::Now;

void read(std::span<const std::byte> segment) {
  tepui::RecordingReader reader(segment);
  while (true) {
    const auto item = reader.next();
    CHECK(reader.offset() <= segment.size());
    if (!item.has_value()) {
      CHECK(!item.error().message.empty());
      CHECK(!reader.torn());
    }
    if (!item.has_value() || !item->has_value()) break;
    const auto* samples = std::get_if<tepui::recorded::Samples>(&(*item)->entry);
    if (samples == nullptr) continue;
    for (const tepui::NumberedSample& one : samples->samples) {
      CHECK(reader.containers().contains(one.number));
      for (const tepui::SampleField& field : tepui::kSampleFields) {
        CHECK((one.sample.*field.member).value() >= 0);
      }
    }
  }
  const auto after = reader.next();
  CHECK(after.has_value() && !after->has_value());
}

// A segment that is right up to two containers; what follows has a right checksum too.
void read_framed(std::span<const std::byte> payload, bool are_deltas) {
  tepui::RecordingWriter writer;
  writer.begin_segment(Now{}, {.id = {"a"}, .hostname = "h", .boot_id = "b", .total = {}});
  for (uint32_t number = 1; number <= 2; ++number) {
    writer.state(Now{}, {.number = number,
                         .facts = {.id = {"c"},
                                   .framework_id = {"f"},
                                   .framework_name = {},
                                   .executor_id = {"e"},
                                   .executor_name = {},
                                   .executor_resources = {},
                                   .tasks = {}}});
  }
  std::vector<std::byte> segment = writer.bytes();
  tepui::RecordedEncoder encoder;
  tepui::append_record(segment, segment.size(),
                       {.kind = static_cast<uint8_t>(tepui::RecordedKind::kSamples),
                        .payload = are_deltas ? encoder.encode_samples(payload) : payload});
  read(segment);
}

}  // namespace

// The first byte says as what the rest is read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      read(bytes);
      break;
    case 1:
      read_framed(bytes, false);
      break;
    default:
      read_framed(bytes, true);
  }
  return 0;
}
