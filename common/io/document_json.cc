#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/io/document.h"

namespace tepui {

namespace {

using Json = nlohmann::ordered_json;

Result<Document> from_json(const Json& json, std::string_view what, int depth) {
  if (depth > Document::kDepthMax)
    return fail(fmt::format("{}: nested deeper than {}", what, Document::kDepthMax));
  if (json.is_boolean()) return Document(json.get<bool>());
  if (json.is_number_integer()) {
    if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) {
      return fail(fmt::format("{}: {} is too large", what, json.get<uint64_t>()));
    }
    return Document(json.get<int64_t>());
  }
  if (json.is_number()) return Document(json.get<double>());
  if (json.is_string()) return Document(json.get<std::string>());
  if (json.is_array()) {
    Document::List list;
    for (const Json& item : json) list.push_back(TRY(from_json(item, what, depth + 1)));
    return Document(std::move(list));
  }
  if (json.is_object()) {
    Document::Table table;
    for (const auto& [key, item] : json.items()) {
      table.emplace_back(key, TRY(from_json(item, what, depth + 1)));
    }
    return Document(std::move(table));
  }
  return Document();
}

Json into_json(const Document& document) {
  return std::visit(
      [](const auto& value) -> Json {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, Document::List>) {
          Json out = Json::array();
          for (const Document& item : value) out.push_back(into_json(item));
          return out;
        } else if constexpr (std::is_same_v<T, Document::Table>) {
          Json out = Json::object();
          for (const auto& [key, item] : value) out[key] = into_json(item);
          return out;
        } else {
          return value;
        }
      },
      document.value());
}

// Where the parser stopped; it only tells it to a handler.
struct Position final : nlohmann::json_sax<Json> {
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth <= Document::kDepthMax; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return --depth, true; }
  bool start_array(std::size_t) override { return ++depth <= Document::kDepthMax; }
  bool end_array() override { return --depth, true; }
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception&) override {
    at = position;
    last = token;
    return false;
  }

  int depth = 0;
  size_t at = 0;
  std::string last;
};

}  // namespace

const Document* Document::find(std::string_view key) const {
  if (const Table* members = table()) {
    for (const auto& [name, member] : *members) {
      if (name == key) return &member;
    }
  }
  return nullptr;
}

std::string_view Document::type_name() const {
  constexpr std::string_view kNames[] = {"nothing", "true or false", "a whole number", "a number",
                                         "text",    "a list",        "a table"};
  return kNames[value_.index()];
}

Result<Document> parse_json(std::string_view text, std::string_view what) {
  Position position;
  if (!Json::sax_parse(text, &position)) {
    if (position.depth > Document::kDepthMax) {
      return fail(fmt::format("{}: nested deeper than {}", what, Document::kDepthMax));
    }
    const std::string_view before = text.substr(0, position.at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    return fail(fmt::format("{}:{}: not JSON, at '{}'", what, line, position.last));
  }
  return from_json(Json::parse(text, nullptr, false), what, 0);
}

std::string to_json(const Document& document, int indent) {
  return into_json(document).dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tepui
