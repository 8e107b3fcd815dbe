#pragma once
// Whitelist is the file of --agent-whitelist: hostnames, one a line, empty lines and what follows a
// '#' ignored. It is read again every few seconds, and what changed is an input to the core.
//
// The loop's thread.

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/time.h"

namespace tepui {

using Hostnames = std::set<std::string>;

Hostnames parse_whitelist(std::string_view text);

class Whitelist {
 public:
  // `path` "*": every agent is offered, and there is nothing to read.
  explicit Whitelist(std::string path) : path_(std::move(path)) {}

  // When to read(); kNever for "*".
  Instant due() const { return due_; }
  // The hostnames, if they differ from those read before. What cannot be read is an error once, and
  // what was read before stays.
  Result<std::optional<Hostnames>> read(Instant now);
  bool is_all() const { return path_ == "*"; }

 private:
  const std::string path_;
  Instant due_ = path_ == "*" ? kNever : Instant::min();
  std::optional<Hostnames> known_;
  bool failed_ = false;
};

}  // namespace tepui
