#pragma once
// The quotas of several roles as a file, TOML or JSON: all of them are set together, or none is.
//
//   [eng]
//   guarantee = "cpus:40;mem:160GB"
//   limit = "cpus:80"
//   ["eng/search"]
//   limit = "cpus:20"
//   [old]                 # nothing: what it has is removed
//
// Pure.

#include <string_view>

#include "common/io/document.h"
#include "common/messages.h"
#include "common/result.h"

namespace tepui::cli {

// Errors name the line of `file`.
Result<UpdateQuota> parse_quotas(const Document& document, std::string_view file);

}  // namespace tepui::cli
