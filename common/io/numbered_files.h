#pragma once
// The files of a directory that are written one after the other, as `master-000001.journal`: found
// in the order of their numbers, and the oldest removed where room is needed. These calls block.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tepui {

struct NumberedFile {
  std::string path;
  uint64_t number = 0;
  uint64_t bytes = 0;
};

// Those whose names begin with `prefix` and end with `suffix`, by number; those of several prefixes
// by name.
Result<std::vector<NumberedFile>> find_numbered(const std::string& directory,
                                                std::string_view prefix, std::string_view suffix);

// Removes the first of `files` until the rest takes at most `bytes_max`; how much that is.
Result<uint64_t> make_room(std::vector<NumberedFile>& files, uint64_t bytes_max);

// The directory, made if it is absent, for nobody but this user.
Result<void> make_private_directory(const std::string& directory);

}  // namespace tepui
