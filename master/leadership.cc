#include "master/leadership.h"

#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "master/agents.h"
#include "master/maintenance.h"
#include "master/quota.h"
#include "master/weights.h"

namespace tepui::master {

namespace {

constexpr int64_t kDefaultWeightMilli = 1000;

// Everything, also what the allocator knows. The peers are told by whoever calls this.
void forget_everything(State& s) {
  s.frameworks.each([&s](FrameworkHandle handle, const std::unique_ptr<FrameworkEntry>&) {
    s.allocator.remove_framework(handle);
  });
  s.agents.each([&s](AgentHandle handle, const std::unique_ptr<AgentEntry>& agent) {
    if (agent->in_allocator) s.allocator.remove_agent(handle);
  });
  for (const auto& [role, quota] : s.registry.registry.quotas()) s.allocator.set_quota(role, {});
  for (const auto& [role, weight] : s.registry.registry.weights()) {
    s.allocator.set_weight(role, kDefaultWeightMilli);
  }
  State fresh(s.config, s.rng.next(), s.allocator, s.authorizer, s.effects);
  s.tasks = std::move(fresh.tasks);
  s.offers = std::move(fresh.offers);
  s.operations.clear();
  s.agents = std::move(fresh.agents);
  s.frameworks = std::move(fresh.frameworks);
  s.sessions = std::move(fresh.sessions);
  s.agents_by_id.clear();
  s.agents_by_place.clear();
  s.agents_recovered = 0;
  s.agents_at_election = 0;
  s.removals.clear();
  s.removal_allowed_at = Instant::min();
  s.removal_timer = {};
  s.unreachable_order.clear();
  s.agents_removed.clear();
  s.frameworks_by_id.clear();
  s.frameworks_completed.clear();
  // Answers to writes of this term that come later must not be taken for those of the next.
  fresh.registry.last_token = s.registry.last_token;
  s.registry = std::move(fresh.registry);
  s.deadlines = std::move(fresh.deadlines);
  s.round_running = false;
  s.round_started = Instant::min();
  s.full_round_at = kNever;
  s.scheduler_outboxes.clear();
  s.agent_outboxes.clear();
  s.drain_checks.clear();
  s.inverse_offers.clear();
  s.inverse_answers.clear();
  s.window_timer = {};
  s.broken.clear();
  s.wake_wish = kNever;
  s.next_agent = s.next_framework = s.next_offer = 1;
}

}  // namespace

State::State(MasterConfig config_in, uint64_t seed, Allocator& allocator_in,
             Authorizer& authorizer_in, MasterEffects& effects_in)
    : config(std::move(config_in)),
      rng(seed),
      allocator(allocator_in),
      authorizer(authorizer_in),
      effects(effects_in),
      agents_removed(limits::kDepartedIdsMax),
      frameworks_completed(limits::kDepartedIdsMax) {}

void restart_allocation_timer(State& s) {
  const Duration interval = s.config.tunables.allocation_interval;
  s.full_round_at = interval > Duration::zero() ? later(s.now.mono, interval) : kNever;
}

void begin_to_lead(State& s, uint64_t epoch, const StoreContents& contents) {
  forget_everything(s);
  s.epoch = epoch;
  s.elected_at = s.now.mono;
  if (const Result<void> opened = open_registry(s, contents); !opened.has_value()) {
    s.emit(event::RegistryFailed{.error = opened.error().message});
    return s.effects.resign("cannot read the registry: " + opened.error().message);
  }
  s.leading = true;
  s.master_id = fmt::format("{}-e{}", s.registry.registry.cluster(), epoch);
  s.emit(event::Elected{.epoch = epoch, .master_id = s.master_id});
  restore_weights(s);
  restore_quotas(s);
  restore_machines(s);
  s.agents_at_election = s.agents_recovered;
  if (s.agents_recovered > 0) {
    s.deadlines.arm(later(s.now.mono, s.config.tunables.agent_reregister_timeout),
                    {.kind = Due::Kind::kRecovery});
  }
  restart_allocation_timer(s);
}

void stop_leading(State& s, std::string_view why) {
  s.leading = false;
  s.emit(event::Deposed{.why = why});
  for (const auto& [id, session] : s.sessions) s.effects.close(id, why);
  forget_everything(s);
}

}  // namespace tepui::master
