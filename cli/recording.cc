// recording: what an agent has kept of its containers on disk.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "cli/operate.h"
#include "cli/output.h"
#include "cli/recording_files.h"
#include "cli/text_values.h"
#include "common/io/document.h"

namespace tepui::cli {

namespace {

// From the first entry to the last.
struct Span {
  WallTime first{};
  WallTime last{};
  void add(WallTime at) {
    if (first == WallTime{} || at < first) first = at;
    last = std::max(last, at);
  }
};

struct SegmentSummary {
  AgentId agent_id;
  std::string hostname;
  std::string boot_id;
  Duration interval{};
  Resources total;
  Span span;
  uint64_t samplings = 0;
  uint64_t samples = 0;
  std::set<std::string> containers;
};

struct ContainerSummary {
  ContainerFacts facts;
  Span span;
  uint64_t samples = 0;
  bool ended = false;
};

// All that a recording holds, added up.
class Summary {
 public:
  explicit Summary(std::string task) : task_(std::move(task)) {}

  void add(const RecordingFiles& files, const RecordingReader::Item& item) {
    SegmentSummary& segment = segments_[files.place()];
    segment.span.add(item.now.wall);
    const auto& known = files.reader().containers();
    if (const auto* agent = std::get_if<recorded::Agent>(&item.entry)) {
      segment.agent_id = agent->id;
      segment.hostname = agent->hostname;
      segment.boot_id = agent->boot_id;
      segment.interval = agent->interval;
      segment.total = agent->total;
    } else if (const auto* container = std::get_if<recorded::Container>(&item.entry)) {
      names_[container->number] = container->facts.id;
      if (wants(container->facts)) {
        ContainerSummary& summary = containers_[container->facts.id];
        summary.facts = container->facts;
        summary.span.add(item.now.wall);
      }
    } else if (const auto* ended = std::get_if<recorded::ContainerEnded>(&item.entry)) {
      const auto found = containers_.find(names_[ended->number]);
      if (found != containers_.end()) found->second.ended = true;
    } else {
      ++segment.samplings;
      for (const NumberedSample& one : std::get<recorded::Samples>(item.entry).samples) {
        const ContainerId& id = known.at(one.number).facts.id;
        ++segment.samples;
        segment.containers.insert(id.value);
        const auto found = containers_.find(id);
        if (found == containers_.end()) continue;
        ++found->second.samples;
        found->second.span.add(item.now.wall);
      }
    }
  }

  const std::map<size_t, SegmentSummary>& segments() const { return segments_; }
  const std::map<ContainerId, ContainerSummary>& containers() const { return containers_; }

 private:
  bool wants(const ContainerFacts& facts) const {
    return task_.empty() || std::ranges::any_of(facts.tasks, [this](const ContainerTask& task) {
             return task.id.value == task_;
           });
  }

  const std::string task_;
  std::map<size_t, SegmentSummary> segments_;
  std::map<ContainerId, ContainerSummary> containers_;
  std::map<uint32_t, ContainerId> names_;
};

std::string task_names(const ContainerFacts& facts) {
  std::string names;
  for (const ContainerTask& task : facts.tasks) {
    if (!names.empty()) names += ' ';
    names += task.id.value;
  }
  return names.empty() ? "-" : names;
}

std::string verdict_of(const RecordingFiles::Segment& segment) {
  if (!segment.damage.empty()) return segment.damage;
  return segment.torn ? "its last record is torn, and left out" : "whole";
}

void print_text(const RecordingFiles& files, const Summary& summary) {
  const bool colour = isatty(STDOUT_FILENO) != 0;
  TextTable segments(
      {"SEGMENT", "AGENT", "BEGINS", "ENDS", "CONTAINERS", "SAMPLES", "SIZE", "STATE"});
  for (size_t place = 0; place < files.segments().size(); ++place) {
    const RecordingFiles::Segment& file = files.segments()[place];
    const auto found = summary.segments().find(place);
    const SegmentSummary one = found == summary.segments().end() ? SegmentSummary{} : found->second;
    segments.add({file.path.substr(file.path.rfind('/') + 1),
                  one.hostname.empty() ? "-" : one.hostname, time_text(one.span.first),
                  time_text(one.span.last), fmt::format("{}", one.containers.size()),
                  fmt::format("{}", one.samples), bytes_text(static_cast<double>(file.bytes)),
                  verdict_of(file)});
  }
  TextTable containers(
      {"TASK", "FRAMEWORK", "ROLE", "REQUESTS", "BEGINS", "LASTED", "SAMPLES", "ENDED"});
  for (const auto& [id, one] : summary.containers()) {
    containers.add({task_names(one.facts), one.facts.framework_name,
                    one.facts.tasks.empty() ? "-" : one.facts.tasks.front().role,
                    to_text(one.facts.resources()), time_text(one.span.first),
                    fmt::format("{:.0f}s", to_secs(one.span.last - one.span.first)),
                    fmt::format("{}", one.samples), one.ended ? "yes" : "no"});
  }
  std::fputs(segments.to_text(colour).c_str(), stdout);
  std::fputs("\n", stdout);
  std::fputs(containers.to_text(colour).c_str(), stdout);
}

Document json_of(const Span& span) {
  return Document::Table{{"first_ns", to_ns(span.first)}, {"last_ns", to_ns(span.last)}};
}

void print_json(const RecordingFiles& files, const Summary& summary) {
  Document::List segments;
  for (size_t place = 0; place < files.segments().size(); ++place) {
    const RecordingFiles::Segment& file = files.segments()[place];
    const auto found = summary.segments().find(place);
    const SegmentSummary one = found == summary.segments().end() ? SegmentSummary{} : found->second;
    segments.push_back(Document::Table{{"file", file.path},
                                       {"bytes", static_cast<int64_t>(file.bytes)},
                                       {"torn", file.torn},
                                       {"damage", file.damage},
                                       {"agent_id", one.agent_id.value},
                                       {"hostname", one.hostname},
                                       {"boot_id", one.boot_id},
                                       {"interval_ns", one.interval.count()},
                                       {"resources", to_text(one.total)},
                                       {"span", json_of(one.span)},
                                       {"containers", one.containers.size()},
                                       {"samplings", static_cast<int64_t>(one.samplings)},
                                       {"samples", static_cast<int64_t>(one.samples)}});
  }
  Document::List containers;
  for (const auto& [id, one] : summary.containers()) {
    Document::List tasks;
    for (const ContainerTask& task : one.facts.tasks) {
      tasks.push_back(Document::Table{
          {"id", task.id.value}, {"role", task.role}, {"resources", to_text(task.resources)}});
    }
    containers.push_back(Document::Table{{"container_id", id.value},
                                         {"framework_id", one.facts.framework_id.value},
                                         {"framework", one.facts.framework_name},
                                         {"executor_id", one.facts.executor_id.value},
                                         {"tasks", std::move(tasks)},
                                         {"span", json_of(one.span)},
                                         {"samples", static_cast<int64_t>(one.samples)},
                                         {"ended", one.ended}});
  }
  const Document all =
      Document::Table{{"segments", std::move(segments)}, {"containers", std::move(containers)}};
  std::printf("%s\n", to_json(all, -1).c_str());
}

}  // namespace

Outcome<int> recording(const Settings& settings) {
  if (first(settings.positional("VERB")) != "show") {
    return std::unexpected(usage("recording: expected show").error());
  }
  Result<RecordingFiles> files = RecordingFiles::open(first(settings.positional("PATH")));
  if (!files) return std::unexpected(Failure{kNotFound, files.error().message});
  Summary summary(settings.text("task"));
  while (const auto item = files->next()) summary.add(*files, *item);
  if (settings.flag("json")) {
    print_json(*files, summary);
  } else {
    print_text(*files, summary);
  }
  int status = kDone;
  for (const RecordingFiles::Segment& segment : files->segments()) {
    if (segment.damage.empty()) continue;
    std::fprintf(stderr, "tepui: %s: %s\n", segment.path.c_str(), segment.damage.c_str());
    status = kDamaged;
  }
  return status;
}

}  // namespace tepui::cli
