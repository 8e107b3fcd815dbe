#include "cli/qos_replay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "agent/qos/trial.h"
#include "cli/operate.h"
#include "cli/output.h"
#include "cli/recording_files.h"
#include "common/io/document.h"
#include "common/io/document_entries.h"
#include "common/io/files.h"

namespace tepui::cli {

namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kCaveat =
    "What was recorded does not react: what a step takes from a task it still uses here, and "
    "nobody "
    "used what would have been lent in addition.";

struct Contestant {
  std::string name;
  OversightSettings settings;
  TrialResult result;
};

Outcome<OversightSettings> read_settings(const std::string& path) {
  const auto refuse = [](const Error& error) {
    return std::unexpected(Failure{kUsage, error.message});
  };
  const Result<std::string> text =
      path.empty() ? Result<std::string>() : read_file(path, kFileBytesMax);
  if (!text) return refuse(text.error());
  const Result<Document> document = parse_toml(*text, path);
  if (!document) return refuse(document.error());
  Result<OversightSettings> settings = read_oversight_settings(entries_of(*document));
  if (!settings) return refuse(std::move(settings).error().in(path));
  return *std::move(settings);
}

// Runs one of them over the whole recording. Numbers of containers are those of one life of an
// agent: where another begins, all of the former have ended.
Outcome<TrialResult> run(const std::string& path, const OversightSettings& settings,
                         Duration horizon) {
  Result<RecordingFiles> files = RecordingFiles::open(path);
  if (!files) return std::unexpected(Failure{kNotFound, files.error().message});
  Trial trial(settings, horizon);
  std::map<uint32_t, ContainerId> names;
  std::string boot;
  while (const auto item = files->next()) {
    if (const auto* agent = std::get_if<recorded::Agent>(&item->entry)) {
      if (agent->boot_id == boot) continue;
      for (const auto& [number, id] : std::exchange(names, {})) trial.on_gone(id);
      boot = agent->boot_id;
    } else if (const auto* container = std::get_if<recorded::Container>(&item->entry)) {
      names[container->number] = container->facts.id;
      trial.on_container(container->facts);
    } else if (const auto* ended = std::get_if<recorded::ContainerEnded>(&item->entry)) {
      const auto found = names.find(ended->number);
      if (found == names.end()) continue;
      trial.on_gone(found->second);
      names.erase(found);
    } else {
      for (const NumberedSample& one : std::get<recorded::Samples>(item->entry).samples) {
        const auto found = names.find(one.number);
        if (found != names.end()) trial.on_sample(found->second, one.sample);
      }
      trial.on_sampled(item->now);
    }
  }
  for (const RecordingFiles::Segment& segment : files->segments()) {
    if (segment.damage.empty()) continue;
    std::fprintf(stderr, "tepui: %s: %s: left out from there on\n", segment.path.c_str(),
                 segment.damage.c_str());
  }
  return trial.result();
}

uint64_t sum_of(const std::array<uint64_t, kStepCount>& counts) {
  uint64_t sum = 0;
  for (const uint64_t count : counts) sum += count;
  return sum;
}

std::string percent(double part) { return fmt::format("{:.1f}", part * 100); }

double violated(const TrialResult& result) {
  return result.estimates == 0
             ? 0
             : static_cast<double>(result.violations) / static_cast<double>(result.estimates);
}

void print_text(const std::vector<Contestant>& all) {
  const bool colour = isatty(STDOUT_FILENO) != 0;
  std::printf("%.0f s in %llu readings\n\n", to_secs(all.front().result.span),
              static_cast<unsigned long long>(all.front().result.readings));
  TextTable table({"SETTINGS", "LENT CPU %", "ESTIMATES", "VIOLATIONS %", "SEVERITY %", "STEPS",
                   "UNDONE", "EVICTIONS", "NOBODY TO BLAME"});
  for (const Contestant& one : all) {
    const TrialResult& result = one.result;
    const auto& taken = result.counts.taken;
    table.add({one.name, percent(result.reclaimed()), fmt::format("{}", result.estimates),
               percent(violated(result)), percent(result.severity),
               fmt::format("{}", sum_of(taken)), fmt::format("{}", sum_of(result.counts.undone)),
               fmt::format("{}", taken[static_cast<size_t>(Step::kEvict)] +
                                     taken[static_cast<size_t>(Step::kKill)]),
               fmt::format("{}", result.counts.nobody)});
  }
  std::fputs(table.to_text(colour).c_str(), stdout);
  TextTable steps({"STEP", "SETTINGS", "TAKEN", "UNDONE"});
  TextTable tasks({"TASK", "ROLE", "REVOCABLE", "SETTINGS", "SEEN", "SUFFERED", "CORRECTED",
                   "FROZEN", "STEPS", "EVICTED"});
  const auto secs = [](Duration time) { return fmt::format("{:.1f}s", to_secs(time)); };
  for (const Contestant& one : all) {
    for (size_t step = 0; step < kStepCount; ++step) {
      const uint64_t taken = one.result.counts.taken[step];
      if (taken == 0) continue;
      steps.add({std::string(name_of(static_cast<Step>(step))), one.name, fmt::format("{}", taken),
                 fmt::format("{}", one.result.counts.undone[step])});
    }
    for (const auto& [id, task] : one.result.tasks) {
      if (task.suffered == Duration{} && task.steps == 0) continue;
      tasks.add({task.name, task.role, task.revocable ? "yes" : "no", one.name, secs(task.seen),
                 secs(task.suffered), secs(task.corrected), secs(task.frozen),
                 fmt::format("{}", task.steps), task.evicted ? "yes" : "no"});
    }
  }
  for (const TextTable* more : {&steps, &tasks}) {
    if (!more->empty()) std::printf("\n%s", more->to_text(colour).c_str());
  }
  std::printf("\n%s\n", std::string(kCaveat).c_str());
}

Document json_of(const Contestant& one) {
  const TrialResult& result = one.result;
  Document::Table taken;
  Document::Table undone;
  for (size_t step = 0; step < kStepCount; ++step) {
    const std::string name(name_of(static_cast<Step>(step)));
    taken.emplace_back(name, static_cast<int64_t>(result.counts.taken[step]));
    undone.emplace_back(name, static_cast<int64_t>(result.counts.undone[step]));
  }
  Document::List tasks;
  for (const auto& [id, task] : result.tasks) {
    tasks.push_back(Document::Table{{"container_id", id.value},
                                    {"task", task.name},
                                    {"role", task.role},
                                    {"revocable", task.revocable},
                                    {"seen_secs", to_secs(task.seen)},
                                    {"suffered_secs", to_secs(task.suffered)},
                                    {"corrected_secs", to_secs(task.corrected)},
                                    {"frozen_secs", to_secs(task.frozen)},
                                    {"steps", static_cast<int64_t>(task.steps)},
                                    {"evicted", task.evicted}});
  }
  return Document::Table{{"settings", one.name},
                         {"readings", static_cast<int64_t>(result.readings)},
                         {"span_secs", to_secs(result.span)},
                         {"allocated_cpu_secs", result.allocated_cpu_secs},
                         {"lent_cpu_secs", result.lent_cpu_secs},
                         {"reclaimed", result.reclaimed()},
                         {"estimates", static_cast<int64_t>(result.estimates)},
                         {"violations", static_cast<int64_t>(result.violations)},
                         {"severity", result.severity},
                         {"taken", std::move(taken)},
                         {"undone", std::move(undone)},
                         {"held_back", static_cast<int64_t>(result.counts.held_back)},
                         {"nobody_to_blame", static_cast<int64_t>(result.counts.nobody)},
                         {"tasks", std::move(tasks)}};
}

}  // namespace

Outcome<int> replay_qos(const Settings& settings, const std::string& recording) {
  std::vector<Contestant> all;
  for (const char* option : {"candidate", "live"}) {
    if (!settings.given(option)) continue;
    auto read = read_settings(settings.text(option));
    if (!read) return std::unexpected(read.error());
    all.push_back({.name = settings.text(option), .settings = *std::move(read), .result = {}});
  }
  if (all.empty()) return usage("replay needs the settings to try: --candidate=FILE");
  for (Contestant& one : all) {
    auto result = run(recording, one.settings, settings.duration("horizon"));
    if (!result) return std::unexpected(result.error());
    one.result = *std::move(result);
  }
  if (all.front().result.readings == 0) {
    return std::unexpected(Failure{kNotFound, recording + ": there are no samples in it"});
  }
  if (!common_of(settings).json) {
    print_text(all);
    return kDone;
  }
  Document::List list;
  for (const Contestant& one : all) list.push_back(json_of(one));
  const Document answer =
      Document::Table{{"caveat", kCaveat}, {"trials", Document(std::move(list))}};
  std::printf("%s\n", to_json(answer, -1).c_str());
  return kDone;
}

}  // namespace tepui::cli
