#include "common/io/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

namespace tepui {

namespace {

struct Reader {
  std::vector<std::pair<std::string, CLI::Option*>> options;
  std::vector<std::pair<std::string, CLI::Option*>> positionals;
};

void add_options(CLI::App& app, const std::vector<Option>& options, Reader& reader) {
  for (const Option& option : options) {
    std::string names = "--" + option.name;
    if (!option.letter.empty()) names = "-" + option.letter + "," + names;
    CLI::Option* added = nullptr;
    if (option.kind == OptionKind::kFlag) {
      added = app.add_flag(names);
    } else {
      // One value each time; how often it may come is checked by whoever asked.
      added = app.add_option(names)->type_size(1)->expected(1);
    }
    added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    reader.options.emplace_back(option.name, added);
  }
}

void add_positionals(CLI::App& app, const Command& command, Reader& reader) {
  for (const Positional& each : command.positionals) {
    CLI::Option* added = app.add_option(each.name)->type_size(1);
    added->expected(1, each.repeats ? CLI::detail::expected_max_vector_size : 1)
        ->allow_extra_args(each.repeats);
    reader.positionals.emplace_back(each.name, added);
  }
}

void collect(const Reader& reader, CommandLine& into) {
  for (const auto& [name, option] : reader.options) {
    if (option->count() == 0) continue;
    std::vector<std::string>& texts = into.options[name];
    for (const std::string& text : option->results()) texts.push_back(text);
  }
  for (const auto& [name, option] : reader.positionals) {
    if (option->count() > 0) into.positionals[name] = option->results();
  }
}

std::string names_of(const std::vector<Command>& commands) {
  std::string names;
  for (const Command& each : commands) names += (names.empty() ? "" : ", ") + each.name;
  return names;
}

Error describe_extra(const Program& program, const CommandLine& line, const std::string& extra) {
  if (extra.size() > 1 && extra[0] == '-') {
    return Error{.message = fmt::format("unknown flag {}", extra.substr(0, extra.find('=')))};
  }
  if (!program.commands.empty() && line.command.empty()) {
    return Error{.message = fmt::format("unknown command '{}', expected one of {}", extra,
                                        names_of(program.commands))};
  }
  return Error{.message = fmt::format("unexpected argument '{}'", extra)};
}

// CLI11 names the option first: "--port: 1 required TEXT missing".
std::string describe_missing_value(const std::string& what) {
  const size_t end = what.find_first_of(": ");
  return fmt::format("{} needs a value", what.substr(0, end));
}

Result<CommandLine> read(const Program& program, std::vector<std::string> words) {
  CommandLine line;
  const auto dashes = std::ranges::find(words, "--");
  const bool has_rest = dashes != words.end();
  if (has_rest) line.rest.assign(dashes + 1, words.end());
  words.erase(dashes, words.end());

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.require_subcommand(0, 1);  // a task may have the name of a command: tepui kill run
  Reader reader;
  add_options(app, program.options, reader);
  add_options(app, standard_options(), reader);
  std::vector<Reader> readers(program.commands.size());
  std::vector<CLI::App*> apps;
  for (size_t i = 0; i < program.commands.size(); ++i) {
    apps.push_back(app.add_subcommand(program.commands[i].name));
    apps.back()->set_help_flag();
    apps.back()->allow_extras();
    apps.back()->fallthrough();
    add_options(*apps.back(), program.commands[i].options, readers[i]);
    add_positionals(*apps.back(), program.commands[i], readers[i]);
  }

  // CLI11 takes them from the back.
  std::ranges::reverse(words);
  app.parse(std::move(words));
  collect(reader, line);
  bool takes_rest = false;
  for (size_t i = 0; i < apps.size(); ++i) {
    if (!apps[i]->parsed()) continue;
    line.command = program.commands[i].name;
    takes_rest = !program.commands[i].rest.empty();
    collect(readers[i], line);
  }
  const std::vector<std::string> extras = app.remaining(true);
  if (!extras.empty()) return std::unexpected(describe_extra(program, line, extras.front()));
  if (has_rest && !takes_rest) return fail("nothing is expected after --");
  return line;
}

}  // namespace

const std::vector<Option>& standard_options() {
  static const std::vector<Option> options = {
      {.name = "config",
       .help = "Read options from this TOML file; flags and environment variables win over it.",
       .group = "General"},
      {.name = "help",
       .kind = OptionKind::kFlag,
       .help = "Show this.",
       .group = "General",
       .letter = "h"},
      {.name = "version",
       .kind = OptionKind::kFlag,
       .help = "Show version and commit.",
       .group = "General"},
  };
  return options;
}

Result<CommandLine> read_command_line(const Program& program, int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) words.emplace_back(argv[i]);
  try {
    return read(program, std::move(words));
  } catch (const CLI::ArgumentMismatch& error) {
    return fail(describe_missing_value(error.what()));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace tepui
