#include "agent/linux/slot_table.h"

#include "common/check.h"

namespace tepui {
namespace {

size_t place_of(std::span<const slot_place> table, uint64_t id, uint32_t step) {
  CHECK(table.size() == kSlotTableSize);
  return (first_slot_place(id) + step) & (kSlotTableSize - 1);
}

// The slot is there before the id, by which it is found.
void write_place(slot_place& place, uint64_t id, uint32_t slot) {
  __atomic_store_n(&place.slot, slot, __ATOMIC_RELAXED);
  __atomic_store_n(&place.cgroup_id, id, __ATOMIC_RELEASE);
}

// Lets searches end again at the given place and those before it, if nothing can lie behind them.
void free_former(std::span<slot_place> table, size_t place) {
  while (table[place].cgroup_id == TEPUI_FORMER_SLOT &&
         table[(place + 1) & (kSlotTableSize - 1)].cgroup_id == 0) {
    __atomic_store_n(&table[place].cgroup_id, 0, __ATOMIC_RELEASE);
    place = (place + kSlotTableSize - 1) & (kSlotTableSize - 1);
  }
}

}  // namespace

bool publish_slot(std::span<slot_place> table, uint64_t cgroup_id, uint32_t slot) {
  for (uint32_t step = 0; step < kSlotSearchMax; ++step) {
    slot_place& place = table[place_of(table, cgroup_id, step)];
    if (place.cgroup_id > TEPUI_FORMER_SLOT) continue;
    write_place(place, cgroup_id, slot);
    return true;
  }
  return false;
}

void withdraw_slot(std::span<slot_place> table, uint64_t cgroup_id) {
  for (uint32_t step = 0; step < kSlotSearchMax; ++step) {
    slot_place& place = table[place_of(table, cgroup_id, step)];
    if (place.cgroup_id == 0) return;
    if (place.cgroup_id != cgroup_id) continue;
    __atomic_store_n(&place.cgroup_id, TEPUI_FORMER_SLOT, __ATOMIC_RELEASE);
    free_former(table, place_of(table, cgroup_id, step));
    return;
  }
}

uint32_t find_slot(std::span<const slot_place> table, uint64_t cgroup_id) {
  for (uint32_t step = 0; step < kSlotSearchMax; ++step) {
    const slot_place& place = table[place_of(table, cgroup_id, step)];
    if (place.cgroup_id == 0) return 0;
    if (place.cgroup_id == cgroup_id) return place.slot;
  }
  return 0;
}

}  // namespace tepui
