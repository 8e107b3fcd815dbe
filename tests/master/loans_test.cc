// Loans as the master books them: offers, tasks, agents that come back, and what is taken back.
#include "master/loans.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/loans.h"
#include "common/quota_text.h"
#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

const Resources kMachine = Resources::scalars({{"cpus", 4000}});
const Resources kLent = as_revocable(kMachine);

FrameworkInfo borrower_info() {
  FrameworkInfo info = framework_info("night");
  info.capabilities |= bit(FrameworkCapability::kRevocableResources);
  return info;
}

struct Rig {
  Bench bench{MasterTunables{.lend_guarantees = true}};
  TestAgent agent = bench.agent(kMachine);

  Rig() { guarantee("cpus:4"); }
  void guarantee(std::string_view what) {
    UpdateQuota update{.force = true};
    update.quotas.push_back(
        {.role = "eng", .quota = {.guarantees = *parse_guarantees(what), .limits_milli = {}}});
    EXPECT_EQ(bench.command(update), "");
  }
  void audit() {
    const Result<void> sound = bench.master().audit();
    EXPECT_TRUE(sound.has_value()) << sound.error().message;
  }
};

TEST(MasterLoans, AreOfferedAndRescindedForTheGuaranteed) {
  Rig r;
  const TestFramework borrower = r.bench.framework(borrower_info());
  const auto lent = r.bench.offers(borrower);
  ASSERT_EQ(lent.size(), 1u);
  EXPECT_EQ(lent[0].resources, kLent);
  r.audit();
  const TestFramework promised = r.bench.framework(framework_info("eng"));
  r.bench.pass(1s);
  EXPECT_EQ(r.bench.take<Rescind>(borrower.session).at(0).offers.at(0), lent[0].id);
  const auto given = r.bench.offers(promised);
  ASSERT_EQ(given.size(), 1u);
  EXPECT_EQ(given[0].resources, kMachine);
  r.audit();
}

TEST(MasterLoans, AreKeptByTasksAndRegularAgainAfterThem) {
  Rig r;
  const TestFramework borrower = r.bench.framework(borrower_info());
  Task task = r.bench.launch(borrower, "t", as_revocable(Resources::scalars({{"cpus", 3000}})));
  r.audit();
  const TestFramework promised = r.bench.framework(framework_info("eng"));
  r.bench.pass(1s);
  const auto rest = r.bench.offers(promised);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].resources, Resources::scalars({{"cpus", 1000}}));
  r.bench.update(r.agent, task, TaskState::kFinished);
  r.bench.pass(1s);
  const auto more = r.bench.offers(promised);
  ASSERT_EQ(more.size(), 1u);
  EXPECT_EQ(more[0].resources, Resources::scalars({{"cpus", 3000}}));
  r.audit();
}

TEST(MasterLoans, AreRecognisedWhenTheAgentComesBack) {
  Rig r;
  TestFramework borrower = r.bench.framework(borrower_info());
  Task task = r.bench.launch(borrower, "t", as_revocable(Resources::scalars({{"cpus", 3000}})));
  r.bench.update(r.agent, task, TaskState::kRunning);
  r.bench.reregister(r.agent, {borrower.info}, {task});  // to the same leader
  r.audit();
  r.bench.restart();
  r.bench.reregister(r.agent, {borrower.info}, {task});
  r.audit();
  EXPECT_EQ(r.bench.master().totals().tasks, 1u);
  EXPECT_EQ(r.bench.events().count<event::AgentBroken>(), 0);
  const TestFramework promised = r.bench.framework(framework_info("eng"));
  r.bench.pass(1s);
  const auto rest = r.bench.offers(promised);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].resources, Resources::scalars({{"cpus", 1000}}));
}

// What is lent of the rest is seen only when all that is regular is booked.
TEST(MasterLoans, WaitForEveryTaskOfAnAgentThatComesBack) {
  Rig r;
  r.guarantee("");
  const Resources three = Resources::scalars({{"cpus", 3000}});
  r.bench.say(r.agent.session, UpdateAgent{as_revocable(three)});
  r.bench.settle();
  TestFramework framework = r.bench.framework(borrower_info());
  const auto offers = r.bench.offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  const std::map<std::string, Resources> wanted = {{"borrowed", as_revocable(three)},
                                                   {"ended", Resources::scalars({{"cpus", 500}})},
                                                   {"running", three}};
  std::vector<TaskInfo> infos;
  std::vector<Task> tasks;
  for (const auto& [name, resources] : wanted) {
    infos.push_back(task_info(name, resources));
    tasks.push_back({.id = {name},
                     .framework_id = framework.info.id,
                     .agent_id = r.agent.info.id,
                     .kind = TaskKind{.name = name, .role = "night", .resources = resources},
                     .state = name == "ended" ? TaskState::kFinished : TaskState::kRunning,
                     .update_state = TaskState::kRunning});
  }
  r.bench.accept(framework, {offers[0].id}, infos, 24h);
  r.bench.say(r.agent.session, UpdateAgent{});
  r.guarantee("cpus:4");
  r.agent.info.attributes.push_back({.name = "rack", .value = "r1"});  // so its books are made anew
  r.bench.reregister(r.agent, {framework.info}, tasks);
  r.audit();
  EXPECT_EQ(r.bench.events().count<event::AgentBroken>(), 0);
  EXPECT_EQ(r.bench.master().totals().tasks, 3u) << "the ended one waits for its last update";
}

// Its own revocable resources became less while tasks held them, and the regular ones are in use.
TEST(MasterLoans, LeaveToEveryTaskWhatItHoldsWhenTheAgentComesBack) {
  Rig r;
  r.guarantee("");
  const Resources three = Resources::scalars({{"cpus", 3000}});
  r.bench.say(r.agent.session, UpdateAgent{as_revocable(three)});
  r.bench.settle();
  TestFramework borrower = r.bench.framework(borrower_info());
  const auto offers = r.bench.offers(borrower);
  ASSERT_EQ(offers.size(), 1u);
  r.bench.accept(borrower, {offers[0].id},
                 {task_info("revocable", as_revocable(three)), task_info("regular", three)}, 24h);
  r.bench.say(r.agent.session, UpdateAgent{});
  r.bench.settle();
  r.audit();
  std::vector<Task> tasks;
  for (const char* name : {"revocable", "regular"}) {
    const Resources held = name == std::string("regular") ? three : as_revocable(three);
    tasks.push_back({.id = {name},
                     .framework_id = borrower.info.id,
                     .agent_id = r.agent.info.id,
                     .kind = TaskKind{.name = name, .role = "night", .resources = held},
                     .state = TaskState::kRunning,
                     .update_state = TaskState::kRunning});
  }
  r.bench.restart();
  r.bench.reregister(r.agent, {borrower.info}, tasks);
  r.audit();
  EXPECT_EQ(r.bench.events().count<event::AgentBroken>(), 0);
  EXPECT_EQ(r.bench.master().totals().tasks, 2u);
  // What the agent has not, and nobody holds any more, is offered to nobody.
  r.bench.update(r.agent, tasks[0], TaskState::kFinished);
  r.bench.resubscribe(borrower);
  r.bench.pass(1s);
  const auto rest = r.bench.offers(borrower);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].resources, Resources::scalars({{"cpus", 1000}}));
  r.audit();
}

TEST(MasterLoans, GiveWayToWhatTheAgentHasByItself) {
  Rig r;
  const TestFramework borrower = r.bench.framework(borrower_info());
  r.bench.launch(borrower, "t", as_revocable(Resources::scalars({{"cpus", 3000}})));
  r.bench.say(r.agent.session, UpdateAgent{as_revocable(Resources::scalars({{"cpus", 2000}}))});
  r.bench.settle();
  r.audit();
  const TestFramework promised = r.bench.framework(framework_info("eng"));
  r.bench.pass(1s);
  const auto rest = r.bench.offers(promised);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].resources, Resources::scalars({{"cpus", 3000}})) << "one is still lent";
}

TEST(MasterLoans, AreRescindedWhenLendingIsSwitchedOff) {
  Rig r;
  const TestFramework borrower = r.bench.framework(borrower_info());
  ASSERT_EQ(r.bench.offers(borrower).size(), 1u);
  r.bench.master().on_tunables(r.bench.now, MasterTunables{});
  r.bench.settle();
  EXPECT_EQ(r.bench.take<Rescind>(borrower.session).size(), 1u);
  EXPECT_TRUE(r.bench.offers(borrower).empty());
  r.audit();
}

TEST(MasterLoans, AreRescindedByARaisedGuarantee) {
  Rig r;
  r.guarantee("cpus:2");
  const TestFramework borrower = r.bench.framework(borrower_info());
  ASSERT_EQ(r.bench.offers(borrower).size(), 2u) << "what is left, and what is lent";
  r.guarantee("cpus:4");
  size_t rescinded = 0;
  for (const Rescind& message : r.bench.take<Rescind>(borrower.session)) {
    rescinded += message.offers.size();
  }
  EXPECT_EQ(rescinded, 2u);
  r.audit();
}

TEST(MasterLoans, AreNotMixedWithRegularResourcesInATaskNorReserved) {
  Rig r;
  r.guarantee("cpus:2");
  const TestFramework borrower = r.bench.framework(borrower_info());
  const auto offers = r.bench.offers(borrower);
  ASSERT_EQ(offers.size(), 2u);
  const Resources half = Resources::scalars({{"cpus", 2000}});
  EXPECT_EQ(offers[0].resources, half);
  EXPECT_EQ(offers[1].resources, as_revocable(half));
  const Resources both = half + as_revocable(half);
  r.bench.accept(borrower, {offers[0].id, offers[1].id}, {task_info("t", both)}, 0s);
  const auto updates = r.bench.updates(borrower);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].state, TaskState::kError);
  EXPECT_EQ(updates[0].message, "task mixes revocable and regular 'cpus'");
  ResourceKind kind{.name = "cpus", .revocable = true};
  kind.reservations.push_back(
      {.type = Reservation::Type::kDynamic, .role = "night", .principal = "p"});
  const Result<Resources> reserved =
      Resources::create({{.kind = make_kind(std::move(kind)), .amount = int64_t{1000}}});
  ASSERT_FALSE(reserved.has_value());
  EXPECT_NE(reserved.error().message.find("cannot be reserved"), std::string::npos);
}

}  // namespace
}  // namespace tepui
