#pragma once
// The commands of `tepui`, one function each: what to do with checked settings, and the exit status
// it ends with. cli/main.cc has the table that says how they are called.

#include <optional>
#include <string>
#include <vector>

#include "common/io/config.h"
#include "common/messages.h"
#include "common/result.h"

namespace tepui::cli {

// What the exit status says; documented in the README and in `tepui --help`.
enum ExitStatus : int {
  kDone = 0,
  kTasksFailed = 1,  // batch: some task did not finish
  kDamaged = 1,      // registry: it cannot be read as a whole
  kUsage = 2,        // bad flags, files or values
  kNotFound = 3,     // no such task, framework, agent…
  kNoMaster = 4,     // the master or agent does not answer
  kRefused = 5,      // the master says why it does not do it
  kNotRun = 125,     // run: the task never ran or was lost; else run ends with its status
};

struct Failure {
  int status = kUsage;
  std::string message;
};
template <class T>
using Outcome = std::expected<T, Failure>;

// What all commands have in common.
struct Common {
  std::string master;
  std::string principal;
  bool json = false;
  Duration timeout{};
};
Common common_of(const Settings& settings);
// What --label says, sorted.
Outcome<Labels> labels_of(const Settings& settings);

Outcome<int> list(const Settings& settings, Table table);
Outcome<int> kill(const Settings& settings);
Outcome<int> quota(const Settings& settings);
Outcome<int> weights(const Settings& settings);
Outcome<int> maintenance(const Settings& settings);
Outcome<int> operate_agent(const Settings& settings, OperateAgent::Action action);
Outcome<int> teardown(const Settings& settings);
Outcome<int> reserve(const Settings& settings, OperateResources::Type type);
Outcome<int> volume(const Settings& settings);
Outcome<int> why(const Settings& settings);
Outcome<int> replay(const Settings& settings);
Outcome<int> logs(const Settings& settings);
Outcome<int> run(const Settings& settings);
Outcome<int> batch(const Settings& settings);
Outcome<int> registry(const Settings& settings);
Outcome<int> top(const Settings& settings);
Outcome<int> stats(const Settings& settings);
Outcome<int> recording(const Settings& settings);
Outcome<int> qos(const Settings& settings);
// How those four are called.
std::vector<Command> usage_commands();

}  // namespace tepui::cli
