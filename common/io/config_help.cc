#include "common/io/config_help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "common/io/command_line.h"

namespace tepui {

namespace {

constexpr size_t kWidth = 96;
constexpr size_t kIndent = 6;

// Breaks `text` into lines; each begins with `indent` spaces. Its own line breaks stay.
std::string wrapped(std::string_view text, size_t indent) {
  std::string out;
  size_t column = 0;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const bool is_paragraph = begin > 0 && text[begin - 1] == '\n';
    if (is_paragraph || (column > 0 && column + 1 + word.size() > kWidth)) {
      out += '\n';
      column = 0;
    }
    begin = end + 1;
    if (word.empty()) continue;
    if (column == 0) {
      out.append(indent, ' ');
      column = indent;
    } else {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

std::string_view placeholder(OptionKind kind) {
  switch (kind) {
    case OptionKind::kText:
    case OptionKind::kTexts:
      return "TEXT";
    case OptionKind::kFlag:
      return "";
    case OptionKind::kInteger:
    case OptionKind::kMilli:
      return "NUMBER";
    case OptionKind::kDuration:
      return "DURATION";
    case OptionKind::kBytes:
      return "BYTES";
    case OptionKind::kList:
      return "A,B,...";
  }
  return "";
}

std::string describe(const Option& option) {
  std::string head = "  ";
  if (!option.letter.empty()) head += fmt::format("-{}, ", option.letter);
  head += "--" + option.name;
  if (!option.choices.empty()) {
    head += fmt::format("={}", fmt::join(option.choices, "|"));
  } else if (option.kind != OptionKind::kFlag) {
    head += fmt::format("={}", placeholder(option.kind));
  }
  std::string help = option.help;
  if (option.kind == OptionKind::kTexts) help += " May be repeated.";
  if (!option.fallback.empty()) help += fmt::format(" Default: {}.", option.fallback);
  if (option.need == OptionNeed::kRequired) help += " Required.";
  return head + "\n" + wrapped(help, kIndent);
}

// In groups, in the order in which the groups appear in the table.
std::string describe_all(const std::vector<const Option*>& options) {
  std::vector<std::string> groups;
  for (const Option* option : options) {
    if (std::ranges::find(groups, option->group) == groups.end()) groups.push_back(option->group);
  }
  std::string out;
  for (const std::string& group : groups) {
    out += "\n" + group + ":\n";
    for (const Option* option : options) {
      if (option->group == group) out += describe(*option);
    }
  }
  return out;
}

std::string usage(const Program& program, const Command* command) {
  std::string line = "Usage: " + program.name;
  if (command == nullptr) {
    return line + (program.commands.empty() ? " [--OPTION...]\n" : " COMMAND [--OPTION...]\n");
  }
  line += " " + command->name + " [--OPTION...]";
  for (const Positional& each : command->positionals) {
    std::string name = each.name + (each.repeats ? "..." : "");
    line += each.need == OptionNeed::kRequired ? " " + name : " [" + name + "]";
  }
  if (!command->rest.empty()) line += " -- " + command->rest;
  return line + "\n";
}

void collect(const std::vector<Option>& from, std::vector<const Option*>& into) {
  for (const Option& option : from) into.push_back(&option);
}

}  // namespace

std::string help_text(const Program& program, std::string_view command) {
  const Command* chosen = nullptr;
  for (const Command& each : program.commands) {
    if (each.name == command) chosen = &each;
  }
  const std::string& examples = chosen == nullptr ? program.examples : chosen->examples;
  std::string out = usage(program, chosen) + "\n";
  out += wrapped(chosen == nullptr ? program.description : chosen->help, 0);
  std::vector<const Option*> options;
  if (chosen == nullptr) {
    size_t longest = 0;
    for (const Command& each : program.commands) longest = std::max(longest, each.name.size());
    if (!program.commands.empty()) out += "\nCommands:\n";
    for (const Command& each : program.commands) {
      const std::string_view first = std::string_view(each.help).substr(0, each.help.find('.') + 1);
      out += fmt::format("  {:<{}}  {}\n", each.name, longest, first);
    }
  } else {
    if (!chosen->positionals.empty()) out += "\nArguments:\n";
    for (const Positional& each : chosen->positionals) {
      out += "  " + each.name + "\n" + wrapped(each.help, kIndent);
    }
    collect(chosen->options, options);
  }
  collect(program.options, options);
  collect(standard_options(), options);
  out += describe_all(options);
  out += "\n" + wrapped(
                    "Every option can also be set by an environment variable "
                    "(--log-level as TEPUI_LOG_LEVEL) or a key of the --config file "
                    "(log-level = \"debug\"). A flag wins over the environment, that over "
                    "the file.",
                    0);
  if (!examples.empty()) out += "\nExamples:\n" + examples + (examples.ends_with('\n') ? "" : "\n");
  return out;
}

}  // namespace tepui
