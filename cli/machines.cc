// maintenance: the schedule, and machines that go down and come up.
#include <fmt/format.h>

#include <utility>

#include "cli/operate.h"
#include "cli/schedule.h"
#include "common/io/clock.h"
#include "common/io/files.h"

namespace tepui::cli {

namespace {

constexpr size_t kScheduleBytesMax = 4 << 20;

Outcome<int> schedule(const Common& common, const std::string& file) {
  const Result<std::string> text = read_file(file, kScheduleBytesMax);
  if (!text) return usage(text.error().message);
  const auto document = file.ends_with(".json") ? parse_json(*text, file) : parse_toml(*text, file);
  if (!document) return usage(document.error().message);
  const auto update = parse_schedule(*document, file, now().wall);
  if (!update) return usage(update.error().message);
  return command(common, *update);
}

}  // namespace

Outcome<int> maintenance(const Settings& settings) {
  const Common common = common_of(settings);
  const std::string verb = first(settings.positional("VERB"));
  const std::vector<std::string> words = settings.positional("WHAT");
  if (verb == "show") return show(common, Table::kMaintenance, first(words));
  if (verb == "schedule") {
    if (words.size() != 1) return usage("maintenance schedule needs one FILE");
    return schedule(common, words.front());
  }
  if (verb != "start" && verb != "stop") {
    return usage(
        fmt::format("maintenance cannot '{}', expected show, schedule, start or stop", verb));
  }
  if (words.empty()) return usage(fmt::format("maintenance {} needs at least one HOST", verb));
  using Action = OperateMachines::Action;
  return command(common, OperateMachines{.action = verb == "start" ? Action::kStart : Action::kStop,
                                         .hostnames = words});
}

}  // namespace tepui::cli
