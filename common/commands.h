#pragma once
// A command: what is run as a task, an executor or a check.
//
// Pure.

#include <string>
#include <vector>

#include "common/result.h"

namespace tepui {

struct EnvironmentVariable {
  std::string name;
  std::string value;
  bool operator==(const EnvironmentVariable&) const = default;
};

struct Uri {
  std::string value;
  bool executable = false;
  bool extract = true;
  bool cache = false;
  std::string output_file;
  bool operator==(const Uri&) const = default;
};

struct CommandInfo {
  // With `shell`, `value` is given to /bin/sh -c. Without, `value` is the program (looked up in
  // the task's PATH if it has no '/') and `arguments` are argv, argv[0] included; no arguments
  // means argv is {value}.
  bool shell = true;
  std::string value;
  std::vector<std::string> arguments;
  std::vector<EnvironmentVariable> environment;
  std::string user;               // empty: the framework's user
  std::string working_directory;  // empty: the sandbox; a relative path is below the sandbox
  std::vector<Uri> uris;
  bool operator==(const CommandInfo&) const = default;
};

// Something to run, and nothing in it that cannot be.
Result<void> validate(const CommandInfo& command);

}  // namespace tepui
