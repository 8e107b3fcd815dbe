#include "common/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tepui {

namespace {

constexpr std::string_view kNul("\0", 1);

bool has_nul(std::string_view text) { return text.find(kNul) != std::string_view::npos; }

Result<void> check_environment(const std::vector<EnvironmentVariable>& environment) {
  for (const EnvironmentVariable& variable : environment) {
    if (variable.name.empty()) return fail("environment: a variable has no name");
    if (variable.name.find('=') != std::string::npos || has_nul(variable.name)) {
      return fail(
          fmt::format("environment: the name '{}' contains '=' or a zero byte", variable.name));
    }
    if (has_nul(variable.value)) {
      return fail(
          fmt::format("environment: the value of '{}' contains a zero byte", variable.name));
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const CommandInfo& command) {
  if (command.value.empty()) {
    return fail(command.shell ? "command is empty" : "command names no program");
  }
  if (command.shell && !command.arguments.empty()) {
    return fail("command has arguments, which a shell command does not take");
  }
  if (has_nul(command.value) || has_nul(command.user) || has_nul(command.working_directory) ||
      std::ranges::any_of(command.arguments, has_nul)) {
    return fail("command contains a zero byte");
  }
  TRY(check_environment(command.environment));
  if (!command.uris.empty()) {
    return fail(fmt::format("command names {} URIs ('{}' first), this version cannot fetch any",
                            command.uris.size(), command.uris.front().value));
  }
  return {};
}

}  // namespace tepui
