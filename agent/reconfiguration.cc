#include "agent/reconfiguration.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace tepui {

namespace {

// The port behind the last colon: the machine may have got another address.
std::string_view port_of(std::string_view address) {
  const size_t colon = address.rfind(':');
  return colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
}

const Attribute* find_attribute(const AgentInfo& info, std::string_view name) {
  const auto found = std::ranges::find(info.attributes, name, &Attribute::name);
  return found == info.attributes.end() ? nullptr : &*found;
}

bool holds(const Ranges& all, const Ranges& some) {
  return std::ranges::all_of(some, [&all](const Range& range) {
    return std::ranges::any_of(all, [&range](const Range& other) {
      return other.first <= range.first && range.last <= other.last;
    });
  });
}

Result<void> check_attribute(const AgentInfo& after, const Attribute& before) {
  const Attribute* now = find_attribute(after, before.name);
  if (now == nullptr) return fail(fmt::format("attribute '{}' is gone", before.name));
  if (now->value.index() != before.value.index()) {
    return fail(fmt::format("attribute '{}' has another type", before.name));
  }
  const auto* ranges = std::get_if<Ranges>(&before.value);
  const bool may_stay =
      ranges == nullptr ? now->value == before.value : holds(std::get<Ranges>(now->value), *ranges);
  if (!may_stay) return fail(fmt::format("attribute '{}' has another value", before.name));
  return {};
}

Result<void> check_equal(const AgentInfo& before, const AgentInfo& after) {
  if (before.hostname != after.hostname) {
    return fail(fmt::format("hostname '{}' became '{}'", before.hostname, after.hostname));
  }
  if (before.address != after.address) {
    return fail(fmt::format("address '{}' became '{}'", before.address, after.address));
  }
  if (before.resources != after.resources) {
    return fail(fmt::format("resources '{}' became '{}'", to_text(before.resources),
                            to_text(after.resources)));
  }
  if (before.attributes != after.attributes) {
    return fail(fmt::format("attributes '{}' became '{}'", to_text(before.attributes),
                            to_text(after.attributes)));
  }
  if (before.domain != after.domain) return fail("the domain changed");
  return {};
}

Result<void> check_additive(const AgentInfo& before, const AgentInfo& after) {
  if (before.hostname != after.hostname) {
    return fail(fmt::format("hostname '{}' became '{}'", before.hostname, after.hostname));
  }
  if (port_of(before.address) != port_of(after.address)) {
    return fail(fmt::format("port {} became {}", port_of(before.address), port_of(after.address)));
  }
  if (before.domain != Domain{} && before.domain != after.domain) {
    return fail("the domain changed");
  }
  if (!after.resources.contains(before.resources)) {
    return fail(fmt::format("of the resources '{}', {} are gone", to_text(before.resources),
                            to_text(before.resources.minus(after.resources))));
  }
  for (const Attribute& attribute : before.attributes) TRY(check_attribute(after, attribute));
  return {};
}

}  // namespace

Result<void> check_reconfiguration(ReconfigurationPolicy policy, const AgentInfo& before,
                                   const AgentInfo& after) {
  switch (policy) {
    case ReconfigurationPolicy::kEqual:
      return check_equal(before, after);
    case ReconfigurationPolicy::kAdditive:
      return check_additive(before, after);
  }
  return {};
}

}  // namespace tepui
