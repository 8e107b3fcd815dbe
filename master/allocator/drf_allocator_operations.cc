// Operations, maintenance, the pause and the clock of DrfAllocator.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

namespace {
using namespace std::chrono_literals;

// Of the agents expected after a failover: enough to judge headroom by. Those of Mesos.
constexpr uint32_t kEnoughPercent = 80;
constexpr Duration kPauseMax = 10min;

std::string or_nothing(const Resources& resources) {
  return resources.empty() ? "nothing" : to_text(resources);
}
}  // namespace

// ---------------------------------------------------------------- operations

Result<void> DrfAllocator::convert_allocated(FrameworkHandle framework, AgentHandle agent,
                                             std::string_view role, const Resources& from,
                                             const Resources& to) {
  Clients::Framework* holder = clients_.find(framework);
  AgentBook* book = find(agent);
  if (holder == nullptr) return fail("the framework is not known");
  if (book == nullptr) return fail("the agent is not known");
  const Clients::Member* member = clients_.member(*holder, role);
  const AgentBook::Allocation* allocation =
      member == nullptr ? nullptr : book->find(framework.index, member->role);
  if (allocation == nullptr) {
    return fail(fmt::format("the framework holds nothing there in role '{}'", role));
  }
  if (!book->resources_of(*allocation).contains(from)) {
    return fail(fmt::format("the framework holds {} there in role '{}', not {}",
                            to_text(book->resources_of(*allocation)), role, to_text(from)));
  }
  if (!book->total().contains(from)) {
    return fail(fmt::format("the agent has {}, not {}", or_nothing(book->total()), to_text(from)));
  }
  const uint32_t index = member->role;
  if (quota_.is_kept()) quota_.subtract_reserved(book->total());
  release(index, from);
  book->convert(framework.index, index, from, to);
  book->repay();
  consume(index, to);
  if (quota_.is_kept()) quota_.add_reserved(book->total());
  Demand before;
  before.measure(from, agent.index, totals_);
  demand_.measure(to, agent.index, totals_);
  clients_.converted(framework.index, index, before, demand_,
                     book->find(framework.index, index) == nullptr);
  recount_total(*book);
  on_agent_changed(agent.index);
  return {};
}

Result<void> DrfAllocator::convert_available(AgentHandle agent, const Resources& from,
                                             const Resources& to) {
  AgentBook* book = find(agent);
  if (book == nullptr) return fail("the agent is not known");
  if (!book->available().contains(from)) {
    return fail(fmt::format("the agent has {} available, not {}", or_nothing(book->available()),
                            to_text(from)));
  }
  if (quota_.is_kept()) quota_.subtract_reserved(book->total());
  book->convert_available(from, to);
  book->repay();
  if (quota_.is_kept()) quota_.add_reserved(book->total());
  recount_total(*book);
  on_agent_changed(agent.index);
  return {};
}

// ---------------------------------------------------------------- maintenance

void DrfAllocator::set_maintenance(AgentHandle agent, bool planned) {
  AgentBook* book = find(agent);
  if (book == nullptr) return;
  book->maintenance = planned;
  if (planned) {
    inverse_.plan(agent.index);
  } else {
    inverse_.unplan(agent.index);
  }
}

void DrfAllocator::answer_inverse(Now now, FrameworkHandle framework, AgentHandle agent,
                                  std::optional<Duration> refuse) {
  if (clients_.find(framework) == nullptr || find(agent) == nullptr) return;
  std::optional<Instant> until;
  if (refuse && *refuse > Duration{}) until = later(now.mono, *refuse);
  inverse_.answer(agent.index, framework.index, until);
}

// At the end of a round: those who hold something where something changed.
void DrfAllocator::ask_to_leave() {
  for (const uint32_t agent : inverse_.take_due()) {
    std::set<uint32_t> holders;
    for (const AgentBook::Allocation& allocation : books_[agent].allocations()) {
      if (clients_.at(allocation.framework)->active) holders.insert(allocation.framework);
    }
    for (const uint32_t holder : holders) {
      if (!inverse_.ask(agent, holder)) continue;
      inverse_grants_.push_back(
          {.framework = clients_.at(holder)->handle, .agent = books_[agent].handle()});
    }
  }
}

std::vector<InverseGrant> DrfAllocator::take_inverse_grants() {
  return std::exchange(inverse_grants_, {});
}

// ---------------------------------------------------------------- time

void DrfAllocator::pause(Now now, uint32_t agents_expected) {
  pause_ = {.agents_expected = agents_expected, .until = later(now.mono, kPauseMax)};
  end_pause_if_enough();
}

void DrfAllocator::expect_fewer() {
  if (!pause_ || pause_->agents_expected == 0) return;
  --pause_->agents_expected;
  end_pause_if_enough();
}

bool DrfAllocator::is_paused() const { return pause_ && quota_.any(); }

// Once enough agents were there, it does not matter that some go again.
void DrfAllocator::end_pause_if_enough() {
  if (!pause_) return;
  const uint64_t enough = uint64_t{pause_->agents_expected} * kEnoughPercent;
  if (uint64_t{agents_} * 100 >= enough) pause_.reset();
}

void DrfAllocator::on_time(Now now) {
  expire_filters(now);
  inverse_.expire(now.mono);
  if (pause_ && pause_->until <= now.mono) pause_.reset();
}

Instant DrfAllocator::next_deadline() const {
  const Instant next = std::min(filters_.next_deadline(), inverse_.next_deadline());
  return pause_ ? std::min(next, pause_->until) : next;
}

void DrfAllocator::expire_filters(Now now) {
  expired_.clear();
  filters_.expire(now.mono, last_round_done(), expired_);
  for (const uint32_t agent : expired_) candidates_.touch(agent);
}

}  // namespace tepui
