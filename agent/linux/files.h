#pragma once
// Small files and directories, relative to an open directory, with errors that name the file and
// the errno. These calls may block: not for the loop, except where a comment at the caller says so.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

// "reading cpu.max: EINVAL (Invalid argument)". Takes the errno, so that nothing changes it first.
Error system_error(int code, std::string_view doing);

Result<Fd> open_directory_at(int directory, const std::string& path);
// At most a mebibyte: the files meant here are the kernel's, or ours.
Result<std::string> read_file_at(int directory, const std::string& path);
// One write, which is how the kernel wants control files to be written. The file must exist.
Result<void> write_control_at(int directory, const std::string& file, std::string_view value);
// Creates each missing component of a relative path with `mode`, follows no symbolic link, and
// opens the last.
Result<Fd> make_directories_at(int directory, std::string_view path, uint32_t mode);
// The names of the subdirectories of an open directory, sorted.
Result<std::vector<std::string>> list_directories(int directory);
// Removes a file if it is there.
Result<void> remove_file_at(int directory, const std::string& file);

}  // namespace tepui
