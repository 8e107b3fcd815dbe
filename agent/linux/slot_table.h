#pragma once
// The table by which BPF programs find the slot of a cgroup (ebpf/slots.h), written while they read
// it: a search meets an entry whole, or not yet.
//
// Pure: works on the memory that it is given.

#include <cstdint>
#include <span>

#include "ebpf/slots.h"

namespace tepui {

// False if every place where programs would look for it is taken: it is then not counted. `id` must
// not be in the table.
bool publish_slot(std::span<slot_place> table, uint64_t cgroup_id, uint32_t slot);
// Nothing happens if it is not there.
void withdraw_slot(std::span<slot_place> table, uint64_t cgroup_id);
// What a program finds; 0 if nothing.
uint32_t find_slot(std::span<const slot_place> table, uint64_t cgroup_id);

}  // namespace tepui
