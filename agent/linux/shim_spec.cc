#include "agent/linux/shim_spec.h"

#include <fmt/format.h>

#include <string_view>

#include "agent/linux/shim_protocol.h"

namespace tepui {
namespace {

template <class T>
void append_raw(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Result<void> append_text(std::string& bytes, std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos) {
    return fail(fmt::format("the {} of the command has a zero byte in it", what));
  }
  bytes.append(text);
  bytes.push_back('\0');
  return {};
}

}  // namespace

ShimSpec make_shim_spec(const CommandInfo& command,
                        const std::vector<EnvironmentVariable>& environment,
                        const std::string& sandbox) {
  ShimSpec spec;
  spec.environment = environment;
  if (command.shell) {
    spec.program = "/bin/sh";
    spec.arguments = {"sh", "-c", command.value};
  } else {
    spec.program = command.value;
    spec.arguments =
        command.arguments.empty() ? std::vector<std::string>{command.value} : command.arguments;
  }
  const std::string& directory = command.working_directory;
  if (directory.empty()) {
    spec.directory = sandbox;
  } else {
    spec.directory = directory.starts_with('/') ? directory : sandbox + "/" + directory;
  }
  return spec;
}

Result<std::string> encode_shim_spec(const ShimSpec& spec) {
  std::string bytes;
  ShimSpecHeader header;
  header.argument_count = static_cast<uint32_t>(spec.arguments.size());
  header.variable_count = static_cast<uint32_t>(spec.environment.size());
  if (spec.user.has_value()) {
    header.switch_user = 1;
    header.uid = spec.user->uid;
    header.gid = spec.user->gid;
    header.group_count = static_cast<uint32_t>(spec.user->groups.size());
  }
  append_raw(bytes, header);
  if (spec.user.has_value()) {
    for (uint32_t group : spec.user->groups) append_raw(bytes, group);
  }
  if (spec.program.empty()) return fail("the command is empty");
  TRY(append_text(bytes, spec.program, "program"));
  TRY(append_text(bytes, spec.directory, "working directory"));
  for (const std::string& argument : spec.arguments) {
    TRY(append_text(bytes, argument, "argument"));
  }
  for (const EnvironmentVariable& variable : spec.environment) {
    if (variable.name.empty() || variable.name.find('=') != std::string::npos) {
      return fail(
          fmt::format("\"{}\" cannot be the name of an environment variable", variable.name));
    }
    TRY(append_text(bytes, variable.name + "=" + variable.value, "environment"));
  }
  header.bytes = static_cast<uint32_t>(bytes.size());
  bytes.replace(0, sizeof header, reinterpret_cast<const char*>(&header), sizeof header);
  return bytes;
}

}  // namespace tepui
