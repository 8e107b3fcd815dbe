#include "agent/image_launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tepui {

namespace {

using Variables = std::vector<EnvironmentVariable>;

bool names(const Variables& variables, std::string_view name) {
  return std::ranges::find(variables, name, &EnvironmentVariable::name) != variables.end();
}

std::string_view value_of(const Variables& variables, std::string_view name) {
  const auto found = std::ranges::find(variables, name, &EnvironmentVariable::name);
  return found == variables.end() ? std::string_view() : found->value;
}

Result<void> add_environment(const ImageConfig& image, LaunchSpec& spec) {
  std::map<std::string, std::string> variables;
  for (EnvironmentVariable& one : spec.environment) {
    variables[std::move(one.name)] = std::move(one.value);
  }
  for (const std::string& text : image.environment) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == text.npos) {
      return fail(fmt::format("the image's variable '{}' is not NAME=VALUE", text));
    }
    const std::string name = text.substr(0, equals);
    const bool agents_path = name == "PATH" && !names(spec.command.environment, name);
    if (agents_path || !variables.contains(name)) variables[name] = text.substr(equals + 1);
  }
  spec.environment.clear();
  for (auto& [name, value] : variables) {
    spec.environment.push_back(EnvironmentVariable{.name = name, .value = std::move(value)});
  }
  return {};
}

Result<void> set_program(const ImageConfig& image, CommandInfo& command) {
  if (command.shell || !command.value.empty()) return {};
  std::vector<std::string> words = image.entrypoint;
  if (words.empty()) {
    if (image.command.empty()) {
      return fail("the command names no program, and neither does the image");
    }
    words = image.command;
    if (!command.arguments.empty()) words.resize(1);
  } else if (command.arguments.empty()) {
    words.insert(words.end(), image.command.begin(), image.command.end());
  }
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  command.value = words.front();
  command.arguments = std::move(words);
  if (command.value.empty()) return fail("the image's entry point begins with nothing");
  return {};
}

// Who that is, its own etc/passwd and etc/group say when it is there.
void set_user(const ImageConfig& image, CommandInfo& command) {
  if (command.user.empty() && image.user != "root") command.user = image.user;
}

}  // namespace

Result<void> apply_image(const ImageConfig& image, LaunchSpec& spec) {
  TRY(set_program(image, spec.command));
  set_user(image, spec.command);
  // The core has put the sandbox where the command names nothing.
  if (image.working_directory.starts_with('/') &&
      spec.command.working_directory == value_of(spec.environment, "MESOS_SANDBOX")) {
    spec.command.working_directory = image.working_directory;
  }
  return add_environment(image, spec);
}

}  // namespace tepui
