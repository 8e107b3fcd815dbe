#include "tests/layout/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

namespace tepui::layout {

namespace {

using Names = std::set<std::string, std::less<>>;

// The longest of these that a path begins with is its zone.
const std::map<std::string, Names, std::less<>>& zones() {
  // zone -> the zones it may include
  static const std::map<std::string, Names, std::less<>> table = {
      {"schemas", {}},
      {"ebpf", {"ebpf"}},
      {"common", {"common"}},
      {"common/io", {"common", "common/io"}},
      {"master", {"common", "master"}},
      {"master/shell", {"common", "common/io", "master", "master/shell"}},
      {"agent", {"common", "agent"}},
      {"agent/linux", {"common", "common/io", "agent", "agent/linux", "ebpf"}},
      {"agent/fetch", {"common", "common/io", "agent", "agent/linux", "agent/fetch"}},
      {"agent/shell", {"common", "common/io", "agent", "agent/linux", "agent/shell"}},
      {"sdk", {"common", "common/io", "sdk"}},
      // The cores only: to run a journal again.
      {"cli", {"common", "common/io", "sdk", "master", "agent", "cli"}},
      {"perf", {}},   // anything
      {"tests", {}},  // anything
  };
  return table;
}

std::string_view zone_of(std::string_view path) {
  std::string_view best;
  for (const auto& [zone, allowed] : zones()) {
    if (path.starts_with(zone) && path.substr(zone.size()).starts_with("/") &&
        zone.size() > best.size()) {
      best = zone;
    }
  }
  return best;
}

bool is_product(std::string_view zone) { return zone != "perf" && zone != "tests"; }

bool is_pure(std::string_view path) {
  const std::string_view zone = zone_of(path);
  return zone == "common" || zone == "master" || zone == "agent" ||
         path.starts_with("sdk/scheduler") || path.starts_with("sdk/executor.");
}

bool is_wire(std::string_view path) {
  return path.ends_with("_wire.cc") || path.ends_with("_wire.h");
}

bool is_header(std::string_view path) { return path.ends_with(".h"); }

// What a pure file may include of the standard library: no clock, thread, stream, file, random
// source or locale.
const Names kPureStandard = {
    "algorithm",   "array",         "bit",           "bitset",           "cctype",
    "cerrno",      "charconv",      "chrono",        "climits",          "cmath",
    "compare",     "concepts",      "cstddef",       "cstdint",          "cstring",
    "deque",       "expected",      "functional",    "initializer_list", "iterator",
    "limits",      "list",          "map",           "memory",           "new",
    "numeric",     "optional",      "queue",         "ranges",           "set",
    "span",        "stack",         "string",        "string_view",      "tuple",
    "type_traits", "unordered_map", "unordered_set", "utility",          "variant",
    "vector"};

// CHECK prints its line and aborts.
bool is_exempt(std::string_view path, std::string_view header) {
  return path == "common/check.h" && (header == "cstdio" || header == "cstdlib");
}

bool is_pure_library(std::string_view path, std::string_view header) {
  if (header.starts_with("flatbuffers/")) return is_wire(path);
  return header.starts_with("fmt/") || header == "xxhash.h" || header == "re2/re2.h";
}

// Libraries that have one home.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kHomes = {{
    {"liburing", "common/io"},
    {"rte_", "common/io"},
    {"openssl/", "agent/fetch"},
    {"CLI/", "common/io"},
    {"toml++/", "common/io"},
    {"spdlog/", "common/io"},
    {"boost/", "common/io"},
    {"bpf/", "agent/linux"},
    {"seccomp", "agent/linux"},
    {"sys/capability", "agent/linux"},
    {"curl/", "agent/fetch"},
    {"jemalloc/", "common/io"},
    {"http_parser.h", "agent/shell"},
}};

// Libraries that one file wraps for all others.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kWrapped = {{
    {"zookeeper/", "common/io/zookeeper.cc"},
    {"archive.h", "agent/fetch/archive.cc"},
    {"archive_entry.h", "agent/fetch/archive.cc"},
    {"curl/", "agent/fetch/download.cc"},
    {"openssl/", "agent/fetch/sha256.cc"},
}};

// Headers that cost seconds to compile.
constexpr std::array<std::string_view, 5> kHeavy = {"CLI/", "toml++/", "spdlog/", "boost/beast",
                                                    "nlohmann/"};

// Clocks, threads, environment, randomness. Looked for in code, not in comments and strings.
constexpr std::array<std::string_view, 15> kImpure = {
    "steady_clock", "system_clock", "high_resolution_clock", "clock_gettime", "gettimeofday",
    "getenv",       "setenv",       "random_device",         "mt19937",       "rand",
    "srand",        "this_thread",  "thread_local",          "usleep",        "nanosleep"};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) {
      return true;
    }
  }
  return false;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Without a comment at its end and the insides of its strings. Enough for lines of clang-format's
// making; block comments and raw strings are not taken apart.
std::string code_of(std::string_view line) {
  std::string code;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quote == 0 && line.substr(i).starts_with("//")) break;
    const bool escaped = quote != 0 && line[i] == '\\';
    if (quote == 0 && (line[i] == '"' || (line[i] == '\'' && (i == 0 || !is_word(line[i - 1]))))) {
      quote = line[i];
    } else if (line[i] == quote) {
      quote = 0;
    } else if (quote == 0) {
      code += line[i];
    }
    if (escaped) ++i;
  }
  return code;
}

struct Include {
  std::string_view header;
  bool is_ours = false;
};

Include include_of(std::string_view line) {
  constexpr std::string_view kStart = "#include ";
  if (!line.starts_with(kStart) || line.size() < kStart.size() + 2) return {};
  line.remove_prefix(kStart.size());
  const char closing = line[0] == '<' ? '>' : '"';
  const size_t end = line.find(closing, 1);
  if (end == std::string_view::npos) return {};
  return {.header = line.substr(1, end - 1), .is_ours = closing == '"'};
}

class Inspection {
 public:
  explicit Inspection(const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) paths_.insert(file.path);
  }

  void inspect(const SourceFile& file) {
    path_ = file.path;
    zone_ = zone_of(path_);
    line_ = 0;
    if (zone_.empty()) return report("is in no folder of the house");
    const std::vector<std::string_view> lines = lines_of(file.text);
    check_shape(file, lines);
    bool is_first = true;
    for (const std::string_view line : lines) {
      ++line_;
      check_words(line);
      const Include include = include_of(line);
      if (include.header.empty()) continue;
      if (is_first) check_own_header_first(include);
      is_first = false;
      check_heavy(include.header);
      if (include.is_ours) {
        check_ours(include.header);
      } else {
        check_foreign(include.header);
      }
    }
  }

  void finish() {
    for (const auto& [header, places] : heavy_) {
      if (places.size() < 2) continue;
      found_.push_back(fmt::format("<{}…> is in more than one file: {}", header.second,
                                   fmt::join(places, ", ")));
    }
  }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  void report(std::string_view what) {
    found_.push_back(line_ == 0 ? fmt::format("{}: {}", path_, what)
                                : fmt::format("{}:{}: {}", path_, line_, what));
  }

  void check_shape(const SourceFile& file, const std::vector<std::string_view>& lines) {
    if (is_header(path_) &&
        (lines.size() < 2 || lines[0] != "#pragma once" || !lines[1].starts_with("//"))) {
      report("does not begin with #pragma once and a comment that says what it is");
    }
    constexpr size_t kLinesMax = 500;
    if (lines.size() > kLinesMax && file.text.find("// Over 500 lines: ") == std::string::npos) {
      report(fmt::format("has {} lines, and no line '// Over 500 lines: <reason>'", lines.size()));
    }
  }

  void check_words(std::string_view line) {
    // Put together, so that this file does not name them.
    for (const std::string& word : {std::string("TO") + "DO", std::string("FIX") + "ME",
                                    std::string("X") + "XX", std::string("HA") + "CK"}) {
      if (has_word(line, word)) report(fmt::format("says {}", word));
    }
    const std::string code = code_of(line);
    if (has_word(code, "using") && has_word(code, "namespace") &&
        code.find("_literals;") == std::string::npos) {
      report("uses a whole namespace");
    }
    if (!is_pure(path_)) return;
    for (const std::string_view word : kImpure) {
      if (has_word(code, word)) report(fmt::format("is pure and names {}", word));
    }
  }

  void check_own_header_first(const Include& include) {
    if (!path_.ends_with(".cc")) return;
    const std::string own = path_.substr(0, path_.size() - 2) + "h";
    if (paths_.contains(own) && include.header != own) {
      report(fmt::format("does not include its own header {} first", own));
    }
  }

  void check_heavy(std::string_view header) {
    for (const std::string_view heavy : kHeavy) {
      if (!header.starts_with(heavy)) continue;
      if (is_header(path_)) report(fmt::format("is a header and includes <{}>", header));
      const std::string_view area = is_product(zone_) ? "product" : zone_;
      if (area != "tests") heavy_[{std::string(area), std::string(heavy)}].insert(path_);
    }
  }

  void check_ours(std::string_view header) {
    const std::string_view target = zone_of(header);
    if (target.empty()) {
      return report(fmt::format("includes \"{}\", which is not a path from the root", header));
    }
    if (!is_product(zone_)) return;
    if (target == "schemas") {
      if (!is_wire(path_)) report(fmt::format("includes \"{}\" and is no *_wire file", header));
      return;
    }
    if (!zones().find(zone_)->second.contains(target) ||
        (is_pure(path_) && zone_ == "sdk" && target == "common/io")) {
      report(fmt::format("{} may not include \"{}\"", zone_, header));
    }
  }

  void check_foreign(std::string_view header) {
    if (is_pure(path_) && !kPureStandard.contains(header) && !is_exempt(path_, header) &&
        !is_pure_library(path_, header)) {
      report(fmt::format("is pure and includes <{}>", header));
    }
    for (const auto& [library, file] : kWrapped) {
      if (header.starts_with(library) && path_ != file) {
        report(fmt::format("includes <{}>, which {} wraps", header, file));
      }
    }
    if (!is_product(zone_)) return;
    if (header.starts_with("flatbuffers/") && !is_wire(path_)) {
      report(fmt::format("includes <{}> and is no *_wire file", header));
    }
    if (header.ends_with(".skel.h") && zone_ != "agent/linux") {
      report(fmt::format("includes <{}>, which belongs to agent/linux", header));
    }
    for (const auto& [library, home] : kHomes) {
      // The kernel's side of the same library.
      if (library == "bpf/" && zone_ == "ebpf") continue;
      if (header.starts_with(library) && zone_ != home) {
        report(fmt::format("includes <{}>, which belongs to {}", header, home));
      }
    }
  }

  Names paths_;
  std::string path_;
  std::string_view zone_;
  size_t line_ = 0;
  std::map<std::pair<std::string, std::string>, Names> heavy_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> breaches(const std::vector<SourceFile>& files) {
  std::vector<SourceFile> sorted = files;
  std::ranges::sort(sorted, {}, &SourceFile::path);
  Inspection inspection(sorted);
  for (const SourceFile& file : sorted) inspection.inspect(file);
  inspection.finish();
  return inspection.take();
}

}  // namespace tepui::layout
