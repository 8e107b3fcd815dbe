#include "common/io/document_entries.h"

#include <fmt/format.h>

#include <utility>

namespace tepui {

namespace {

void collect(const Document& document, const std::string& path, Entries& entries) {
  const auto add = [&](auto value) {
    entries.push_back({.path = path, .value = std::move(value), .line = document.line});
  };
  if (const auto* table = document.table()) {
    for (const auto& [key, value] : *table) {
      collect(value, path.empty() ? key : fmt::format("{}.{}", path, key), entries);
    }
  } else if (const auto* list = document.list()) {
    if (list->empty()) entries.push_back({.path = path + "[]", .value = "", .line = document.line});
    for (size_t place = 0; place < list->size(); ++place) {
      collect((*list)[place], fmt::format("{}[{}]", path, place), entries);
    }
  } else if (const auto* flag = std::get_if<bool>(&document.value())) {
    add(*flag);
  } else if (const auto* number = std::get_if<int64_t>(&document.value())) {
    add(*number);
  } else if (const auto* real = std::get_if<double>(&document.value())) {
    add(*real);
  } else if (const auto* text = document.text()) {
    add(*text);
  }
}

}  // namespace

Entries entries_of(const Document& document) {
  Entries entries;
  collect(document, "", entries);
  return entries;
}

Entries entries_in(const Document& document, std::string_view table) {
  const Document* found = document.find(table);
  return found == nullptr ? Entries() : entries_of(*found);
}

}  // namespace tepui
