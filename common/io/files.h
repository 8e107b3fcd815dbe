#pragma once
// Whole files, read and written at once. These calls block: for the start of a program, and for
// small files on local disks. Errors name the file.

#include <cstddef>
#include <string>
#include <string_view>

#include "common/result.h"

namespace tepui {

// Refuses a file with more than `bytes_max`.
Result<std::string> read_file(const std::string& path, size_t bytes_max);

// The file has the new content or the old one, whatever happens: written beside it, synced, renamed
// over it, and the directory synced.
Result<void> write_file_durably(const std::string& path, std::string_view content);

// Makes what was created, renamed or removed in a directory durable.
Result<void> sync_directory(const std::string& path);

}  // namespace tepui
