#pragma once
// A hash of what an agent says of its machine, so that a master that knows it already need not be
// told again. Two builds that hash differently only cost the words that this would have saved.
//
// Pure.

#include <cstdint>

#include "common/frameworks.h"

namespace tepui {

// Of every field, the id too.
uint64_t fingerprint(const AgentInfo& info);

}  // namespace tepui
