#pragma once
// Document is a parsed configuration or data file, whatever its syntax: TOML and JSON both become
// one tree of tables, lists and plain values, and a tree can be written as JSON.
//
// The JSON library is named in document_json.cc only, the TOML library in document_toml.cc only.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/result.h"

namespace tepui {

class Document {
 public:
  using List = std::vector<Document>;
  // In the order of the file.
  using Table = std::vector<std::pair<std::string, Document>>;
  using Value = std::variant<std::monostate, bool, int64_t, double, std::string, List, Table>;

  static constexpr int kDepthMax = 64;  // of lists and tables in one another, in either syntax

  Document() = default;
  // Implicit, so that a tree reads as one braced expression.
  Document(bool value) : value_(value) {}
  Document(int64_t value) : value_(value) {}
  Document(int value) : value_(int64_t{value}) {}
  Document(uint32_t value) : value_(int64_t{value}) {}
  Document(size_t value) : value_(static_cast<int64_t>(value)) {}
  Document(double value) : value_(value) {}
  Document(std::string value) : value_(std::move(value)) {}
  Document(std::string_view value) : value_(std::string(value)) {}
  Document(const char* value) : value_(std::string(value)) {}
  Document(List value) : value_(std::move(value)) {}
  Document(Table value) : value_(std::move(value)) {}

  const Value& value() const { return value_; }
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  const Table* table() const { return std::get_if<Table>(&value_); }
  const List* list() const { return std::get_if<List>(&value_); }
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  // The member of a table, or nothing.
  const Document* find(std::string_view key) const;
  // "text", "a number", "a list": for messages about what was found.
  std::string_view type_name() const;

  int line = 0;  // where it stands in its file; 0: not known

 private:
  Value value_;
};

// Errors name line and column as `what` (a file's name) has them: "jobs.toml:3: …".
Result<Document> parse_toml(std::string_view text, std::string_view what);
Result<Document> parse_json(std::string_view text, std::string_view what);
// indent -1: one line. Bytes that are not UTF-8 are replaced, so that the result is always JSON.
std::string to_json(const Document& document, int indent);

}  // namespace tepui
