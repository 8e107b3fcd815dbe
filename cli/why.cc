// why: what stands between a framework and its offers.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/operate.h"
#include "cli/output.h"
#include "common/io/document.h"

namespace tepui::cli {

namespace {

std::string text_of(const Explanation::Role& role, bool colour) {
  std::string text = fmt::format("role {}", role.role);
  if (!role.active) text += ", not connected or too slow";
  if (role.suppressed) text += ", suppressed";
  if (role.paused) text += ", no offers yet after an election";
  text += "\n";
  TextTable table({"AGENTS", "WHY", "WHAT WOULD CHANGE IT"});
  std::vector<Explanation::Cause> causes = role.causes;
  std::ranges::stable_sort(causes, std::greater{}, &Explanation::Cause::agents);
  for (const Explanation::Cause& cause : causes) {
    table.add({std::to_string(cause.agents), cause.name, cause.advice});
  }
  if (!table.empty()) text += table.to_text(colour);
  return text + fmt::format("To change it: {}.\n", role.advice);
}

Document json_of(const Explanation& explanation) {
  Document::List roles;
  for (const Explanation::Role& role : explanation.roles) {
    Document::List causes;
    for (const Explanation::Cause& cause : role.causes) {
      causes.push_back(
          Document::Table{{"why", cause.name}, {"agents", cause.agents}, {"advice", cause.advice}});
    }
    roles.push_back(Document::Table{{"role", role.role},
                                    {"active", role.active},
                                    {"suppressed", role.suppressed},
                                    {"paused", role.paused},
                                    {"causes", std::move(causes)},
                                    {"advice", role.advice}});
  }
  return roles;
}

}  // namespace

Outcome<int> why(const Settings& settings) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto answer = (*client)->command(
      Explain{.framework_id = FrameworkId{first(settings.positional("FRAMEWORK"))},
              .role = first(settings.positional("ROLE"))});
  if (!answer) {
    return std::unexpected(
        Failure{(*client)->was_refused() ? kNotFound : kNoMaster, answer.error().message});
  }
  const Explanation explanation = answer->value_or(Explanation{});
  std::string text;
  if (common.json) {
    text = to_json(json_of(explanation), 2) + "\n";
  } else {
    for (const Explanation::Role& role : explanation.roles) {
      text += (text.empty() ? "" : "\n") + text_of(role, isatty(STDOUT_FILENO) != 0);
    }
  }
  std::fputs(text.c_str(), stdout);
  return kDone;
}

}  // namespace tepui::cli
