#pragma once
// A batch: a list of tasks to run to their end, as `tepui batch FILE` reads it.
//
// Pure: from a parsed document to specs.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/document.h"
#include "common/offer_constraints.h"
#include "common/result.h"
#include "common/tasks.h"

namespace tepui::cli {

struct BatchTask {
  std::string name;  // unique in the batch, fit for a task id
  std::shared_ptr<const TaskSpec> spec;
};

struct Batch {
  std::string name = "batch";
  std::string role = "*";
  ConstraintGroup constraints;  // of the agents it wants; none: any
  // Its tasks take revocable resources where an offer has them, and may lose them at any time.
  bool revocable = false;
  std::vector<BatchTask> tasks;
};

// What a task gets that says nothing else.
struct BatchDefaults {
  int64_t cpus_milli = 1000;
  int64_t mem_milli = 128'000;
};

// A table with `tasks` (JSON) or `task` (TOML's [[task]]), and, for all tasks that say nothing
// else: name, role, cpus, mem, user, env, kill_grace, max_completion_time, health_check,
// health_check_options (see check_text.h), uris and image (see fetch_text.h). A task has `command`
// (text for the shell, or a list: the program and its arguments) unless its image knows one, and
// may have name, instances and all of the above but role. An
// unknown key is an error that names it, with its line where the file's syntax tells it.
Result<Batch> parse_batch(const Document& document, std::string_view file,
                          const BatchDefaults& defaults);

// "1.5" or 1.5 in thousandths; "64MB" or 64 (MB) in thousandths of a MB.
Result<int64_t> parse_cpus(std::string_view text);
Result<int64_t> parse_mem(std::string_view text);
// "NAME=VALUE"
Result<EnvironmentVariable> parse_env(std::string_view text);

}  // namespace tepui::cli
