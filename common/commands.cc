#include "common/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tepui {

namespace {

constexpr std::string_view kNul("\0", 1);

bool has_nul(std::string_view text) { return text.find(kNul) != std::string_view::npos; }

Result<void> check_environment(const std::vector<EnvironmentVariable>& environment) {
  for (const EnvironmentVariable& variable : environment) {
    if (variable.name.empty()) return fail("environment: a variable has no name");
    if (variable.name.find('=') != std::string::npos || has_nul(variable.name)) {
      return fail(
          fmt::format("environment: the name '{}' contains '=' or a zero byte", variable.name));
    }
    if (has_nul(variable.value)) {
      return fail(
          fmt::format("environment: the value of '{}' contains a zero byte", variable.name));
    }
  }
  return {};
}

// Schemes are not case-sensitive (RFC 3986).
bool has_scheme(std::string_view uri, std::string_view scheme) {
  if (uri.size() <= scheme.size() || uri[scheme.size()] != ':') return false;
  return std::ranges::equal(uri.substr(0, scheme.size()), scheme, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
  });
}

// Leads to a place below where it begins, without naming where it goes twice.
bool is_below(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

Result<void> check_uri(const Uri& uri) {
  constexpr auto kControl = [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
  };
  if (has_nul(uri.value) || has_nul(uri.output_file)) return fail("contains a zero byte");
  const bool remote = has_scheme(uri.value, "http") || has_scheme(uri.value, "https");
  if (remote) {
    if (uri.value.find("://") == std::string::npos || std::ranges::any_of(uri.value, kControl)) {
      return fail("is not a URL");
    }
  } else if (local_path(uri.value).empty()) {
    return fail("is neither file:, http: nor https:, nor an absolute path");
  }
  if (!is_below(output_name(uri))) {
    return fail(
        uri.output_file.empty()
            ? "has no file name at its end, and there is no output file"
            : fmt::format("the output file '{}' is not a path below the sandbox", uri.output_file));
  }
  if (uri.checksum.empty()) return {};
  constexpr std::string_view kAlgorithm = "sha256:";
  constexpr auto kHex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  constexpr size_t kDigits = 64;
  const std::string_view digits =
      std::string_view(uri.checksum).substr(std::min(kAlgorithm.size(), uri.checksum.size()));
  if (!uri.checksum.starts_with(kAlgorithm) || digits.size() != kDigits ||
      !std::ranges::all_of(digits, kHex)) {
    return fail(
        fmt::format("the checksum '{}' is not sha256: and 64 digits of 0-9a-f", uri.checksum));
  }
  return {};
}

}  // namespace

Result<void> validate(const CommandInfo& command) {
  if (command.value.empty() && !command.shell) return fail("command names no program");
  return validate_in_image(command);
}

Result<void> validate_in_image(const CommandInfo& command) {
  if (command.value.empty() && command.shell) return fail("command is empty");
  if (command.shell && !command.arguments.empty()) {
    return fail("command has arguments, which a shell command does not take");
  }
  if (has_nul(command.value) || has_nul(command.user) || has_nul(command.working_directory) ||
      std::ranges::any_of(command.arguments, has_nul)) {
    return fail("command contains a zero byte");
  }
  TRY(check_environment(command.environment));
  if (command.uris.size() > kUrisMax) {
    return fail(fmt::format("command names {} URIs, more than {}", command.uris.size(), kUrisMax));
  }
  for (const Uri& uri : command.uris) {
    if (Result<void> valid = check_uri(uri); !valid) {
      return std::unexpected(
          std::move(valid).error().in(fmt::format("URI '{}'", shown(uri.value))));
    }
  }
  return {};
}

std::string shown(std::string_view uri) {
  const size_t authority = uri.find("://");
  if (authority == uri.npos) return std::string(uri);
  const size_t host = authority + 3;
  const size_t end = std::min(uri.find_first_of("/?#", host), uri.size());
  const size_t at = uri.substr(0, end).rfind('@');
  if (at == uri.npos || at < host) return std::string(uri);
  return fmt::format("{}***{}", uri.substr(0, host), uri.substr(at));
}

std::string_view local_path(std::string_view uri) {
  if (uri.starts_with('/')) return uri;
  if (!has_scheme(uri, "file")) return {};
  uri.remove_prefix(std::string_view("file:").size());
  if (uri.starts_with("//localhost/")) return uri.substr(std::string_view("//localhost").size());
  if (uri.starts_with("///")) return uri.substr(2);
  return uri.starts_with('/') && !uri.starts_with("//") ? uri : std::string_view();
}

std::string output_name(const Uri& uri) {
  if (!uri.output_file.empty()) return uri.output_file;
  std::string_view path = local_path(uri.value);
  if (path.empty()) {
    path = uri.value;
    path = path.substr(0, path.find_first_of("?#"));
    const size_t authority = path.find("://");
    if (authority != path.npos) path.remove_prefix(authority + 3);
    if (path.find('/') == path.npos) return {};
  }
  return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace tepui
