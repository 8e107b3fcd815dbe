#include "master/replay.h"

#include <cstdint>

namespace tepui::master {

namespace {

using Phase = AgentEntry::Phase;

enum ReplayPhase : uint32_t { kRoles, kAgents, kFrameworks, kTasks, kOffers, kDone };

class Replay {
 public:
  Replay(const State& s, EventSink& sink) : s_(s), sink_(sink) {}

  size_t told() const { return told_; }

  uint32_t places_in(uint32_t phase) const {
    switch (phase) {
      case kRoles:
        return 1;
      case kAgents:
        return s_.agents.capacity();
      case kFrameworks:
      case kOffers:  // by framework
        return s_.frameworks.capacity();
      case kTasks:
        return s_.tasks.capacity();
      default:
        return 0;
    }
  }

  void tell(uint32_t phase, uint32_t index) {
    if (phase == kRoles) {
      tell_commands();
    } else if (phase == kAgents) {
      if (const auto* agent = s_.agents.in_place(index)) tell(**agent);
    } else if (phase == kTasks) {
      const auto* entry = s_.tasks.in_place(index);
      if (entry != nullptr) emit(event::TaskAdded{.task = &(*entry)->task, .recovered = true});
    } else if (const auto* framework = s_.frameworks.in_place(index)) {
      phase == kFrameworks ? tell(**framework) : tell_offers(**framework);
    }
  }

 private:
  template <class E>
  void emit(const E& event) {
    ++told_;
    sink_.on_event(Event(event));
  }

  // Few enough for one slice.
  void tell_commands() {
    const Registry& registry = s_.registry.registry;
    for (const auto& [role, weight_milli] : registry.weights()) {
      emit(event::RoleChanged{.role = role, .weight_milli = weight_milli});
    }
    for (const auto& [role, quota] : registry.quotas()) {
      emit(event::QuotaChanged{.role = role, .quota = &quota});
    }
    for (const auto& [hostname, machine] : registry.machines()) {
      emit(event::MachineChanged{.hostname = hostname,
                                 .mode = machine.down ? "down" : "scheduled",
                                 .unavailability = &machine.unavailability,
                                 .drain = machine.drain});
    }
  }

  void tell(const AgentEntry& agent) {
    // Of those that did not register under this leader there is little more than an id.
    if (agent.phase == Phase::kRecovered || agent.info.hostname.empty()) return;
    emit(event::AgentAdded{.info = &agent.info, .reregistered = true});
    if (agent.standing.deactivated) {
      emit(event::AgentStanding{
          .id = &agent.info.id, .deactivated = true, .draining = to_text(agent.standing.drain)});
    }
    if (agent.unavailability) {
      emit(event::AgentPlanned{.id = &agent.info.id, .unavailability = &*agent.unavailability});
      tell_answers(agent.info.id);
    }
    if (agent.phase == Phase::kDisconnected) emit(event::AgentDisconnected{.id = &agent.info.id});
    if (agent.phase == Phase::kUnreachable) {
      emit(event::AgentUnreachable{.id = &agent.info.id, .why = "the agent is unreachable"});
    }
    if (agent.broken) {
      emit(event::AgentBroken{.id = &agent.info.id, .why = "its books do not balance"});
    }
  }

  void tell_answers(const AgentId& agent) {
    const auto& answers = s_.inverse_answers;
    for (auto at = answers.lower_bound({agent, {}}); at != answers.end(); ++at) {
      if (at->first.first != agent) return;
      emit(event::InverseOfferAnswered{.framework_id = &at->first.second,
                                       .agent_id = &at->first.first,
                                       .accepted = at->second.accepted,
                                       .at = at->second.at});
    }
  }

  void tell(const FrameworkEntry& framework) {
    if (framework.recovered) return emit(event::FrameworkRecovered{.info = &framework.info});
    emit(event::FrameworkAdded{.info = &framework.info, .resubscribed = true});
    if (!framework.is_connected()) emit(event::FrameworkDisconnected{.id = &framework.info.id});
  }

  void tell_offers(const FrameworkEntry& framework) {
    for (const OfferEntry* offer : framework.offers) {
      emit(event::OfferMade{.id = offer->id,
                            .framework_id = &framework.info.id,
                            .agent_id = &offer->agent->info.id,
                            .role = offer->role,
                            .resources = &offer->resources});
    }
  }

  const State& s_;
  EventSink& sink_;
  size_t told_ = 0;
};

}  // namespace

bool replay(const State& s, EventSink& sink, ReplayCursor& cursor, size_t events_max) {
  Replay replay(s, sink);
  while (cursor.phase < kDone) {
    if (cursor.index >= replay.places_in(cursor.phase)) {
      cursor = {.phase = cursor.phase + 1, .index = 0};
      continue;
    }
    if (replay.told() >= events_max) return false;
    replay.tell(cursor.phase, cursor.index++);
  }
  return true;
}

}  // namespace tepui::master
