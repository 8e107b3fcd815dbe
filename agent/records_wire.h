#pragma once
// The bytes of what an agent remembers: a map of keys to values in a log of common/record_log.h. An
// entry is a FlatBuffer (schemas/memory.fbs):
//
//   agent                     record::Identity
//   frameworks/<number>       record::Framework
//   tasks/<number>            record::Task
//   courses/<task>            record::Course
//   statuses/<task>/<number>  record::Status
//
// Numbers have twenty digits, so that keys are in their order.
//
// Pure.

#include <string_view>
#include <vector>

#include "agent/records.h"
#include "agent/recovery.h"
#include "common/result.h"
#include "common/store.h"

namespace tepui {

// All that the record changes, to become durable together.
std::vector<StoreWrite> encode_record(const AgentRecord& record);

// What one entry says. Refuses what it does not understand.
Result<AgentRecord> decode_record(std::string_view key, std::string_view value);

// All entries; the error names the key.
Result<RecoveredAgent> decode_memory(const StoreContents& contents);

}  // namespace tepui
