#include "master/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "master/commands.h"

namespace tepui::master {

namespace {

std::string_view advice_for(OfferCause cause) {
  switch (cause) {
    case OfferCause::kOffered:
      return "it holds something on these agents: answer the offers, or wait for tasks to end";
    case OfferCause::kAgentInactive:
      return "reactivate agents that are deactivated or drained, and look after those that are "
             "disconnected";
    case OfferCause::kNotWhitelisted:
      return "add the agents to the whitelist of the master";
    case OfferCause::kConstraint:
      return "relax the framework's offer constraints, or give agents the attributes they ask for";
    case OfferCause::kGpu:
      return "subscribe with the capability GPU_RESOURCES, or let the master offer such agents to "
             "all";
    case OfferCause::kRegion:
      return "subscribe with the capability REGION_AWARE";
    case OfferCause::kNothingLeft:
      return "add agents, or give the role a weight or a guarantee";
    case OfferCause::kLent:
      return "wait: offers of what was lent are being rescinded; or end the tasks that borrow";
    case OfferCause::kNotUsable:
      return "unreserve resources, or subscribe with the role or the capability that may use them";
    case OfferCause::kBelowMinimum:
      return "lower the minimum that is worth offering, or wait until more is free";
    case OfferCause::kQuotaLimit:
      return "raise the limit of the role or of its parent, or end some of its tasks";
    case OfferCause::kHeadroom:
      return "give the role a guarantee of its own, lower those of others, or add agents";
    case OfferCause::kRefused:
      return "revive, or wait: the framework refused these agents, and its filters end";
    case OfferCause::kWaiting:
      return "wait: the next rounds may offer it, unless others come first";
  }
  return {};
}

// For the cause that most agents have; what it holds already is no obstacle where others are.
std::string advice(const Explanation::Role& told, const OfferExplanation& found) {
  if (!told.active) return "let the framework reconnect, and read what it is sent";
  if (told.paused) {
    return "wait: the master has just been elected and some role has a quota, so nothing is "
           "offered "
           "until most agents are back";
  }
  if (told.suppressed) return "let the framework revive the role: it has suppressed it";
  OfferCause most = OfferCause::kOffered;
  for (size_t i = 0; i < kOfferCauses; ++i) {
    const auto cause = static_cast<OfferCause>(i);
    const bool is_first = most == OfferCause::kOffered && found.agents[i] > 0;
    if (is_first || found.count(cause) > found.count(most)) most = cause;
  }
  if (found.count(most) == 0) return "add agents: there are none";
  return std::string(advice_for(most));
}

}  // namespace

void explain(State& s, const Asker& asker, const Explain& message) {
  FrameworkEntry* framework = find_framework(s, message.framework_id);
  if (framework == nullptr) {
    return answer(s, asker, fmt::format("framework '{}' is not known", message.framework_id.value));
  }
  const std::vector<std::string>& own = framework->info.roles;
  if (!message.role.empty() && std::ranges::find(own, message.role) == own.end()) {
    return answer(s, asker,
                  fmt::format("framework '{}' is not in the role '{}'", message.framework_id.value,
                              message.role));
  }
  Explanation explanation{.request = asker.request};
  for (const std::string& role : own) {
    if (!message.role.empty() && role != message.role) continue;
    const OfferExplanation found = s.allocator.explain(framework->handle, role);
    Explanation::Role& told = explanation.roles.emplace_back();
    told.role = role;
    told.active = found.active && !framework->congested;
    told.suppressed = found.suppressed;
    told.paused = s.allocator.is_paused();
    told.advice = advice(told, found);
    for (size_t i = 0; i < kOfferCauses; ++i) {
      if (found.agents[i] == 0) continue;
      const auto cause = static_cast<OfferCause>(i);
      told.causes.push_back({.name = std::string(to_text(cause)),
                             .agents = found.agents[i],
                             .advice = std::string(advice_for(cause))});
    }
  }
  s.effects.send(asker.session, explanation);
}

}  // namespace tepui::master
