#include "agent/linux/cgroup_record.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <limits>

namespace tepui {
namespace {

// Both sides are built apart.
static_assert(sizeof(cgroup_record) == 192);
static_assert(sizeof(cgroup_walk) == 24);
static_assert(sizeof(kernel_event) == 40);

__extension__ using Wide = unsigned __int128;

constexpr uint32_t kHasKnown = kHasThrottling | kHasMemory | kHasSwap | kHasIo | kHasPressure;
constexpr uint64_t kCountMax = std::numeric_limits<int64_t>::max();

int64_t count(uint64_t value) { return static_cast<int64_t>(value); }

// Of pages that were checked.
int64_t bytes_of(uint64_t pages, int64_t page_bytes) {
  return count(pages * static_cast<uint64_t>(page_bytes));
}

// As the kernel divides what it knows exactly by what it knows roughly.
void put_processor(const cgroup_record& record, Sample& sample) {
  sample.cpu_usage_ns = count(record.usage_ns);
  const auto raw = static_cast<Wide>(record.user_raw_ns) + record.system_raw_ns;
  const uint64_t user =
      raw == 0
          ? record.usage_ns
          : static_cast<uint64_t>(static_cast<Wide>(record.usage_ns) * record.user_raw_ns / raw);
  sample.cpu_user_ns = count(user);
  sample.cpu_system_ns = count(record.usage_ns - user);
  if ((record.has & kHasThrottling) == 0) return;
  sample.cpu_periods = count(record.periods);
  sample.cpu_throttled_periods = count(record.throttled_periods);
  sample.cpu_throttled_ns = count(record.throttled_ns);
}

void put_memory(const cgroup_record& record, int64_t page_bytes, Sample& sample) {
  if ((record.has & kHasSwap) != 0) sample.swap_bytes = bytes_of(record.swap_pages, page_bytes);
  if ((record.has & kHasMemory) == 0) return;
  sample.memory_bytes = bytes_of(record.memory_pages, page_bytes);
  sample.memory_peak_bytes = bytes_of(record.memory_peak_pages, page_bytes);
  sample.memory_high_events = count(record.memory_high_events);
  sample.memory_max_events = count(record.memory_max_events);
  sample.oom_kills = count(record.oom_kills);
}

void put_io_and_pressure(const cgroup_record& record, Sample& sample) {
  if ((record.has & kHasIo) != 0) {
    sample.io_read_bytes = count(record.io_read_bytes);
    sample.io_written_bytes = count(record.io_written_bytes);
    sample.io_reads = count(record.io_reads);
    sample.io_writes = count(record.io_writes);
  }
  if ((record.has & kHasPressure) == 0) return;
  sample.io_some_ns = count(record.pressure_ns[0]);
  sample.io_full_ns = count(record.pressure_ns[1]);
  sample.memory_some_ns = count(record.pressure_ns[2]);
  sample.memory_full_ns = count(record.pressure_ns[3]);
  sample.cpu_some_ns = count(record.pressure_ns[4]);
  sample.cpu_full_ns = count(record.pressure_ns[5]);
}

// All that follows the first fields are counts of 64 bits.
bool counts_are_sane(std::span<const std::byte> bytes) {
  for (size_t at = offsetof(cgroup_record, usage_ns); at < bytes.size(); at += sizeof(uint64_t)) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (value > kCountMax) return false;
  }
  return true;
}

}  // namespace

Result<cgroup_walk> decode_walk(std::span<const std::byte> bytes) {
  cgroup_walk walk{};
  if (bytes.size() != sizeof walk) {
    return fail(fmt::format("the walk over cgroups answered {} bytes, expected {}", bytes.size(),
                            sizeof walk));
  }
  std::memcpy(&walk, bytes.data(), sizeof walk);
  if (walk.version != kCgroupRecordVersion || walk.record_bytes != sizeof(cgroup_record)) {
    return fail(fmt::format(
        "the walk over cgroups wrote records of version {} with {} bytes, expected {} with {}",
        walk.version, walk.record_bytes, int{kCgroupRecordVersion}, sizeof(cgroup_record)));
  }
  return walk;
}

Result<bool> decode_record(std::span<const std::byte> bytes, const cgroup_walk& walk,
                           uint64_t cgroup_id, int64_t page_bytes, Sample& sample) {
  cgroup_record record{};
  if (bytes.size() != sizeof record) {
    return fail(
        fmt::format("a record of a cgroup has {} bytes, expected {}", bytes.size(), sizeof record));
  }
  std::memcpy(&record, bytes.data(), sizeof record);
  if (record.walk != walk.walk || record.cgroup_id != cgroup_id) return false;
  if ((record.has & ~kHasKnown) != 0) {
    return fail(fmt::format("a record of a cgroup has unknown parts {:#x}", record.has));
  }
  if (!counts_are_sane(bytes)) return fail("a record of a cgroup has a count above 2^63");
  const uint64_t pages_max = kCountMax / static_cast<uint64_t>(page_bytes);
  for (const uint64_t pages : {record.memory_pages, record.memory_peak_pages, record.swap_pages}) {
    if (pages > pages_max) return fail(fmt::format("a record of a cgroup has {} pages", pages));
  }
  put_processor(record, sample);
  put_memory(record, page_bytes, sample);
  put_io_and_pressure(record, sample);
  return true;
}

std::optional<kernel_event> decode_event(std::span<const std::byte> bytes) {
  kernel_event event{};
  if (bytes.size() < sizeof event) return std::nullopt;
  std::memcpy(&event, bytes.data(), sizeof event);
  if (event.kind != kEventExit && event.kind != kEventOomVictim) return std::nullopt;
  if (event.pid <= 0 || (event.slot == 0) != (event.cgroup_id == 0)) return std::nullopt;
  if (event.kind == kEventExit && event.slot == 0) return std::nullopt;
  return event;
}

}  // namespace tepui
