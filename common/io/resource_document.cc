#include "common/io/resource_document.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/io/files.h"
#include "common/limits.h"

namespace tepui {

namespace {

using Keys = std::initializer_list<std::string_view>;

// A value and where it stands.
struct Value {
  const Document& document;
  std::string at;

  std::unexpected<Error> wrong(std::string_view expected) const {
    const std::string* text = document.text();
    return fail(fmt::format(
        "{} is {}, expected {}", at,
        text != nullptr ? fmt::format("'{}'", *text) : std::string(document.type_name()),
        expected));
  }
};

// A table with no other keys than these.
Result<void> check_table(const Value& value, Keys keys) {
  const Document::Table* table = value.document.table();
  if (table == nullptr) return value.wrong(fmt::format("a table of {}", fmt::join(keys, ", ")));
  for (const auto& [key, member] : *table) {
    if (std::ranges::find(keys, key) != keys.end()) continue;
    return fail(fmt::format("{} has '{}', expected only {}", value.at, key, fmt::join(keys, ", ")));
  }
  return {};
}

std::optional<Value> member(const Value& of, std::string_view key) {
  const Document* found = of.document.find(key);
  if (found == nullptr || found->is_null()) return std::nullopt;
  return Value{.document = *found, .at = fmt::format("{}.{}", of.at, key)};
}

Result<Value> needed(const Value& of, std::string_view key, std::string_view expected) {
  if (std::optional<Value> found = member(of, key)) return *std::move(found);
  return fail(fmt::format("{} has no '{}', expected {}", of.at, key, expected));
}

Result<std::string> text_of(const Value& value) {
  if (const std::string* text = value.document.text()) return *text;
  return value.wrong("text");
}

// The text of a member, or nothing.
Result<std::string> maybe_text(const Value& of, std::string_view key) {
  const std::optional<Value> found = member(of, key);
  return found ? text_of(*found) : std::string();
}

Result<std::vector<Value>> elements(const Value& value, std::string_view expected) {
  const Document::List* list = value.document.list();
  if (list == nullptr) return value.wrong(expected);
  if (list->size() > limits::kResourceItemsMax) {
    return fail(fmt::format("{} has {} elements, at most {} are allowed", value.at, list->size(),
                            limits::kResourceItemsMax));
  }
  std::vector<Value> values;
  values.reserve(list->size());
  for (const Document& element : *list) {
    values.push_back({.document = element, .at = fmt::format("{}[{}]", value.at, values.size())});
  }
  return values;
}

// ------------------------------------------------------------------------------------- amounts

Result<Amount> scalar_of(const Value& scalar) {
  constexpr std::string_view kExpected = "a number above 0 with up to three decimals";
  TRY(check_table(scalar, {"value"}));
  const Value value = TRY(needed(scalar, "value", kExpected));
  double number = 0;
  if (const auto* whole = std::get_if<int64_t>(&value.document.value())) {
    number = static_cast<double>(*whole);
  } else if (const auto* decimal = std::get_if<double>(&value.document.value())) {
    number = *decimal;
  } else {
    return value.wrong(kExpected);
  }
  // Up to 2^53 thousandths a double is exact enough to tell.
  if (!std::isfinite(number) || number <= 0 ||
      number > static_cast<double>(limits::kScalarMilliMax / 1000)) {
    return fail(fmt::format("{} is {}, expected {}, at most {}", value.at, number, kExpected,
                            limits::kScalarMilliMax / 1000));
  }
  const double milli = std::round(number * 1000);
  if (std::abs(number * 1000 - milli) > std::max(1e-6, milli * 1e-12)) {
    return fail(fmt::format("{} is {}, expected {}", value.at, number, kExpected));
  }
  return Amount{static_cast<int64_t>(milli)};
}

Result<uint64_t> bound_of(const Value& range, std::string_view key) {
  constexpr std::string_view kExpected = "a whole number, at least 0";
  const Value value = TRY(needed(range, key, kExpected));
  const auto* number = std::get_if<int64_t>(&value.document.value());
  if (number == nullptr) return value.wrong(kExpected);
  if (*number < 0) return fail(fmt::format("{} is {}, expected {}", value.at, *number, kExpected));
  return static_cast<uint64_t>(*number);
}

Result<Amount> ranges_of(const Value& ranges) {
  constexpr std::string_view kExpected = R"(a list like [{"begin": 31000, "end": 32000}])";
  TRY(check_table(ranges, {"range"}));
  Ranges list;
  for (const Value& range : TRY(elements(TRY(needed(ranges, "range", kExpected)), kExpected))) {
    TRY(check_table(range, {"begin", "end"}));
    const uint64_t first = TRY(bound_of(range, "begin"));
    const uint64_t last = TRY(bound_of(range, "end"));
    if (first > last) {
      return fail(
          fmt::format("{} begins at {} and ends at {}, before that", range.at, first, last));
    }
    list.push_back({.first = first, .last = last});
  }
  if (list.empty())
    return fail(fmt::format("{}.range is empty, expected {}", ranges.at, kExpected));
  return Amount{std::move(list)};
}

Result<Amount> set_of(const Value& set) {
  constexpr std::string_view kExpected = R"(a list like ["a", "b"])";
  TRY(check_table(set, {"item"}));
  Set items;
  for (const Value& item : TRY(elements(TRY(needed(set, "item", kExpected)), kExpected))) {
    items.push_back(TRY(text_of(item)));
    TRY(validate_resource_name(items.back(), item.at));
  }
  if (items.empty()) return fail(fmt::format("{}.item is empty, expected {}", set.at, kExpected));
  return Amount{std::move(items)};
}

// The amount is where the type says, and there alone.
Result<Amount> amount_of(const Value& element) {
  struct Form {
    std::string_view type;
    std::string_view key;
    Result<Amount> (*read)(const Value&);
  };
  constexpr Form kForms[] = {
      {"SCALAR", "scalar", scalar_of}, {"RANGES", "ranges", ranges_of}, {"SET", "set", set_of}};
  const Value type = TRY(needed(element, "type", "SCALAR, RANGES or SET"));
  const std::string named = TRY(text_of(type));
  const auto form = std::ranges::find(kForms, named, &Form::type);
  if (form == std::end(kForms)) return type.wrong("SCALAR, RANGES or SET");
  for (const Form& other : kForms) {
    if (&other == form || !member(element, other.key)) continue;
    return fail(fmt::format("{} is of type {} and has '{}', expected only '{}'", element.at, named,
                            other.key, form->key));
  }
  return form->read(TRY(needed(element, form->key, "the amount, as the type says")));
}

// ------------------------------------------------------------------------------------- the kind

Result<Labels> labels_of(const Value& labels) {
  constexpr std::string_view kExpected = R"({"labels": [{"key": "k", "value": "v"}]})";
  TRY(check_table(labels, {"labels"}));
  Labels read;
  for (const Value& label : TRY(elements(TRY(needed(labels, "labels", kExpected)), kExpected))) {
    TRY(check_table(label, {"key", "value"}));
    read.push_back({.key = TRY(text_of(TRY(needed(label, "key", "text")))),
                    .value = TRY(maybe_text(label, "value"))});
  }
  return read;
}

Result<Reservation> reservation_of(const Value& value) {
  TRY(check_table(value, {"type", "role", "principal", "labels"}));
  const Value type = TRY(needed(value, "type", "STATIC or DYNAMIC"));
  const std::string named = TRY(text_of(type));
  if (named != "STATIC" && named != "DYNAMIC") return type.wrong("STATIC or DYNAMIC");
  Reservation reservation{
      .type = named == "STATIC" ? Reservation::Type::kStatic : Reservation::Type::kDynamic,
      .role = TRY(text_of(TRY(needed(value, "role", "a role, like eng")))),
      .principal = TRY(maybe_text(value, "principal")),
      .labels = {}};
  if (const auto labels = member(value, "labels")) reservation.labels = TRY(labels_of(*labels));
  return reservation;
}

Result<std::vector<Reservation>> reservations_of(const Value& element) {
  std::vector<Reservation> stack;
  const std::optional<Value> list = member(element, "reservations");
  if (list) {
    for (const Value& value : TRY(elements(*list, "a list of reservations, the outermost first"))) {
      stack.push_back(TRY(reservation_of(value)));
    }
  }
  // As it was before reservations could be refined.
  if (const auto role = member(element, "role")) {
    const std::string name = TRY(text_of(*role));
    if (list) {
      return fail(
          fmt::format("{} has 'role' and 'reservations', expected one of them", element.at));
    }
    if (name != "*") stack.push_back({.role = name, .principal = {}, .labels = {}});
  }
  return stack;
}

Result<void> read_source(const Value& source, Disk& disk) {
  TRY(check_table(source, {"type", "path", "mount"}));
  const Value type = TRY(needed(source, "type", "PATH or MOUNT"));
  const std::string named = TRY(text_of(type));
  if (named != "PATH" && named != "MOUNT") return type.wrong("PATH or MOUNT");
  const bool is_path = named == "PATH";
  const std::string_view key = is_path ? "path" : "mount";
  const std::string_view other = is_path ? "mount" : "path";
  if (member(source, other)) {
    return fail(fmt::format("{} is of type {} and has '{}', expected only '{}'", source.at, named,
                            other, key));
  }
  const Value place = TRY(needed(source, key, R"({"root": "/mnt/disk1"})"));
  TRY(check_table(place, {"root"}));
  disk.source = is_path ? Disk::Source::kPath : Disk::Source::kMount;
  const Value root = TRY(needed(place, "root", "an absolute path"));
  disk.source_root = TRY(text_of(root));
  if (!disk.source_root.starts_with('/')) return root.wrong("an absolute path");
  return {};
}

Result<void> read_volume(const Value& volume, Disk& disk) {
  TRY(check_table(volume, {"container_path", "mode"}));
  disk.container_path =
      TRY(text_of(TRY(needed(volume, "container_path", "a path below the sandbox"))));
  const std::optional<Value> mode = member(volume, "mode");
  if (!mode) return {};
  const std::string named = TRY(text_of(*mode));
  if (named != "RW" && named != "RO") return mode->wrong("RW or RO");
  disk.read_only = named == "RO";
  return {};
}

Result<Disk> disk_of(const Value& value) {
  TRY(check_table(value, {"source", "persistence", "volume"}));
  Disk disk;
  if (const auto source = member(value, "source")) TRY(read_source(*source, disk));
  if (const auto persistence = member(value, "persistence")) {
    TRY(check_table(*persistence, {"id", "principal"}));
    disk.persistence_id = TRY(text_of(TRY(needed(*persistence, "id", "the id of a volume"))));
    disk.principal = TRY(maybe_text(*persistence, "principal"));
  }
  if (const auto volume = member(value, "volume")) TRY(read_volume(*volume, disk));
  return disk;
}

// `"revocable": {}`; it is there or it is not.
Result<bool> is_marked(const Value& element, std::string_view key) {
  const std::optional<Value> mark = member(element, key);
  if (!mark) return false;
  const Document::Table* table = mark->document.table();
  if (table == nullptr || !table->empty()) return mark->wrong("{}");
  return true;
}

Result<Resource> resource_of(const Value& element) {
  TRY(check_table(element, {"name", "type", "scalar", "ranges", "set", "role", "reservations",
                            "disk", "revocable", "shared"}));
  ResourceKind kind{.name = TRY(text_of(TRY(needed(element, "name", "a name, like cpus")))),
                    .reservations = TRY(reservations_of(element)),
                    .disk = std::nullopt};
  if (const auto disk = member(element, "disk")) {
    kind.disk = TRY(disk_of(*disk));
    if (*kind.disk == Disk{}) kind.disk.reset();
  }
  kind.revocable = TRY(is_marked(element, "revocable"));
  kind.shared = TRY(is_marked(element, "shared"));
  Resource resource{.kind = make_kind(std::move(kind)), .amount = TRY(amount_of(element))};
  // Alone, so that what is wrong has its place.
  if (Result<Resources> valid = Resources::create({resource}); !valid) {
    return std::unexpected(std::move(valid).error().in(element.at));
  }
  return resource;
}

bool is_json(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '[';
}

Result<Resources> parse_given(std::string_view text, std::string_view what) {
  if (is_json(text)) return parse_resources(TRY(parse_json(text, what)), what);
  while (text.ends_with('\n')) text.remove_suffix(1);
  Result<Resources> parsed = Resources::parse(text);
  if (!parsed) return std::unexpected(std::move(parsed).error().in(what));
  return parsed;
}

}  // namespace

Result<Resources> parse_resources(const Document& document, std::string_view what) {
  const Value whole{.document = document, .at = std::string(what)};
  std::vector<Resource> items;
  std::set<std::string> mounted;
  for (const Value& element : TRY(elements(whole, "a list of resources"))) {
    items.push_back(TRY(resource_of(element)));
    const std::optional<Disk>& disk = items.back().kind->disk;
    if (!disk || disk->source != Disk::Source::kMount || mounted.insert(disk->source_root).second) {
      continue;
    }
    return fail(
        fmt::format("{}.disk.source.mount.root is '{}' once more; a mounted disk goes only "
                    "as a whole, so it is one element",
                    element.at, disk->source_root));
  }
  Result<Resources> made = Resources::create(std::move(items));
  if (!made) return std::unexpected(std::move(made).error().in(what));
  return made;
}

Result<Resources> read_resources(const std::string& given, std::string_view what) {
  constexpr std::string_view kFile = "file://";
  const bool is_file = given.starts_with(kFile);
  if (!is_file && !given.starts_with('/')) return parse_given(given, what);
  const std::string path = is_file ? given.substr(kFile.size()) : given;
  Result<std::string> text = read_file(path, limits::kResourceFileBytesMax);
  if (!text) return std::unexpected(std::move(text).error().in(what));
  return parse_given(*text, path);
}

}  // namespace tepui
