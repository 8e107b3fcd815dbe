#include "master/shell/feed.h"

#include <optional>
#include <utility>

namespace tepui {
namespace feed {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

using MaybeItem = std::optional<Item>;

MaybeItem down(AgentDown::How how, const AgentId* id, std::string_view why) {
  return AgentDown{.how = how, .id = *id, .why = std::string(why)};
}

MaybeItem up(FrameworkUp::How how, const FrameworkInfo* info) {
  return FrameworkUp{.how = how, .info = *info};
}

MaybeItem copy_agent_or_framework(const Event& event) {
  return std::visit(
      Overloaded{
          [](const event::AgentAdded& e) -> MaybeItem {
            return AgentUp{.info = *e.info, .reregistered = e.reregistered};
          },
          [](const event::AgentUpdated& e) -> MaybeItem {
            return AgentUp{.info = *e.info, .reregistered = true};
          },
          [](const event::AgentDisconnected& e) {
            return down(AgentDown::How::kDisconnected, e.id, "");
          },
          [](const event::AgentUnreachable& e) {
            return down(AgentDown::How::kUnreachable, e.id, e.why);
          },
          [](const event::AgentRemoved& e) { return down(AgentDown::How::kRemoved, e.id, e.why); },
          [](const event::AgentBroken& e) { return down(AgentDown::How::kBroken, e.id, e.why); },
          [](const event::AgentStanding& e) -> MaybeItem {
            return AgentStanding{
                .id = *e.id, .deactivated = e.deactivated, .draining = std::string(e.draining)};
          },
          [](const event::AgentPlanned& e) -> MaybeItem {
            AgentPlanned planned{.id = *e.id, .unavailability = std::nullopt};
            if (e.unavailability != nullptr) planned.unavailability = *e.unavailability;
            return planned;
          },
          [](const event::FrameworkAdded& e) {
            return up(e.resubscribed ? FrameworkUp::How::kResubscribed : FrameworkUp::How::kAdded,
                      e.info);
          },
          [](const event::FrameworkRecovered& e) {
            return up(FrameworkUp::How::kRecovered, e.info);
          },
          [](const event::FrameworkUpdated& e) { return up(FrameworkUp::How::kUpdated, e.info); },
          [](const event::FrameworkDisconnected& e) -> MaybeItem {
            return FrameworkDown{.id = *e.id, .removed = false, .why = {}};
          },
          [](const event::FrameworkRemoved& e) -> MaybeItem {
            return FrameworkDown{.id = *e.id, .removed = true, .why = std::string(e.why)};
          },
          [](const auto&) -> MaybeItem { return std::nullopt; },
      },
      event);
}

template <class E>
MaybeItem executor(const E& e, bool lives) {
  return ExecutorChange{.framework_id = *e.framework_id,
                        .agent_id = *e.agent_id,
                        .id = e.executor->id,
                        .role = std::string(e.role),
                        .resources = e.executor->resources,
                        .lives = lives};
}

MaybeItem copy_other(const Event& event) {
  return std::visit(
      Overloaded{
          [](const event::TaskUpdated& e) -> MaybeItem {
            return TaskChange{.framework_id = e.task->framework_id,
                              .id = e.task->id,
                              .state = e.task->state,
                              .update_state = e.task->update_state,
                              .update_uuid = e.task->update_uuid,
                              .container_id = e.task->container_id,
                              .last_status = e.task->last_status};
          },
          [](const event::TaskRemoved& e) -> MaybeItem {
            return TaskDown{.framework_id = e.task->framework_id, .id = e.task->id};
          },
          [](const event::ExecutorAdded& e) -> MaybeItem { return executor(e, true); },
          [](const event::ExecutorRemoved& e) -> MaybeItem { return executor(e, false); },
          [](const event::OfferMade& e) -> MaybeItem {
            return OfferUp{.id = e.id,
                           .framework_id = *e.framework_id,
                           .agent_id = *e.agent_id,
                           .role = std::string(e.role),
                           .resources = *e.resources};
          },
          [](const event::OfferEnded& e) -> MaybeItem { return e; },
          [](const event::RoleChanged& e) -> MaybeItem {
            return RoleWeight{.role = std::string(e.role), .weight_milli = e.weight_milli};
          },
          [](const event::QuotaChanged& e) -> MaybeItem {
            return RoleQuota{.role = std::string(e.role), .quota = *e.quota};
          },
          [](const event::MachineChanged& e) -> MaybeItem {
            MaintenanceRow row{.hostname = std::string(e.hostname),
                               .mode = std::string(e.mode),
                               .unavailability = {},
                               .drain = e.drain};
            if (e.unavailability != nullptr) row.unavailability = *e.unavailability;
            return MachineChange{.row = std::move(row)};
          },
          [](const event::InverseOfferAnswered& e) -> MaybeItem {
            return InverseAnswer{{.agent_id = *e.agent_id,
                                  .framework_id = *e.framework_id,
                                  .accepted = e.accepted,
                                  .at = e.at}};
          },
          [](const event::Elected& e) -> MaybeItem {
            return Elected{.epoch = e.epoch, .master_id = std::string(e.master_id)};
          },
          [](const event::Deposed& e) -> MaybeItem { return Deposed{.why = std::string(e.why)}; },
          [](const auto&) -> MaybeItem { return std::nullopt; },
      },
      event);
}

MaybeItem copy_event(const Event& event) {
  MaybeItem item = copy_other(event);
  return item ? std::move(item) : copy_agent_or_framework(event);
}

}  // namespace

}  // namespace feed

void Feed::on_event(const Event& event) {
  if (overflowed_) return;
  if (const auto* added = std::get_if<event::TaskAdded>(&event)) {
    // After an election these come by the hundred thousand, and they are large: copied once, in
    // place.
    if (has_room()) std::get<feed::TaskUp>(turn_.emplace_back(feed::TaskUp{})).task = *added->task;
    return;
  }
  if (auto item = feed::copy_event(event)) add(*std::move(item));
}

bool Feed::metrics(std::vector<MetricRow> rows) {
  add(feed::MetricsSnapshot{.rows = std::move(rows)});
  return !overflowed_;
}

void Feed::reset() {
  overflowed_ = false;
  turn_.clear();
  turn_.emplace_back(feed::Reset{});
}

void Feed::complete() { add(feed::Complete{}); }

FeedBatch Feed::take(WallTime at) {
  FeedBatch batch{.at = at, .items = {}};
  batch.items.swap(turn_);
  waiting_.fetch_add(batch.items.size(), std::memory_order_relaxed);
  return batch;
}

size_t Feed::room() const {
  const size_t used = waiting_.load(std::memory_order_relaxed) + turn_.size();
  return used >= items_max_ ? 0 : items_max_ - used;
}

void Feed::add(feed::Item item) {
  if (!overflowed_ && has_room()) turn_.push_back(std::move(item));
}

bool Feed::has_room() {
  if (room() != 0) return true;
  overflowed_ = true;
  turn_.clear();
  return false;
}

}  // namespace tepui
