// replay: a core run again from its journal.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent_replay.h"
#include "cli/mapped_file.h"
#include "cli/operate.h"
#include "common/io/document.h"
#include "common/io/journal_file.h"
#include "common/io/log.h"
#include "master/journal_replay.h"

namespace tepui::cli {

namespace {

// Prints what happens, stamped with the time at which it happened first.
class Printer final : public EventSink {
 public:
  explicit Printer(bool events) : events_(events) {}
  void watch(const ReplayProgress& progress) { progress_ = &progress; }
  void on_event(const Event& event) override {
    if (!events_) return;
    fmt::print("{}\n", human_line(progress_->now.wall, describe(event), Colour::kOnTerminal));
  }

 private:
  const bool events_;
  const ReplayProgress* progress_ = nullptr;
};

struct Replayed {
  std::string_view core;  // "master" or "agent"
  ReplayProgress progress;
  std::vector<std::pair<std::string_view, uint64_t>> totals;  // how many of what, at the end
  bool stopped = false;                                       // where it was asked to
  std::string difference;                                     // empty: it did the same
};

void take_totals(const JournalReplay& replay, Replayed& replayed) {
  replayed.core = "master";
  if (replay.master() == nullptr) return;
  const MasterTotals totals = replay.master()->totals();
  replayed.totals = {{"agents_active", totals.agents_active},
                     {"frameworks_active", totals.frameworks_active},
                     {"tasks", totals.tasks},
                     {"offers", totals.offers}};
}

void take_totals(const AgentReplay& replay, Replayed& replayed) {
  replayed.core = "agent";
  if (replay.agent() == nullptr) return;
  const AgentTotals totals = replay.agent()->totals();
  replayed.totals = {{"frameworks", totals.frameworks},
                     {"containers", totals.containers},
                     {"tasks", totals.tasks},
                     {"updates_pending", totals.updates_pending}};
}

template <class Replay>
Replayed run_again(std::span<const std::byte> journal, const Settings& settings) {
  Printer printer(settings.flag("events"));
  Replay replay(journal, printer);
  printer.watch(replay.progress());
  const auto until = static_cast<uint64_t>(settings.integer("until"));
  Replayed replayed;
  while (true) {
    if (until != 0 && replay.progress().records == until) {
      replayed.stopped = true;
      break;
    }
    const Result<bool> more = replay.step();
    if (!more) {
      replayed.difference = more.error().message;
      break;
    }
    if (!*more) break;
    if (settings.flag("inputs")) {
      fmt::print("{:8} {}\n", replay.progress().records, replay.newest());
    }
  }
  replayed.progress = replay.progress();
  take_totals(replay, replayed);
  return replayed;
}

// The head says whose journal it is; what is damaged is told by the replay of a master.
bool is_of_an_agent(std::span<const std::byte> journal) {
  JournalReader reader(journal);
  const Result<std::optional<JournalRecord>> head = reader.next();
  return head && *head && (*head)->subject == kAgentJournal;
}

Document json_of(const std::string& path, const Replayed& replayed) {
  Document::Table out{{"journal", path},
                      {"core", replayed.core},
                      {"same", replayed.difference.empty()},
                      {"difference", replayed.difference},
                      {"records", static_cast<int64_t>(replayed.progress.records)},
                      {"turns", static_cast<int64_t>(replayed.progress.turns)},
                      {"hash", fmt::format("{:016x}", replayed.progress.hash)},
                      {"torn", replayed.progress.torn},
                      {"stopped", replayed.stopped}};
  for (const auto& [name, count] : replayed.totals) {
    out.emplace_back(std::string(name), static_cast<int64_t>(count));
  }
  return out;
}

std::string text_of(const std::string& path, const Replayed& replayed) {
  const ReplayProgress& progress = replayed.progress;
  std::string text =
      fmt::format("{}: {} records, {} turns", path, progress.records, progress.turns);
  if (progress.records == 0 && replayed.difference.empty()) {
    return text + "; the program ended before it wrote any\n";
  }
  if (!replayed.difference.empty()) return text + ", then: " + replayed.difference + "\n";
  text += fmt::format(", all with the same outputs (hash {:016x})", progress.hash);
  if (replayed.stopped) text += "; stopped as asked";
  if (progress.torn) text += "; the last record was torn, and ignored";
  text += "\n  at the end:";
  for (const auto& [name, count] : replayed.totals) text += fmt::format(" {} {}", count, name);
  return text + "\n";
}

}  // namespace

Outcome<int> replay(const Settings& settings) {
  const bool json = common_of(settings).json;
  const Result<std::vector<std::string>> paths = find_journals(first(settings.positional("PATH")));
  if (!paths) return std::unexpected(Failure{kNotFound, paths.error().message});
  if (settings.given("until") && paths->size() > 1) {
    return usage(fmt::format("--until needs one journal, and there are {}: name one of them",
                             paths->size()));
  }
  Document::List all;
  int status = kDone;
  for (const std::string& path : *paths) {
    const Result<MappedFile> file = MappedFile::open(path);
    if (!file) return std::unexpected(Failure{kNotFound, file.error().message});
    const Replayed replayed = is_of_an_agent(file->bytes())
                                  ? run_again<AgentReplay>(file->bytes(), settings)
                                  : run_again<JournalReplay>(file->bytes(), settings);
    if (!replayed.difference.empty()) status = kTasksFailed;
    if (json) {
      all.push_back(json_of(path, replayed));
    } else {
      std::fputs(text_of(path, replayed).c_str(), stdout);
    }
  }
  if (json) fmt::print("{}\n", to_json(all, 2));
  return status;
}

}  // namespace tepui::cli
