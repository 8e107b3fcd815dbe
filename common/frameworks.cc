#include "common/frameworks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/limits.h"
#include "common/roles.h"

namespace tepui {

namespace {

// Free text that logs and tables show on one line.
Result<void> check_text(std::string_view text, std::string_view what) {
  if (text.size() > limits::kInfoTextBytesMax) {
    return fail(fmt::format("{} has {} bytes, at most {} are allowed", what, text.size(),
                            limits::kInfoTextBytesMax));
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return fail(fmt::format("{} contains the control character 0x{:02x}", what, byte));
    }
  }
  return {};
}

// `127.0.0.1:5051`, `[::1]:5051` or `host:5051`.
Result<void> check_address(std::string_view address) {
  TRY(check_text(address, "agent address"));
  const size_t colon = address.rfind(':');
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (colon == 0 || error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
    return fail(fmt::format("agent address '{}' is not one like 127.0.0.1:5051", address));
  }
  return {};
}

Result<void> check_roles(const FrameworkInfo& info) {
  if (info.roles.empty()) return fail("framework has no role");
  for (const std::string& role : info.roles) TRY(validate_role(role));
  for (size_t i = 1; i < info.roles.size(); ++i) {
    if (info.roles[i - 1] == info.roles[i]) {
      return fail(fmt::format("framework names the role '{}' twice", info.roles[i]));
    }
    if (info.roles[i - 1] > info.roles[i]) {
      return fail(fmt::format("roles of the framework are not sorted: '{}' comes after '{}'",
                              info.roles[i], info.roles[i - 1]));
    }
  }
  for (const std::string& role : info.suppressed_roles) {
    if (!std::binary_search(info.roles.begin(), info.roles.end(), role)) {
      return fail(fmt::format("suppressed role '{}' is not a role of the framework", role));
    }
  }
  return {};
}

Result<void> check_own_role(const FrameworkInfo& info, std::string_view role,
                            std::string_view previous, std::string_view what) {
  if (!std::binary_search(info.roles.begin(), info.roles.end(), role)) {
    return fail(
        fmt::format("{} name the role '{}', which is not a role of the framework", what, role));
  }
  if (previous == role) return fail(fmt::format("{} name the role '{}' twice", what, role));
  if (previous > role) {
    return fail(fmt::format("{} are not sorted: '{}' comes after '{}'", what, role, previous));
  }
  return {};
}

Result<void> check_constraints(const FrameworkInfo& info) {
  std::string_view previous;
  for (const RoleConstraints& of_role : info.offer_constraints) {
    TRY(check_own_role(info, of_role.role, previous, "offer constraints"));
    previous = of_role.role;
  }
  return validate(info.offer_constraints);
}

Result<void> check_minimums(const FrameworkInfo& info) {
  std::string_view previous;
  size_t sets = 0;
  for (const RoleMinimum& minimum : info.min_allocatable) {
    TRY(check_own_role(info, minimum.role, previous, "minimum sets"));
    previous = minimum.role;
    sets += minimum.sets.size();
    for (const Quantities& set : minimum.sets) {
      for (const Quantities::Item& item : set.items()) {
        TRY(validate_resource_name(item.name, "resource name in a minimum set"));
        if (item.milli <= limits::kScalarMilliMax) continue;
        return fail(fmt::format("minimum set of role '{}' wants {} of {}, at most {} are possible",
                                minimum.role, milli_to_text(item.milli), item.name,
                                milli_to_text(limits::kScalarMilliMax)));
      }
    }
  }
  if (sets > limits::kMinAllocatableSetsMax) {
    return fail(fmt::format("framework has {} minimum sets, at most {} are allowed", sets,
                            limits::kMinAllocatableSetsMax));
  }
  return {};
}

Result<void> check_attributes(const std::vector<Attribute>& attributes) {
  for (const Attribute& attribute : attributes) {
    TRY(validate_resource_name(attribute.name, "attribute name"));
    if (const auto* text = std::get_if<std::string>(&attribute.value)) {
      TRY(check_text(*text, fmt::format("attribute '{}'", attribute.name)));
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const FrameworkInfo& info) {
  if (!info.id.empty()) TRY(validate_id(info.id.value, "framework id"));
  TRY(check_text(info.name, "framework name"));
  TRY(check_text(info.user, "framework user"));
  TRY(check_text(info.principal, "framework principal"));
  TRY(check_text(info.hostname, "framework hostname"));
  TRY(check_text(info.webui_url, "framework web address"));
  TRY(check_roles(info));
  if (info.failover_timeout < Duration::zero()) return fail("failover timeout is negative");
  TRY(check_constraints(info));
  return check_minimums(info);
}

namespace {

template <class OfRole>
OfRole& entry_of(std::vector<OfRole>& entries, std::string_view role) {
  auto entry = std::lower_bound(
      entries.begin(), entries.end(), role,
      [](const OfRole& known, std::string_view wanted) { return known.role < wanted; });
  if (entry == entries.end() || entry->role != role) {
    entry = entries.insert(entry, OfRole{.role = std::string(role)});
  }
  return *entry;
}

}  // namespace

void add_constraints(FrameworkInfo& info, std::string_view role, ConstraintGroup group) {
  entry_of(info.offer_constraints, role).groups.push_back(std::move(group));
}

void set_min_allocatable(FrameworkInfo& info, std::string_view role, std::vector<Quantities> sets) {
  entry_of(info.min_allocatable, role).sets = std::move(sets);
}

Result<Domain> parse_domain(std::string_view text) {
  if (text.empty()) return Domain{};
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size() ||
      text.find('/', slash + 1) != std::string_view::npos) {
    return fail(
        fmt::format("'{}' is not a domain, expected REGION/ZONE, one like eu-west/a", text));
  }
  TRY(check_text(text, "domain"));
  return Domain{.region = std::string(text.substr(0, slash)),
                .zone = std::string(text.substr(slash + 1))};
}

Result<void> validate(const AgentInfo& info) {
  if (!info.id.empty()) TRY(validate_id(info.id.value, "agent id"));
  if (info.hostname.empty()) return fail("agent hostname is empty");
  TRY(check_text(info.hostname, "agent hostname"));
  if (!info.address.empty()) TRY(check_address(info.address));
  TRY(check_text(info.version, "agent version"));
  TRY(check_text(info.domain.region, "agent region"));
  TRY(check_text(info.domain.zone, "agent zone"));
  if (info.domain.region.empty() != info.domain.zone.empty()) {
    return fail("agent domain needs both a region and a zone, or neither");
  }
  TRY(check_attributes(info.attributes));
  for (const Resource& item : info.resources.items()) {
    if (item.shares != 1) {
      return fail(
          fmt::format("agent's resource '{}' already has {} holders", item.name(), item.shares));
    }
  }
  for (const std::string& controller : info.controllers) {
    TRY(check_text(controller, "agent controller"));
  }
  for (const std::string& sentence : info.degraded) TRY(check_text(sentence, "agent degradation"));
  return {};
}

}  // namespace tepui
