#pragma once
// Which build this is. The commit is asked of git at build time; without git it is "unknown".

#include <string>
#include <string_view>

namespace tepui {

std::string_view version_number();  // "0.1.0"
std::string_view version_commit();  // "3dc302d", with "-dirty" for a changed tree
std::string version_text();         // "0.1.0 (commit 3dc302d)"

}  // namespace tepui
