// Without exceptions the parser returns its errors, but asserts where it would have thrown.
#define TOML_ASSERT(condition) static_cast<void>(0)
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

// The line of the first byte beyond ASCII outside quotes and comments, or 0. TOML allows none
// there, and some of them lead the parser of toml++ 3.3 into undefined behaviour.
int line_of_stray_byte(std::string_view text) {
  enum class In : uint8_t { kNothing, kComment, kText };
  In in = In::kNothing;
  std::string_view quote;  // that ends the text: one or three of the same
  int line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (is_control && c != '\t' && c != '\n' && c != '\r') return line;
    if (c == '\n') {
      ++line;
      if (in == In::kComment || quote.size() == 1) in = In::kNothing;
    } else if (in == In::kNothing) {
      if (static_cast<unsigned char>(c) >= 0x80) return line;
      if (c == '#') in = In::kComment;
      if (c != '"' && c != '\'') continue;
      in = In::kText;
      const std::string_view three = text.substr(i, 3);
      quote = three == "\"\"\"" || three == "'''" ? three : text.substr(i, 1);
      i += quote.size() - 1;
    } else if (in == In::kText) {
      if (c == '\\' && quote[0] == '"') {
        ++i;
      } else if (text.substr(i).starts_with(quote)) {
        i += quote.size() - 1;
        in = In::kNothing;
      }
    }
  }
  return 0;
}

}  // namespace

Result<Document> parse_toml(std::string_view text, std::string_view what) {
  if (const int line = line_of_stray_byte(text); line != 0) {
    return fail(fmt::format("{}:{}: not TOML: a control character, or not ASCII outside quotes",
                            what, line));
  }
  const toml::parse_result parsed = toml::parse(text, what);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(fmt::format("{}:{}: not TOML: {}", what, error.source().begin.line,
                            std::string_view(error.description())));
  }
  return from_toml(parsed.table(), what);
}

}  // namespace tepui
