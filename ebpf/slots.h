#pragma once
// Slots: each container has one, a small number, and each fact about it lies at that place of an
// array, so that a hook finds it without a search. Slot 0 is nobody's.
//
// The agent writes which cgroup has which slot into a table in memory that the programs share with
// it: open addressing, found by the id of the cgroup. An id of 0 ends a search, TEPUI_FORMER_SLOT
// does not.
//
// For BPF programs (C) and the agent (C++).

#include <linux/types.h>

enum {
  kSlotTableSize = 1 << 14,  // a power of two, several times the slots, so that searches are short
  kSlotSearchMax = 8,        // places looked at for one id
  kSlotsDefault = 2048,      // containers that can be counted; more have their files only
};

// Of a place whose container is gone; no cgroup has this id.
#define TEPUI_FORMER_SLOT 1ULL

struct slot_place {
  __u64 cgroup_id;
  __u32 slot;
  __u32 unused;
};

// Where a search for an id begins. Ids of cgroups are counted up, but in steps.
static inline __u32 first_slot_place(__u64 cgroup_id) {
  return (__u32)((cgroup_id * 0x9E3779B97F4A7C15ULL) >> 50);
}
