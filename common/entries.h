#pragma once
// Entries are what a configuration file says, flat: each plain value with its path in the file's
// tree ("qos.rules[2].threshold"), in the order of the file. So pure code can read settings without
// knowing what syntax they were written in. A list without items is an entry of its own, "rules[]"
// with an empty text.
//
// Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tepui {

struct Entry {
  std::string path;
  std::variant<bool, int64_t, double, std::string> value;
  int line = 0;  // in its file; 0: not known
};
using Entries = std::vector<Entry>;

}  // namespace tepui
