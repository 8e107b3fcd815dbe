#pragma once
// Resources as people write them for programs: as text (`cpus:4;mem:2GB`), or as a JSON array in
// the form of Mesos' v1 API, which can also say what text cannot: disks of their own, stacks of
// reservations, labels.
//
//   [{"name": "disk", "type": "SCALAR", "scalar": {"value": 1024},
//     "disk": {"source": {"type": "MOUNT", "mount": {"root": "/mnt/ssd1"}}},
//     "reservations": [{"type": "STATIC", "role": "eng"}]}]

#include <string>
#include <string_view>

#include "common/io/document.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

// Every key is known, of its type and in its bounds, or the error names the element and the key and
// what was expected: "--resources[3].disk.source.type is 'RAW', expected PATH or MOUNT". `what` is
// how the user knows the whole.
Result<Resources> parse_resources(const Document& document, std::string_view what);

// Text, a JSON array (it begins with '['), or `file://PATH` or `/PATH`: a file that has either.
Result<Resources> read_resources(const std::string& given, std::string_view what);

}  // namespace tepui
