// What the kernel's programs leave in shared memory and what its files say is refused or
// understood; what is understood has no negative count, and what is refused leaves the sample as it
// was.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "agent/linux/cgroup_record.h"
#include "agent/linux/cgroup_text.h"
#include "common/check.h"

namespace {

// The count of every field, whatever its name: after the time, a sample is nothing else.
void check_counts(const tepui::Sample& sample) {
  constexpr size_t kBegin = sizeof(tepui::Instant);
  for (size_t at = kBegin; at < sizeof sample; at += sizeof(int64_t)) {
    int64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const char*>(&sample) + at, sizeof value);
    CHECK(value >= -1);
  }
}

void read_record(std::span<const std::byte> bytes) {
  cgroup_walk walk{};
  walk.walk = 1;
  uint64_t id = 1;
  // As the record says itself, so that it gets past the first look.
  if (bytes.size() >= 12) {
    std::memcpy(&id, bytes.data(), sizeof id);
    std::memcpy(&walk.walk, bytes.data() + 8, sizeof walk.walk);
  }
  tepui::Sample sample;
  sample.net_sent_bytes = 7;
  const tepui::Sample before = sample;
  const auto put = tepui::decode_record(bytes, walk, id, 4096, sample);
  CHECK(put.value_or(false) || sample == before);
  check_counts(sample);
}

void read_files(std::string_view text) {
  tepui::Sample sample;
  tepui::read_cpu_stat(text, sample);
  tepui::read_memory_events(text, sample);
  tepui::read_io_stat(text, sample);
  tepui::read_pressure(text, sample.cpu_some_ns, sample.cpu_full_ns);
  sample.memory_bytes = tepui::read_number(text);
  check_counts(sample);
}

}  // namespace

// The first byte says as what the rest is read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      read_record(bytes);
      break;
    case 1:
      (void)tepui::decode_walk(bytes).has_value();
      break;
    case 2:
      if (const auto event = tepui::decode_event(bytes)) CHECK(event->pid > 0);
      break;
    default:
      read_files({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return 0;
}
