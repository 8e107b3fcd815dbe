#include "master/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/roles.h"
#include "master/commands.h"
#include "master/offers.h"

namespace tepui::master {

namespace {

Result<void> check(State& s, const Asker& asker, const UpdateWeights& message) {
  if (message.weights.empty()) return fail("no role is named");
  if (message.weights.size() > limits::kCommandItemsMax) {
    return fail(fmt::format("{} roles in one command, at most {} are allowed",
                            message.weights.size(), limits::kCommandItemsMax));
  }
  std::set<std::string_view> named;
  for (const UpdateWeights::Item& item : message.weights) {
    TRY(validate_role(item.role));
    if (!named.insert(item.role).second) {
      return fail(fmt::format("the role '{}' is named twice", item.role));
    }
    if (item.weight_milli <= 0 || item.weight_milli > limits::kWeightMilliMax) {
      return fail(fmt::format("'{}' cannot weigh {}, expected more than 0 and at most {}",
                              item.role, milli_to_text(item.weight_milli),
                              milli_to_text(limits::kWeightMilliMax)));
    }
    if (!s.authorizer.authorize(asker.principal, Action::kUpdateWeights, item.role)) {
      return fail(fmt::format("'{}' may not set the weight of '{}'", asker.principal, item.role));
    }
  }
  return {};
}

void set(State& s, const std::string& role, int64_t weight_milli) {
  s.allocator.set_weight(role, weight_milli);
  s.emit(event::RoleChanged{.role = role, .weight_milli = weight_milli});
}

// Some framework is in the role or below it: where it is sorted, the weight counts.
bool is_active(const State& s, std::string_view role) {
  bool active = false;
  s.frameworks.each([&](FrameworkHandle, const std::unique_ptr<FrameworkEntry>& framework) {
    active |= std::ranges::any_of(framework->info.roles, [role](const std::string& own) {
      return own == role || is_descendant(role, own);
    });
  });
  return active;
}

}  // namespace

void on_update_weights(State& s, const Asker& asker, const UpdateWeights& message) {
  if (const Result<void> valid = check(s, asker, message); !valid) {
    return answer(s, asker, valid.error().message);
  }
  submit(s, WeightsChange{.weights = message.weights}, asker);
}

void on_recorded(State& s, const WeightsChange& change) {
  bool active = false;
  for (const UpdateWeights::Item& item : change.weights) {
    set(s, item.role, item.weight_milli);
    active = active || is_active(s, item.role);
  }
  if (!active) return;
  s.agents.each([&s](AgentHandle, const std::unique_ptr<AgentEntry>& agent) {
    rescind_offers_of(s, *agent);
  });
}

void restore_weights(State& s) {
  WeightsChange lacking;
  for (const auto& [role, weight_milli] : s.config.weights) {
    if (s.registry.registry.weights().contains(role)) continue;
    lacking.weights.push_back({.role = role, .weight_milli = weight_milli});
  }
  for (const auto& [role, weight_milli] : s.registry.registry.weights()) set(s, role, weight_milli);
  for (const UpdateWeights::Item& item : lacking.weights) set(s, item.role, item.weight_milli);
  if (!lacking.weights.empty()) submit(s, std::move(lacking), std::nullopt);
}

}  // namespace tepui::master
