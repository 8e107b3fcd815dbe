#pragma once
// Who a task runs as. May block (the machine's name service): not for the loop.

#include <optional>
#include <string>

#include "agent/linux/shim_spec.h"
#include "common/result.h"

namespace tepui {

// By name; or by numbers, as "1000" or "1000:100".
Result<UserIds> find_user(const std::string& name);

// What the shim must switch to: nothing if `name` is empty or the agent's own user. Refuses another
// user where this process is not root.
Result<std::optional<UserIds>> user_to_switch_to(const std::string& name);

}  // namespace tepui
