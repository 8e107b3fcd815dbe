#pragma once
// The values of the registry as bytes, one per key. Each carries the version of its format; what a
// newer program wrote is refused by name, never guessed.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/frameworks.h"
#include "common/quota.h"
#include "common/registry_values.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

inline constexpr uint16_t kRegistryFormat = 1;

std::string encode_cluster(std::string_view cluster);
std::string encode_agent(const AgentInfo& info);
std::string encode_departed(const Departed& departed);
std::string encode_quota(const Quota& quota);
std::string encode_weight(int64_t weight_milli);
std::string encode_machine(const Machine& machine);
std::string encode_standing(const Standing& standing);

// An error does not name the key; the caller does.
Result<std::string> decode_cluster(std::string_view bytes);
Result<AgentInfo> decode_agent(std::string_view bytes);
Result<Departed> decode_departed(std::string_view bytes);
Result<Quota> decode_quota(std::string_view bytes);
Result<int64_t> decode_weight(std::string_view bytes);
Result<Machine> decode_machine(std::string_view bytes);
Result<Standing> decode_standing(std::string_view bytes);

}  // namespace tepui
