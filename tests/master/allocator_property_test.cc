// Goal: DrfAllocator gives exactly the grants of the oracle, in the same order, whatever happens.
// Method: a small cluster in which everything happens often (hierarchical roles with weights;
// reserved, refined, revocable, shared and gpu resources; filters that end before and after
// rounds; quota, whitelist, maintenance, operations; in half of the cases loans of what guarantees
// hold back), driven by random events; after each, the grants, the recalls, the loans, the shares,
// the use of roles and the audit are compared.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/loans.h"
#include "common/rng.h"
#include "master/allocator/drf_allocator.h"
#include "tests/master/allocator_oracle.h"
#include "tests/master/random_cluster.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

// One cluster, told to both.
class Pair {
 public:
  explicit Pair(uint64_t seed)
      : rng_(seed), options_(options(rng_)), fast_(options_, seed), oracle_(options_, seed) {
    lends_ = rng_.chance(1, 2);
    if (lends_) switch_lending();
  }

  // Every event has a seed of its own, so that it stays what it is when others are left out.
  void happen(uint64_t seed) {
    rng_ = Rng(seed);
    weight_ = static_cast<int64_t>(rng_.below(8)) * 250 + 250;
    role_ = kRoles[rng_.below(kRoles.size())];
    switch (rng_.below(26)) {
      case 0:
      case 1:
        add_agent();
        break;
      case 2:
        add_framework();
        break;
      case 3:
        change_agent();
        break;
      case 4:
        change_framework();
        break;
      case 5:
        both([&](Allocator& a) { a.set_weight(role_, weight_); });
        break;
      case 6:
        switch_offers();
        break;
      case 7:
      case 8:
      case 9:
        give_back(rng_.chance(1, 2));
        break;
      case 10:
        pass_time();
        break;
      case 11:
        take_over();
        break;
      case 12:
        convert();
        break;
      case 13:
        change_whitelist();
        break;
      case 14:
        maintain();
        break;
      case 15:
      case 16:
        change_quota();
        break;
      case 17:
        run_tasks();
        break;
      case 18:
        grow_or_shrink();
        break;
      case 19:
        if (lends_ && rng_.chance(1, 3)) switch_lending();
        break;
      default:
        round();
        break;
    }
    compare();
  }

 private:
  struct Outstanding {
    FrameworkHandle framework;
    AgentHandle agent;
    std::string role;
    Resources resources;
    bool runs = false;  // as tasks; otherwise it is in offers
  };

  template <class Do>
  void both(Do what) {
    what(fast_);
    what(oracle_);
  }

  template <class Handles>
  auto pick(const Handles& handles) {
    return handles[rng_.below(handles.size())];
  }

  AgentShape agent_shape() {
    return {.total = agent_total(rng_),
            .hostname = rng_.chance(1, 2) ? "h1" : "h2",
            .region = rng_.chance(1, 3)   ? "there"
                      : rng_.chance(1, 2) ? "here"
                                          : "",
            .zone = rng_.chance(1, 2) ? "z" : ""};
  }

  void add_agent() {
    if (agents_.size() >= 6) return;
    const AgentHandle agent{.index = next_agent_++ % 9, .generation = ++generation_};
    if (std::ranges::find(agents_, agent.index, &AgentHandle::index) != agents_.end()) return;
    const AgentShape shape = agent_shape();
    both([&](Allocator& a) { a.add_agent(agent, shape); });
    agents_.push_back(agent);
  }

  void add_framework() {
    if (frameworks_.size() >= 5) return;
    const FrameworkHandle framework{.index = next_framework_++ % 7, .generation = ++generation_};
    if (std::ranges::find(frameworks_, framework.index, &FrameworkHandle::index) !=
        frameworks_.end()) {
      return;
    }
    const FrameworkShape shape = framework_shape(rng_);
    both([&](Allocator& a) { a.add_framework(framework, shape); });
    frameworks_.push_back(framework);
  }

  void change_agent() {
    if (agents_.empty()) return;
    const AgentHandle agent = pick(agents_);
    const uint64_t what = rng_.below(4);
    if (what == 0) {
      both([&](Allocator& a) { a.remove_agent(agent); });
      std::erase(agents_, agent);
      std::erase_if(held_, [&](const Outstanding& held) { return held.agent == agent; });
    } else if (what == 1) {
      const AgentShape shape = agent_shape();
      both([&](Allocator& a) { a.update_agent(agent, shape); });
    } else {
      both([&](Allocator& a) { a.set_agent_active(agent, what == 2); });
    }
  }

  void change_framework() {
    if (frameworks_.empty()) return;
    const FrameworkHandle framework = pick(frameworks_);
    const uint64_t what = rng_.below(4);
    if (what == 0) {
      both([&](Allocator& a) { a.remove_framework(framework); });
      std::erase(frameworks_, framework);
      std::erase_if(held_, [&](const Outstanding& held) { return held.framework == framework; });
    } else if (what == 1) {
      const FrameworkShape shape = framework_shape(rng_);
      both([&](Allocator& a) { a.update_framework(framework, shape); });
    } else {
      both([&](Allocator& a) { a.set_framework_active(framework, what == 2); });
    }
  }

  void switch_offers() {
    if (frameworks_.empty()) return;
    const FrameworkHandle framework = pick(frameworks_);
    const std::vector<std::string> roles = some_roles(rng_, 3);
    const bool suppress = rng_.chance(1, 3);
    both([&](Allocator& a) {
      suppress ? a.suppress(framework, roles) : a.revive(framework, roles);
    });
  }

  // A random part of something held, or all of it.
  void give_back(bool refuse) {
    if (held_.empty()) return;
    const size_t index = rng_.below(held_.size());
    Outstanding& held = held_[index];
    const Resources kept =
        rng_.chance(1, 3)
            ? held.resources.filter([&](const Resource&) { return rng_.chance(1, 2); })
            : Resources();
    const Resources back = held.resources - kept;
    if (back.empty()) return;
    std::optional<Duration> duration;
    if (refuse) duration = Duration(rng_.between(0, 3) * 1s);
    both([&](Allocator& a) {
      a.recover(now_, held.framework, held.agent, held.role, back, duration);
    });
    held.resources = kept;
    const Outstanding before = held;
    if (kept.empty()) held_.erase(held_.begin() + static_cast<ptrdiff_t>(index));
    if (before.runs) tell_running(before.agent);
  }

  void tell_running(AgentHandle agent) {
    Resources running;
    for (const Outstanding& held : held_) {
      if (held.agent == agent && held.runs) running += held.resources.revocable();
    }
    both([&](Allocator& a) { a.set_running(agent, running); });
  }

  // The master's part when something is to be had back.
  void rescind(const std::vector<AgentHandle>& agents) {
    for (const AgentHandle agent : agents) {
      for (size_t i = held_.size(); i-- > 0;) {
        const Outstanding held = held_[i];
        if (held.agent != agent || held.runs || held.resources.revocable().empty()) continue;
        both([&](Allocator& a) {
          a.recover(now_, held.framework, agent, held.role, held.resources, std::nullopt);
        });
        held_.erase(held_.begin() + static_cast<ptrdiff_t>(i));
      }
    }
    recalled_ += agents.size();
  }

  void switch_lending() {
    const bool on = !on_;
    on_ = on;
    both([&](Allocator& a) { a.set_lending(on); });
    const std::vector<AgentHandle> recalls = fast_.take_recalls();
    RC_ASSERT(recalls == oracle_.take_recalls());
    rescind(recalls);
  }

  // What is offered becomes tasks, or what ran is in an offer again.
  void run_tasks() {
    if (held_.empty()) return;
    Outstanding& held = held_[rng_.below(held_.size())];
    held.runs = !held.runs;
    tell_running(held.agent);
  }

  // As UpdateAgent does: what tasks and offers hold stays, loans are repaid first.
  void grow_or_shrink() {
    if (agents_.empty()) return;
    const AgentHandle agent = pick(agents_);
    AgentShape shape = agent_shape();
    Resources held;
    for (const Outstanding& out : held_) {
      if (out.agent == agent) held += out.resources.revocable();
    }
    const Resources own = Resources::create({revocable_cpus(rng_.between(0, 4) * 500)}).value();
    shape.lent = common_part(fast_.lent(agent), held.minus(own));
    shape.total =
        shape.total.non_revocable().minus(as_regular(shape.lent)) + held + own.minus(held);
    both([&](Allocator& a) { a.update_agent(agent, shape); });
  }

  void pass_time() {
    now_.mono += rng_.between(1, 2000) * 1ms;
    both([&](Allocator& a) { a.on_time(now_); });
  }

  static Resources reserved_to(const Resources& plain, const std::string& role) {
    std::vector<Resource> items;
    for (const Resource& item : plain.items()) {
      ResourceKind kind = *item.kind;
      kind.reservations.push_back(
          {.type = Reservation::Type::kDynamic, .role = role, .principal = {}});
      items.push_back({.kind = make_kind(std::move(kind)), .amount = item.amount});
    }
    return Resources::create(std::move(items)).value();
  }

  // RESERVE, UNRESERVE, or the loss of something: on what is held, or by the operator.
  void convert() {
    const bool operators = rng_.chance(1, 3);
    if (agents_.empty() || (!operators && held_.empty())) return;
    const std::string role = rng_.chance(1, 2) ? "b" : "a/x";
    const auto changed = [&](const Resources& from) {
      if (rng_.chance(1, 6)) return Resources();
      const bool plain = std::ranges::all_of(from.items(), [](const Resource& item) {
        return !item.kind->is_reserved() && !item.kind->revocable && !item.kind->shared;
      });
      return plain ? reserved_to(from, role) : from.filter([](const Resource& item) {
        return item.kind->reservations.size() != 1;
      }) + unreserved(from);
    };
    if (operators) {
      const AgentHandle agent = pick(agents_);
      const Resources from = Resources::scalars({{"cpus", rng_.between(1, 4) * 500}});
      const Resources to = changed(from);
      const bool fast = fast_.convert_available(agent, from, to).has_value();
      RC_ASSERT(fast == oracle_.convert_available(agent, from, to).has_value());
      return;
    }
    const size_t index = rng_.below(held_.size());
    Outstanding& held = held_[index];
    const Resources from =
        held.resources.filter([&](const Resource&) { return rng_.chance(1, 2); });
    const Resources to = changed(from);
    const bool fast =
        fast_.convert_allocated(held.framework, held.agent, held.role, from, to).has_value();
    RC_ASSERT(
        fast ==
        oracle_.convert_allocated(held.framework, held.agent, held.role, from, to).has_value());
    if (fast) held.resources = held.resources - from + to;
    if (held.resources.empty()) held_.erase(held_.begin() + static_cast<ptrdiff_t>(index));
  }

  static Resources unreserved(const Resources& from) {
    std::vector<Resource> items;
    for (const Resource& item : from.items()) {
      if (item.kind->reservations.size() != 1) continue;
      ResourceKind kind = *item.kind;
      kind.reservations.clear();
      items.push_back(
          {.kind = make_kind(std::move(kind)), .amount = item.amount, .shares = item.shares});
    }
    return Resources::create(std::move(items)).value();
  }

  void change_quota() {
    Quota quota;
    for (const char* name : {"cpus", "mem", "gpus", "disk"}) {
      if (rng_.chance(1, 2)) quota.guarantees.add(name, rng_.between(0, 8) * 500);
      if (rng_.chance(2, 3)) continue;
      quota.limits_milli[name] = quota.guarantees.get(name) + rng_.between(0, 6) * 500;
    }
    if (rng_.chance(1, 3)) quota = Quota();
    const std::string role = role_;
    both([&](Allocator& a) { a.set_quota(role, quota); });
  }

  void change_whitelist() {
    std::optional<std::set<std::string>> hosts;
    if (rng_.chance(1, 2)) hosts = std::set<std::string>{rng_.chance(1, 2) ? "h1" : "h2"};
    both([&](Allocator& a) { a.set_whitelist(hosts); });
  }

  void maintain() {
    if (agents_.empty()) return;
    const AgentHandle agent = pick(agents_);
    if (frameworks_.empty() || rng_.chance(1, 2)) {
      const bool planned = rng_.chance(2, 3);
      both([&](Allocator& a) { a.set_maintenance(agent, planned); });
    } else {
      const FrameworkHandle framework = pick(frameworks_);
      std::optional<Duration> refuse;
      if (rng_.chance(1, 2)) refuse = Duration(rng_.between(0, 3) * 1s);
      both([&](Allocator& a) { a.answer_inverse(now_, framework, agent, refuse); });
    }
  }

  // A task that came with its agent, under any role, fitting or not.
  void take_over() {
    if (agents_.empty() || frameworks_.empty()) return;
    const FrameworkHandle framework = pick(frameworks_);
    const AgentHandle agent = pick(agents_);
    const std::string role = role_;
    Resources used = Resources::scalars({{"cpus", rng_.between(1, 3) * 500}});
    if (rng_.chance(1, 3)) used = as_revocable(used);
    both([&](Allocator& a) { a.allocate(framework, agent, role, used); });
    held_.push_back(
        {.framework = framework, .agent = agent, .role = role, .resources = used, .runs = true});
    tell_running(agent);
  }

  static std::vector<std::string> to_lines(const std::vector<Grant>& grants) {
    std::vector<std::string> lines;
    for (const Grant& grant : grants) {
      lines.push_back(fmt::format("{} in {} on {}: {}", grant.framework.index, grant.role,
                                  grant.agent.index, to_text(grant.resources)));
    }
    return lines;
  }

  void round() {
    // The oracle visits all agents each time; what is shared is only offered again by a full round.
    both([&](Allocator& a) { a.request_full_round(); });
    const bool wanted = fast_.wants_round();
    std::vector<Grant> fast;
    std::vector<Grant> expected;
    while (fast_.step(now_, 2, fast) == Allocator::Step::kMore) {
    }
    oracle_.step(now_, 1, expected);
    if (to_lines(fast) != to_lines(expected)) {
      for (const RoleUse& use : oracle_.uses()) {
        RC_LOG() << use.role << ": quota " << to_text(use.quota) << ", consumed"
                 << to_text(Quota{.guarantees = use.consumed}) << "\n";
      }
    }
    RC_ASSERT(to_lines(fast) == to_lines(expected));
    for (size_t i = 0; i < fast.size(); ++i) {
      RC_ASSERT(fast[i].framework == expected[i].framework);
      RC_ASSERT(fast[i].agent == expected[i].agent);
      RC_ASSERT(fast[i].resources == expected[i].resources);
      held_.push_back({.framework = fast[i].framework,
                       .agent = fast[i].agent,
                       .role = std::string(fast[i].role),
                       .resources = fast[i].resources});
    }
    const std::vector<InverseGrant> inverse = fast_.take_inverse_grants();
    RC_ASSERT(inverse == oracle_.take_inverse_grants());
    const std::vector<AgentHandle> recalls = fast_.take_recalls();
    RC_ASSERT(recalls == oracle_.take_recalls());
    RC_ASSERT(wanted || (fast.empty() && inverse.empty() && recalls.empty()));
    granted_ += fast.size();
    rescind(recalls);
  }

  void compare() {
    const auto sound = fast_.audit();
    if (!sound) RC_FAIL(sound.error().message);
    for (const AgentHandle agent : agents_) RC_ASSERT(fast_.lent(agent) == oracle_.lent(agent));
    RC_ASSERT(fast_.lent_sums().lent == oracle_.lent_sums().lent);
    RC_ASSERT(fast_.lent_sums().offered == oracle_.lent_sums().offered);
    RC_ASSERT(fast_.stats().loans == oracle_.stats().loans);
    const std::vector<RoleShare> shares = fast_.shares();
    const std::vector<RoleShare> expected = oracle_.shares();
    RC_ASSERT(shares.size() == expected.size());
    for (size_t i = 0; i < shares.size(); ++i) {
      RC_ASSERT(shares[i].role == expected[i].role);
      RC_ASSERT(shares[i].dominant_share_ppm == expected[i].dominant_share_ppm);
      RC_ASSERT(shares[i].weight_milli == expected[i].weight_milli);
      RC_ASSERT(shares[i].frameworks == expected[i].frameworks);
    }
    const std::vector<RoleUse> uses = fast_.uses();
    const std::vector<RoleUse> wanted = oracle_.uses();
    RC_ASSERT(uses.size() == wanted.size());
    for (size_t i = 0; i < uses.size(); ++i) {
      RC_ASSERT(uses[i].role == wanted[i].role);
      RC_ASSERT(uses[i].quota == wanted[i].quota);
      RC_ASSERT(uses[i].consumed == wanted[i].consumed);
      RC_ASSERT(uses[i].reserved == wanted[i].reserved);
      RC_ASSERT(uses[i].offered_or_allocated == wanted[i].offered_or_allocated);
    }
  }

  Rng rng_;
  const AllocatorOptions options_;
  DrfAllocator fast_;
  AllocatorOracle oracle_;
  Now now_{};
  uint32_t generation_ = 0;
  uint32_t next_agent_ = 0;
  uint32_t next_framework_ = 0;
  int64_t weight_ = 1000;
  std::string role_ = "a";
  std::vector<AgentHandle> agents_;
  std::vector<FrameworkHandle> frameworks_;
  std::vector<Outstanding> held_;
  bool lends_ = false;  // the case is one with loans
  bool on_ = false;

 public:
  size_t granted_ = 0;
  size_t recalled_ = 0;
  uint64_t loans() const { return fast_.stats().loans; }
};

// Shrinks by leaving events out.
RC_GTEST_PROP(DrfAllocatorProperty, GivesWhatTheOracleGives, (uint64_t seed)) {
  const auto events = *rc::gen::scale(3, rc::gen::container<std::vector<uint64_t>>(
                                             rc::gen::noShrink(rc::gen::arbitrary<uint64_t>())));
  Pair pair(seed);
  for (const uint64_t event : events) pair.happen(event);
  RC_CLASSIFY(pair.granted_ > 10, "more than ten grants");
  RC_CLASSIFY(pair.loans() > 0, "loans");
  RC_CLASSIFY(pair.recalled_ > 0, "recalls");
}

}  // namespace
}  // namespace tepui
