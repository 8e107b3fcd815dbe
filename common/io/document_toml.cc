#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>

#include "common/io/document.h"

namespace tepui {

namespace {

Result<Document> from_toml(const toml::node& node, std::string_view what) {
  const auto line = static_cast<int>(node.source().begin.line);
  Document out;
  if (const auto* table = node.as_table()) {
    Document::Table members;
    for (const auto& [key, member] : *table) {
      members.emplace_back(std::string(key.str()), TRY(from_toml(member, what)));
    }
    // toml++ sorts keys; the file's order is what a person expects of lists of tasks.
    std::ranges::stable_sort(
        members, [](const auto& a, const auto& b) { return a.second.line < b.second.line; });
    out = Document(std::move(members));
  } else if (const auto* array = node.as_array()) {
    Document::List list;
    for (const toml::node& item : *array) list.push_back(TRY(from_toml(item, what)));
    out = Document(std::move(list));
  } else if (const auto* text = node.as_string()) {
    out = Document(text->get());
  } else if (const auto* integer = node.as_integer()) {
    out = Document(integer->get());
  } else if (const auto* real = node.as_floating_point()) {
    out = Document(real->get());
  } else if (const auto* boolean = node.as_boolean()) {
    out = Document(boolean->get());
  } else {
    return fail(fmt::format("{}:{}: dates and times have no meaning here; write text in quotes",
                            what, line));
  }
  out.line = line;
  return out;
}

}  // namespace

Result<Document> parse_toml(std::string_view text, std::string_view what) {
  const toml::parse_result parsed = toml::parse(text, what);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(fmt::format("{}:{}: not TOML: {}", what, error.source().begin.line,
                            std::string_view(error.description())));
  }
  return from_toml(parsed.table(), what);
}

}  // namespace tepui
