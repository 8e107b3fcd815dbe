#pragma once
// From what the walk of the iterator left (ebpf/cgroups.h) to samples, and what came through the
// ring (ebpf/events.h). What programs write is checked like everything else that comes from
// outside.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "agent/sample.h"
#include "common/result.h"
#include "ebpf/cgroups.h"
#include "ebpf/events.h"

namespace tepui {

// What a read of the iterator answered.
Result<cgroup_walk> decode_walk(std::span<const std::byte> bytes);

// Puts a record into a sample. False, and nothing is put, if the walk did not write it: the cgroup
// was gone, or the slot is another's. An error is a record that no walk writes.
Result<bool> decode_record(std::span<const std::byte> bytes, const cgroup_walk& walk,
                           uint64_t cgroup_id, int64_t page_bytes, Sample& sample);

// Nothing if these bytes are no event.
std::optional<kernel_event> decode_event(std::span<const std::byte> bytes);

}  // namespace tepui
