// Books that do not balance cost one agent its session, and nobody anything else. The allocator
// here is the real one behind a face that can be told to lie.
#include "master/isolation.h"

#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

// Hands everything through; with `excess`, the next grants hold more than was granted.
class LyingAllocator final : public Allocator {
 public:
  Resources excess;

  void add_agent(AgentHandle agent, AgentShape shape) override {
    real_.add_agent(agent, std::move(shape));
  }
  void update_agent(AgentHandle agent, AgentShape shape) override {
    real_.update_agent(agent, std::move(shape));
  }
  void remove_agent(AgentHandle agent) override { real_.remove_agent(agent); }
  void set_agent_active(AgentHandle agent, bool active) override {
    real_.set_agent_active(agent, active);
  }
  void add_framework(FrameworkHandle framework, FrameworkShape shape) override {
    real_.add_framework(framework, std::move(shape));
  }
  void update_framework(FrameworkHandle framework, FrameworkShape shape) override {
    real_.update_framework(framework, std::move(shape));
  }
  void remove_framework(FrameworkHandle framework) override { real_.remove_framework(framework); }
  void set_framework_active(FrameworkHandle framework, bool active) override {
    real_.set_framework_active(framework, active);
  }
  void suppress(FrameworkHandle framework, std::span<const std::string> roles) override {
    real_.suppress(framework, roles);
  }
  void revive(FrameworkHandle framework, std::span<const std::string> roles) override {
    real_.revive(framework, roles);
  }
  void set_weight(std::string_view role, int64_t weight_milli) override {
    real_.set_weight(role, weight_milli);
  }
  void set_quota(std::string_view role, const Quota& quota) override {
    real_.set_quota(role, quota);
  }
  void set_whitelist(std::optional<std::set<std::string>> hostnames) override {
    real_.set_whitelist(std::move(hostnames));
  }
  Result<void> convert_allocated(FrameworkHandle framework, AgentHandle agent,
                                 std::string_view role, const Resources& from,
                                 const Resources& to) override {
    return real_.convert_allocated(framework, agent, role, from, to);
  }
  Result<void> convert_available(AgentHandle agent, const Resources& from,
                                 const Resources& to) override {
    return real_.convert_available(agent, from, to);
  }
  void set_lending(bool on) override { real_.set_lending(on); }
  void set_running(AgentHandle agent, const Resources& revocable) override {
    real_.set_running(agent, revocable);
  }
  Resources lent(AgentHandle agent) const override { return real_.lent(agent); }
  std::vector<AgentHandle> take_recalls() override { return real_.take_recalls(); }
  LentSums lent_sums() const override { return real_.lent_sums(); }
  void set_maintenance(AgentHandle agent, bool planned) override {
    real_.set_maintenance(agent, planned);
  }
  void answer_inverse(Now now, FrameworkHandle framework, AgentHandle agent,
                      std::optional<Duration> refuse) override {
    real_.answer_inverse(now, framework, agent, refuse);
  }
  std::vector<InverseGrant> take_inverse_grants() override { return real_.take_inverse_grants(); }
  void pause(Now now, uint32_t agents_expected) override { real_.pause(now, agents_expected); }
  void expect_fewer() override { real_.expect_fewer(); }
  bool is_paused() const override { return real_.is_paused(); }
  RoleUse use(std::string_view role) const override { return real_.use(role); }
  std::vector<RoleUse> uses() const override { return real_.uses(); }
  OfferExplanation explain(FrameworkHandle framework, std::string_view role) const override {
    return real_.explain(framework, role);
  }
  void allocate(FrameworkHandle framework, AgentHandle agent, std::string_view role,
                const Resources& resources) override {
    real_.allocate(framework, agent, role, resources);
  }
  void recover(Now now, FrameworkHandle framework, AgentHandle agent, std::string_view role,
               const Resources& resources, std::optional<Duration> refuse) override {
    real_.recover(now, framework, agent, role, resources, refuse);
  }
  bool wants_round() const override { return real_.wants_round(); }
  void request_full_round() override { real_.request_full_round(); }
  Instant next_deadline() const override { return real_.next_deadline(); }
  void on_time(Now now) override { real_.on_time(now); }
  Step step(Now now, uint32_t agents_max, std::vector<Grant>& grants) override {
    const size_t before = grants.size();
    const Step step = real_.step(now, agents_max, grants);
    for (size_t i = before; i < grants.size(); ++i) grants[i].resources += excess;
    return step;
  }
  std::vector<RoleShare> shares() const override { return real_.shares(); }
  const AllocatorStats& stats() const override { return real_.stats(); }
  Result<void> audit() const override { return real_.audit(); }

 private:
  DrfAllocator real_{AllocatorOptions{}, 7};
};

TEST(Isolation, AnAgentOfWhichMoreIsGrantedThanItHasIsCutOffAlone) {
  LyingAllocator allocator;
  Bench bench({}, &allocator);
  const TestFramework framework = bench.framework();
  TestAgent sound = bench.agent();
  ASSERT_EQ(bench.offers(framework).size(), 1u);
  allocator.excess = machine(1, 0);
  TestAgent broken = bench.agent();
  allocator.excess = {};

  EXPECT_EQ(bench.events().count<event::AgentBroken>(), 1);
  EXPECT_TRUE(bench.effects.closed.contains(broken.session));
  EXPECT_FALSE(bench.effects.closed.contains(sound.session));
  EXPECT_TRUE(bench.offers(framework).empty()) << "nothing of it was offered";
  EXPECT_TRUE(bench.effects.resignations.empty());
  EXPECT_EQ(bench.master().totals().agents_active, 1u);
  EXPECT_EQ(bench.master().totals().offers, 1u) << "the sound agent's offer stays";

  // It registers again, and is like any other.
  bench.reregister(broken);
  EXPECT_EQ(bench.master().totals().agents_active, 2u);
  EXPECT_EQ(bench.offers(framework).at(0).resources, machine());
}

TEST(Isolation, TheTasksOfABrokenAgentStayAndItsBooksAreMadeAnew) {
  LyingAllocator allocator;
  Bench bench({}, &allocator);
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  Task task = bench.launch(framework, "t");
  bench.acknowledge(framework, task, bench.update(agent, task, TaskState::kRunning));
  const Task missing = [&] {
    bench.say(framework.session, Revive{});
    bench.settle();
    return bench.launch(framework, "missing");
  }();
  bench.updates(framework);

  allocator.excess = machine();
  bench.say(framework.session, Revive{});
  bench.settle();
  allocator.excess = {};
  EXPECT_EQ(bench.events().count<event::AgentBroken>(), 1);
  EXPECT_EQ(bench.master().totals().tasks, 2u);
  EXPECT_TRUE(bench.updates(framework).empty()) << "the framework hears nothing of it";

  bench.reregister(agent, {framework.info}, {task});
  EXPECT_EQ(bench.take<ReconcileTasks>(agent.session).at(0).items.at(0).task_id, missing.id);
  const auto offers = bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resources, machine(2000, 3072000));
}

TEST(Isolation, AnAgentThatRunsMoreThanItHasIsBroken) {
  Bench bench;
  TestAgent agent = bench.agent();
  const TestFramework framework = bench.framework();
  const Task task = bench.launch(framework, "t");
  bench.lose(agent.session);
  Task impossible = task;
  impossible.id = {"impossible"};
  impossible.kind = TaskKind{.role = task.kind->role, .resources = machine(100'000, 1000)};
  bench.reregister(agent, {framework.info}, {task, impossible});
  EXPECT_EQ(bench.events().count<event::AgentBroken>(), 1);
  EXPECT_TRUE(bench.effects.closed.contains(agent.session));
  EXPECT_TRUE(bench.offers(framework).empty());
}

TEST(Isolation, ABrokenAgentThatStaysAwayIsUnreachableInTheEnd) {
  LyingAllocator allocator;
  Bench bench({}, &allocator);
  const TestFramework framework = bench.framework();
  allocator.excess = machine();
  bench.agent();
  allocator.excess = {};
  bench.pass(80s);
  EXPECT_EQ(bench.master().totals().agents_unreachable, 1u);
  EXPECT_EQ(bench.take<Failure>(framework.session).size(), 1u);
}

TEST(Isolation, OffersOfABrokenAgentAreRescinded) {
  LyingAllocator allocator;
  Bench bench({}, &allocator);
  TestAgent agent = bench.agent();
  const TestFramework first = bench.framework(framework_info("a"));
  Task task = bench.launch(first, "t");
  const TestFramework second = bench.framework(framework_info("b"));
  const auto rest = bench.offers(second);
  ASSERT_EQ(rest.size(), 1u);
  allocator.excess = machine();
  bench.update(agent, task, TaskState::kFinished);  // what it frees is granted, and more
  EXPECT_EQ(bench.events().count<event::AgentBroken>(), 1);
  EXPECT_EQ(bench.take<Rescind>(second.session).at(0).offers, std::vector<OfferId>{rest[0].id});
  EXPECT_EQ(bench.master().totals().offers, 0u);
}

}  // namespace
}  // namespace tepui
