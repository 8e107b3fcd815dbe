#pragma once
// The command line as it was given: which options with which texts, unchecked. The only user of
// CLI11, in a library of its own that is compiled with exceptions and lets none out.

#include <map>
#include <string>
#include <vector>

#include "common/io/config.h"
#include "common/result.h"

namespace tepui {

struct CommandLine {
  std::string command;
  // By name, without dashes; a flag has "true" or "false". Includes "config", "help", "version".
  std::map<std::string, std::vector<std::string>> options;
  std::map<std::string, std::vector<std::string>> positionals;
  std::vector<std::string> rest;
};

Result<CommandLine> read_command_line(const Program& program, int argc, const char* const* argv);

// The table, and what every program has besides.
const std::vector<Option>& standard_options();

}  // namespace tepui
