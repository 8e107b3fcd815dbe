#include "common/checks.h"

#include <fmt/format.h>

#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

Result<void> check_time(std::string_view name, Duration time) {
  if (time >= Duration::zero()) return {};
  return fail(fmt::format("the {} is negative", name));
}

Result<void> check_port(uint32_t port) {
  if (port >= 1 && port <= 65535) return {};
  return fail(fmt::format("port {}, expected 1 to 65535", port));
}

Result<void> check_path(std::string_view path) {
  if (!path.empty() && path.front() != '/') {
    return fail(fmt::format("path '{}' does not begin with '/'", path));
  }
  for (const char c : path) {
    if (c <= ' ' || c == 0x7f) {
      return fail("path has a space, a control character or one beyond ASCII");
    }
  }
  if (path.size() <= limits::kLineBytesMax) return {};
  return fail(
      fmt::format("path has {} bytes, at most {} are allowed", path.size(), limits::kLineBytesMax));
}

Result<void> check_fields(const CheckInfo& check) {
  TRY(check_time("delay", check.delay));
  TRY(check_time("interval", check.interval));
  TRY(check_time("timeout", check.timeout));
  if (check.interval == Duration::zero()) return fail("the interval is zero");
  switch (check.type) {
    case CheckInfo::Type::kCommand:
      if (!check.command.uris.empty()) return fail("the command of a check fetches nothing");
      return validate(check.command);
    case CheckInfo::Type::kHttp:
      TRY(check_path(check.path));
      return check_port(check.port);
    case CheckInfo::Type::kTcp:
      return check_port(check.port);
  }
  return fail("type is not known");
}

Result<void> in(std::string_view what, Result<void> result) {
  if (result.has_value()) return result;
  return std::unexpected(std::move(result.error()).in(what));
}

}  // namespace

std::string_view to_text(CheckInfo::Type type) {
  switch (type) {
    case CheckInfo::Type::kCommand:
      return "command";
    case CheckInfo::Type::kHttp:
      return "http";
    case CheckInfo::Type::kTcp:
      return "tcp";
  }
  return "";
}

Result<void> validate(const CheckInfo& check) { return in("check", check_fields(check)); }

Result<void> validate(const HealthCheckInfo& check) {
  TRY(in("health check", check_fields(check.check)));
  TRY(in("health check", check_time("grace period", check.grace_period)));
  if (check.consecutive_failures > 0) return {};
  return fail("health check: no number of consecutive failures is given, expected at least 1");
}

}  // namespace tepui
