#pragma once
// MasterProcess is a tepui-master that a benchmark runs, and what its log says of its life.
//
// For benchmarks only. What goes wrong is a std::runtime_error.

#include <optional>
#include <string>
#include <vector>

#include "common/time.h"
#include "perf/child.h"

namespace tepui::perf {

class MasterProcess {
 public:
  // Its log goes to the file `log`, anew. Returns at once.
  MasterProcess(std::vector<std::string> arguments, std::string log);

  // Returns when it listens; when it also leads.
  void wait_until_it_listens() const;
  void wait_until_it_leads() const;
  // Where it listens.
  std::string address() const;
  // To the millisecond; nothing: it does not lead yet.
  std::optional<WallTime> elected_at() const;
  Child& child() { return child_; }
  const Child& child() const { return child_; }

 private:
  // The first line about `event`, or an empty one.
  std::string line_about(std::string_view event) const;
  void wait_for(std::string_view event) const;

  std::string log_;
  Child child_;
};

}  // namespace tepui::perf
