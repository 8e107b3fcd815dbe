#pragma once
// A command: what is run as a task, an executor or a check.
//
// Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

struct EnvironmentVariable {
  std::string name;
  std::string value;
  bool operator==(const EnvironmentVariable&) const = default;
};

// Something to put into the sandbox before the command begins.
struct Uri {
  std::string value;        // file:, http: or https:, or an absolute path
  bool executable = false;  // made executable, and not extracted
  bool extract = true;      // what the name says is an archive
  bool cache = false;       // kept on the agent for the next who wants it
  std::string output_file;
  std::string checksum;  // "sha256:HEX" of what was fetched, before it is extracted; empty: any
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

// One task with more of them has something better to do than to fetch files one by one.
inline constexpr size_t kUrisMax = 256;

// Something to run, and nothing in it that cannot be. URIs can be fetched, as far as their text
// says, and lead to places below the sandbox.
Result<void> validate(const CommandInfo& command);
// The same where an image may say what runs.
Result<void> validate_in_image(const CommandInfo& command);

// For people: without user and password.
std::string shown(std::string_view uri);
// The path that a file: URI or an absolute path names; empty: it is neither.
std::string_view local_path(std::string_view uri);
// Where it is put, below the sandbox: the output file, or the last part of its path. Empty: it has
// none.
std::string output_name(const Uri& uri);

}  // namespace tepui
