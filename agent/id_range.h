#pragma once
// IdRange is where the ids of a user namespace are on the machine: the id 0 within is `first`
// outside, for users and for groups.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace tepui {

struct IdRange {
  uint32_t first = 0;
  uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

// As many as programs expect there to be: 65534 is nobody.
inline constexpr uint32_t kIdsPerContainer = 1 << 16;
// 4,096 containers, in what systemd leaves to containers (0x80000 to 0x6fffffff), and far from
// where subordinate ids of people begin.
inline constexpr IdRange kDefaultIds{.first = 0x4000'0000, .count = 0x1000'0000};

// "1073741824:268435456": FIRST:COUNT.
std::string to_text(const IdRange& range);
// Of any size.
Result<IdRange> parse_id_range(std::string_view text);

// What an agent can divide among containers: whole ranges of kIdsPerContainer, with nobody in it
// who is somebody on the machine.
Result<void> check_divisible(const IdRange& range);

}  // namespace tepui
