#pragma once
// The answer to --help: what the program is, its commands or its options in groups with their
// defaults, and examples.

#include <string>
#include <string_view>

#include "common/io/config.h"

namespace tepui {

// Of the whole program, or of one of its commands.
std::string help_text(const Program& program, std::string_view command);

}  // namespace tepui
