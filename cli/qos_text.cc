#include "cli/qos_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/text_values.h"

namespace tepui::cli {

namespace {

std::string text_in(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  const std::string* text = found == nullptr ? nullptr : found->text();
  return text == nullptr ? std::string() : *text;
}

std::optional<double> number_in(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  if (found == nullptr) return std::nullopt;
  if (const auto* whole = std::get_if<int64_t>(&found->value())) {
    return static_cast<double>(*whole);
  }
  if (const auto* real = std::get_if<double>(&found->value())) return *real;
  return std::nullopt;
}

bool is_set(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  const bool* flag = found == nullptr ? nullptr : std::get_if<bool>(&found->value());
  return flag != nullptr && *flag;
}

const Document::List& list_in(const Document& document, std::string_view key) {
  static const Document::List kNone;
  const Document* found = document.find(key);
  return found == nullptr || found->list() == nullptr ? kNone : *found->list();
}

WallTime time_in(const Document& document, std::string_view key) {
  const Document* found = document.find(key);
  const auto* whole = found == nullptr ? nullptr : std::get_if<int64_t>(&found->value());
  return WallTime(Duration(whole == nullptr ? 0 : *whole));
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string offered(const Document& said, std::string_view resource) {
  const Document* all = said.find("offered_permille");
  const std::optional<double> permille = all == nullptr ? std::nullopt : number_in(*all, resource);
  return permille ? fmt::format("{:g}", *permille / 10) : "-";
}

std::string who_suffers(const Document& one) {
  return fmt::format("{} {:.0f} {}, above {:.0f}", text_in(one, "signal"),
                     number_in(one, "value").value_or(0), text_in(one, "unit"),
                     number_in(one, "threshold").value_or(0));
}

void explain_correction(const Document& said, const Document& one, std::string& out) {
  const std::string task = text_in(one, "task");
  out += fmt::format("  held against it since {}: {}\n", time_text(time_in(one, "since_ns")),
                     text_in(one, "corrections"));
  for (const Document& decision : list_in(said, "decisions")) {
    if (text_in(decision, "task") != task || is_set(decision, "undone")) continue;
    out +=
        fmt::format("  because {} suffered ({}): {}\n", or_dash(text_in(decision, "victim_task")),
                    text_in(decision, "rule"), who_suffers(decision));
    break;
  }
  const std::optional<double> secs = number_in(one, "undone_in_secs");
  out += secs ? fmt::format("  until: the next step is undone in {:.0f} s if all stay well\n",
                            std::ceil(*secs))
              : "  until those that suffer are well again, and have been for a while\n";
}

}  // namespace

TextTable qos_table(const std::vector<AgentQos>& agents) {
  TextTable table({"AGENT", "POLICY", "ESTIMATOR", "REVOCABLE", "CPU OFFERED %", "MEM OFFERED %",
                   "SUFFERING", "CORRECTED"});
  for (const AgentQos& each : agents) {
    table.add({each.agent.hostname, text_in(each.said, "policy"), text_in(each.said, "estimator"),
               or_dash(text_in(each.said, "revocable")), offered(each.said, "cpu"),
               offered(each.said, "memory"),
               fmt::format("{}", list_in(each.said, "suffering").size()),
               fmt::format("{}", list_in(each.said, "corrected").size())});
  }
  return table;
}

TextTable qos_log(const std::vector<AgentQos>& agents, const std::string& task, size_t count) {
  struct Line {
    WallTime at;
    const AgentQos* agent;
    const Document* decision;
  };
  std::vector<Line> lines;
  for (const AgentQos& each : agents) {
    for (const Document& decision : list_in(each.said, "decisions")) {
      if (!task.empty() && text_in(decision, "task") != task &&
          text_in(decision, "victim_task") != task) {
        continue;
      }
      lines.push_back({time_in(decision, "timestamp_ns"), &each, &decision});
    }
  }
  // Those of one agent and moment in the order in which they were made.
  std::ranges::reverse(lines);
  std::ranges::stable_sort(lines, {}, &Line::at);
  if (lines.size() > count) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  }
  TextTable table({"TIME", "AGENT", "TASK", "STEP", "NOW", "WHY"});
  for (const Line& line : lines) {
    table.add(
        {time_text(line.at), line.agent->agent.hostname, or_dash(text_in(*line.decision, "task")),
         text_in(*line.decision, "step") + (is_set(*line.decision, "undone") ? " undone" : ""),
         text_in(*line.decision, "effect"), text_in(*line.decision, "reason")});
  }
  return table;
}

std::optional<std::string> qos_explanation(const std::vector<AgentQos>& agents,
                                           const std::string& task) {
  for (const AgentQos& each : agents) {
    const auto is_task = [&task](const Document& one) { return text_in(one, "task") == task; };
    const Document::List& corrected = list_in(each.said, "corrected");
    const Document::List& suffering = list_in(each.said, "suffering");
    const auto held = std::ranges::find_if(corrected, is_task);
    const auto suffers = std::ranges::find_if(suffering, is_task);
    const Document::List& decisions = list_in(each.said, "decisions");
    const auto last = std::ranges::find_if(decisions, is_task);
    if (held == corrected.end() && suffers == suffering.end() && last == decisions.end()) continue;
    std::string out = fmt::format("{} on {}:\n", task, each.agent.hostname);
    if (suffers != suffering.end()) {
      out += fmt::format("  suffers ({}) since {}: {}\n", text_in(*suffers, "rule"),
                         time_text(time_in(*suffers, "since_ns")), who_suffers(*suffers));
    }
    if (held != corrected.end()) {
      explain_correction(each.said, *held, out);
    } else if (last != decisions.end()) {
      out += fmt::format("  nothing is held against it; last, at {}: {}{}, {}\n",
                         time_text(time_in(*last, "timestamp_ns")), text_in(*last, "step"),
                         is_set(*last, "undone") ? " undone" : "", text_in(*last, "reason"));
    }
    return out;
  }
  return std::nullopt;
}

}  // namespace tepui::cli
