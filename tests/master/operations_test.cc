// RESERVE, CREATE and the others inside an ACCEPT, their feedback, and what becomes of them when
// agents, frameworks and messages are lost.
#include "sdk/operations.h"

#include <gtest/gtest.h>

#include "tests/master/fake_effects.h"

namespace tepui {
namespace {

const Resources kMachine = Resources::scalars({{"cpus", 4000}, {"disk", 100'000}, {"mem", 4'000}});
const Resources kDisk = Resources::scalars({{"disk", 10'000}});

FrameworkInfo eng(uint32_t more = 0) {
  FrameworkInfo info = framework_info("eng");
  info.principal = "p";
  info.capabilities |= bit(FrameworkCapability::kReservationRefinement) | more;
  return info;
}

struct Rig {
  Bench bench;
  TestAgent agent = bench.agent(kMachine);
  TestFramework framework = bench.framework(eng());

  Resources disk = reserved(kDisk, "eng", "p");
  Resources volume = volume_on(disk, {.id = "v", .path = "data", .principal = "p"});

  SeenOffer offer() {
    const auto offers = bench.offers(framework);
    EXPECT_EQ(offers.size(), 1u);
    return offers.empty() ? SeenOffer{} : offers[0];
  }
  void accept(std::vector<OfferOperation> operations) {
    bench.say(framework.session,
              Accepts{{Accept{
                  .offers = {offer().id}, .operations = std::move(operations), .filters = {0s}}}});
    bench.settle();
  }
  std::vector<AgentOperation> told() {
    std::vector<AgentOperation> items;
    for (const ApplyOperations& message : bench.take<ApplyOperations>(agent.session)) {
      items.insert(items.end(), message.items.begin(), message.items.end());
    }
    return items;
  }
  std::vector<OperationStatus> statuses() {
    std::vector<OperationStatus> all;
    for (const auto& message : bench.take<OperationUpdates>(framework.session)) {
      all.insert(all.end(), message.statuses.begin(), message.statuses.end());
    }
    return all;
  }
  AgentOperation report(AgentOperation operation, OperationState state) {
    operation.status = {.operation_id = operation.operation.id,
                        .state = state,
                        .uuid = {9, operation.uuid.low},
                        .agent_id = agent.info.id};
    bench.say(agent.session, OperationReports{{operation}});
    bench.settle();
    return operation;
  }
  std::vector<AcknowledgeOperationReports::Item> acknowledged() {
    std::vector<AcknowledgeOperationReports::Item> all;
    for (const auto& message : bench.take<AcknowledgeOperationReports>(agent.session)) {
      all.insert(all.end(), message.items.begin(), message.items.end());
    }
    return all;
  }
};

TEST(MasterOperations, BuildOnEachOtherInOneCall) {
  Rig r;
  r.accept({reserve(r.disk), create_volume(r.volume),
            launch_tasks({task_info("t", r.volume + Resources::scalars({{"cpus", 1000}}))})});
  const auto told = r.told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].operation.type, Operation::Type::kReserve);
  EXPECT_EQ(told[1].operation.type, Operation::Type::kCreate);
  EXPECT_NE(told[0].uuid, told[1].uuid);
  EXPECT_EQ(r.bench.take<LaunchTasks>(r.agent.session).at(0).tasks.at(0).task.id.value, "t");
  EXPECT_TRUE(r.statuses().empty()) << "nobody asked for feedback";
  EXPECT_EQ(r.offer().resources,
            Resources::scalars({{"cpus", 3000}, {"disk", 90'000}, {"mem", 4'000}}));
}

TEST(MasterOperations, OperationsReachTheAgentBeforeTheLaunchesThatFollowThem) {
  Rig r;
  r.accept({launch_tasks({task_info("before", Resources::scalars({{"cpus", 1000}}))}),
            reserve(r.disk),
            launch_tasks({task_info("after", Resources::scalars({{"cpus", 1000}}))})});
  std::vector<std::string> order;
  for (const FakeEffects::Sent& sent : r.bench.effects.sent[r.agent.session]) {
    const auto* message = std::get_if<MasterToAgent>(&sent);
    if (message == nullptr) continue;
    if (const auto* launch = std::get_if<LaunchTasks>(message)) {
      order.push_back(launch->tasks.at(0).task.id.value);
    } else if (std::holds_alternative<ApplyOperations>(*message)) {
      order.push_back("operation");
    }
  }
  EXPECT_EQ(order, (std::vector<std::string>{"before", "operation", "after"}));
}

TEST(MasterOperations, ReservedResourcesAreOfferedToTheirRoleAlone) {
  Rig r;
  r.accept({reserve(r.disk)});
  r.bench.decline(r.framework, r.offer().id, 1h);
  FrameworkInfo ops = eng();
  ops.roles = {"ops"};
  const TestFramework other = r.bench.framework(ops);
  const auto seen = r.bench.offers(other);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].resources,
            Resources::scalars({{"cpus", 4000}, {"disk", 90'000}, {"mem", 4'000}}));
}

TEST(MasterOperations, ABadOneIsRefusedAndTheOthersGoOn) {
  Rig r;
  const Resources wrong = reserved(kDisk, "ops", "p");
  const Resources many = reserved(Resources::scalars({{"disk", 200'000}}), "eng", "p");
  r.accept({reserve(wrong, "o1"), reserve(many, "o2"), reserve(wrong), reserve(r.disk, "o3")});
  const auto statuses = r.statuses();
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[0].operation_id.value, "o1");
  EXPECT_EQ(statuses[0].state, OperationState::kError);
  EXPECT_EQ(statuses[0].message, "the offer is to role 'eng', it cannot be reserved to 'ops'");
  EXPECT_TRUE(statuses[0].uuid.is_nil());
  EXPECT_EQ(statuses[1].message, "the agent does not have disk:200");
  EXPECT_EQ(r.told().size(), 1u);
}

TEST(MasterOperations, WhatTasksOfTheCallTookIsNotConverted) {
  Rig r;
  r.accept({launch_tasks({task_info("t", Resources::scalars({{"disk", 95'000}}))}),
            reserve(r.disk, "o1")});
  EXPECT_NE(r.statuses().at(0).message.find("more than the"), std::string::npos);
  EXPECT_TRUE(r.told().empty());
}

TEST(MasterOperations, AResizedVolumeIsNotUsableInTheSameCall) {
  Rig r;
  r.accept({reserve(r.disk), reserve(reserved(kDisk, "eng", "p")), create_volume(r.volume)});
  const Resources large = volume_on(r.disk + r.disk, {.id = "v", .path = "data", .principal = "p"});
  r.accept({grow_volume(r.volume, r.disk, "o1"), launch_tasks({task_info("t", large)})});
  EXPECT_TRUE(r.statuses().empty());
  EXPECT_EQ(r.bench.updates(r.framework).at(0).state, TaskState::kError);
  EXPECT_TRUE(r.offer().resources.contains(large)) << "but in the next offer it is there";
}

TEST(MasterOperations, WhatAVolumeGivesBackIsNotUsableInTheSameCall) {
  Rig r;
  r.accept({reserve(r.disk), create_volume(r.volume)});
  const Resources half = reserved(Resources::scalars({{"disk", 5'000}}), "eng", "p");
  r.accept({shrink_volume(r.volume, 5'000, "o1"), unreserve(half, "o2"),
            launch_tasks({task_info("t", half)})});
  const auto statuses = r.statuses();
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].operation_id.value, "o2");
  EXPECT_NE(statuses[0].message.find("more than the"), std::string::npos) << statuses[0].message;
  EXPECT_EQ(r.bench.updates(r.framework).at(0).state, TaskState::kError);
  EXPECT_TRUE(r.offer().resources.contains(half)) << "but in the next offer it is there";
}

TEST(MasterOperations, OfOneCallAreAppliedInTheirOrder) {
  Rig r;
  // The other way round nothing would be there to build on, or to undo.
  r.accept({create_volume(r.volume, "too early"), reserve(r.disk, "o1"),
            create_volume(r.volume, "o2"), destroy_volume(r.volume, "o3"),
            destroy_volume(r.volume, "too late"), unreserve(r.disk, "o4")});
  std::vector<std::string> applied;
  for (const AgentOperation& told : r.told()) applied.push_back(told.operation.id.value);
  EXPECT_EQ(applied, (std::vector<std::string>{"o1", "o2", "o3", "o4"}));
  const auto refused = r.statuses();
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[0].message, "the agent does not have disk(eng):10");
  EXPECT_EQ(refused[1].message, "the agent has no such volume 'v'");
  EXPECT_EQ(r.offer().resources, kMachine);
}

TEST(MasterOperations, ATaskUsesAVolumeAsAWhole) {
  Rig r;
  const Resources piece = *Resources::create(
      {{.kind = r.volume.items().front().kind, .amount = Amount{int64_t{4'000}}}});
  r.accept({reserve(r.disk), create_volume(r.volume), launch_tasks({task_info("t", piece)})});
  const auto updates = r.bench.updates(r.framework);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].state, TaskState::kError);
  EXPECT_EQ(updates[0].message, "volume 'v' has 10 MB and goes only as a whole, not 4 MB of it");
}

TEST(MasterOperations, ASharedVolumeInUseByAnotherFrameworkIsNotDestroyed) {
  Rig r;
  r.framework.info.capabilities |= bit(FrameworkCapability::kSharedResources);
  r.bench.resubscribe(r.framework);
  const Resources shared =
      volume_on(r.disk, {.id = "v", .path = "data", .principal = "p", .shared = true});
  const Resources cpu = Resources::scalars({{"cpus", 1000}});
  r.accept({reserve(r.disk), create_volume(shared), launch_tasks({task_info("a", shared + cpu)})});
  r.bench.decline(r.framework, r.offer().id, 1h);
  const TestFramework other = r.bench.framework(eng(bit(FrameworkCapability::kSharedResources)));
  const auto offers = r.bench.offers(other);
  ASSERT_EQ(offers.size(), 1u);
  ASSERT_TRUE(offers[0].resources.contains(shared)) << "offered again while it is in use";
  r.bench.say(other.session,
              Accepts{{Accept{.offers = {offers[0].id},
                              .operations = {destroy_volume(shared, "o1"),
                                             launch_tasks({task_info("b", shared + cpu)})}}}});
  r.bench.settle();
  std::vector<OperationStatus> refused;
  for (const auto& message : r.bench.take<OperationUpdates>(other.session)) {
    refused.insert(refused.end(), message.statuses.begin(), message.statuses.end());
  }
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].message, "volume 'v' is in use by a task");
  size_t launched = 0;
  for (const LaunchTasks& message : r.bench.take<LaunchTasks>(r.agent.session)) {
    launched += message.tasks.size();
  }
  EXPECT_EQ(launched, 2u) << "both frameworks use it";
}

TEST(MasterOperations, AVolumeInUseIsNotDestroyed) {
  Rig r;
  r.accept({reserve(r.disk), create_volume(r.volume), launch_tasks({task_info("t", r.volume)})});
  const Result<void> refused = r.bench.master().operate(
      r.bench.now, "p", r.agent.info.id,
      {.type = Operation::Type::kDestroy, .resources = r.volume, .source = {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "volume 'v' is in use by a task");
}

TEST(MasterOperations, ASharedVolumeServesManyTasksAndOffers) {
  Rig r;
  r.framework.info.capabilities |= bit(FrameworkCapability::kSharedResources);
  r.bench.resubscribe(r.framework);
  const Resources shared =
      volume_on(r.disk, {.id = "v", .path = "data", .principal = "p", .shared = true});
  const Resources cpu = Resources::scalars({{"cpus", 1000}});
  r.accept({reserve(r.disk), create_volume(shared),
            launch_tasks({task_info("a", shared + cpu), task_info("b", shared + cpu)})});
  const auto launches = r.bench.take<LaunchTasks>(r.agent.session);
  ASSERT_EQ(launches.at(0).tasks.size(), 2u);
  const SeenOffer next = r.offer();
  EXPECT_TRUE(next.resources.contains(shared)) << to_text(next.resources);
  Task a{.id = {"a"},
         .framework_id = r.framework.info.id,
         .agent_id = r.agent.info.id,
         .kind = TaskKind{.role = "eng", .resources = shared + cpu}};
  r.bench.update(r.agent, a, TaskState::kFinished);
}

TEST(MasterOperations, TellTheFrameworkUntilItAcknowledges) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  const AgentOperation done = r.report(r.told().at(0), OperationState::kFinished);
  const auto statuses = r.statuses();
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].operation_id.value, "o1");
  EXPECT_EQ(statuses[0].state, OperationState::kFinished);
  EXPECT_EQ(statuses[0].uuid, done.status.uuid);
  EXPECT_TRUE(r.acknowledged().empty());
  r.bench.say(r.agent.session, OperationReports{{done}});
  r.bench.settle();
  EXPECT_EQ(r.statuses().size(), 1u) << "repeated";
  r.bench.say(r.framework.session,
              AcknowledgeOperations{{{r.agent.info.id, {"o1"}, done.status.uuid}}});
  r.bench.settle();
  const auto acks = r.acknowledged();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].operation, done.uuid);
  EXPECT_EQ(acks[0].status, done.status.uuid);
}

TEST(MasterOperations, AreAcknowledgedByTheMasterWhereNobodyAskedForFeedback) {
  Rig r;
  r.accept({reserve(r.disk)});
  const AgentOperation done = r.report(r.told().at(0), OperationState::kFinished);
  EXPECT_EQ(r.acknowledged().at(0).operation, done.uuid);
  EXPECT_TRUE(r.statuses().empty());
}

TEST(MasterOperations, AnIdInUseIsRefused) {
  Rig r;
  r.accept({reserve(r.disk, "o1"), reserve(r.disk, "o1")});
  EXPECT_EQ(r.statuses().at(0).message, "operation id 'o1' is in use");
  EXPECT_EQ(r.told().size(), 1u);
}

TEST(MasterOperations, OfABadCallAreRefusedToo) {
  Rig r;
  r.bench.say(r.framework.session,
              Accepts{{Accept{.offers = {OfferId{77}}, .operations = {reserve(r.disk, "o1")}}}});
  r.bench.settle();
  EXPECT_EQ(r.statuses().at(0).state, OperationState::kError);
}

TEST(MasterOperations, ReconciliationTellsWhatIsKnown) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  r.bench.say(r.framework.session, ReconcileOperations{});
  r.bench.settle();
  EXPECT_EQ(r.statuses().at(0).state, OperationState::kPending);
  r.report(r.told().at(0), OperationState::kFinished);
  r.statuses();
  r.bench.say(r.framework.session,
              ReconcileOperations{{{{"o1"}, {}}, {{"other"}, r.agent.info.id}}});
  r.bench.settle();
  const auto answers = r.statuses();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].state, OperationState::kFinished);
  EXPECT_TRUE(answers[0].uuid.is_nil());
  EXPECT_EQ(answers[1].state, OperationState::kUnknown);
}

TEST(MasterOperations, ThatNeverReachedTheAgentAreDroppedWhenItComesBack) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  r.told();
  r.bench.lose(r.agent.session);
  r.bench.reregister(r.agent);
  r.bench.settle();
  const auto statuses = r.statuses();
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].state, OperationState::kDropped);
  EXPECT_EQ(r.bench.offers(r.framework).back().resources, kMachine) << "its own total counts";
}

TEST(MasterOperations, ThatWereAppliedShowInTheTotalOfTheAgentThatComesBack) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  const AgentOperation done = r.report(r.told().at(0), OperationState::kFinished);
  r.bench.restart();  // a new leader knows neither operation nor total
  r.agent.info.resources = kMachine - kDisk + r.disk;
  r.bench.resubscribe(r.framework);
  r.agent.session = r.bench.new_session();
  r.bench.say(r.agent.session, AgentToMaster(Hello{}));
  r.bench.say(r.agent.session, ReregisterAgent{.info = r.agent.info, .operations = {done}});
  r.bench.settle();
  EXPECT_EQ(r.offer().resources, r.agent.info.resources);
  r.bench.say(r.agent.session, OperationReports{{done}});
  r.bench.settle();
  EXPECT_EQ(r.statuses().at(0).uuid, done.status.uuid);
}

TEST(MasterOperations, OnAnUnreachableAgentAreUnreachable) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  r.bench.lose(r.agent.session);
  r.bench.pass(10min);
  EXPECT_EQ(r.statuses().at(0).state, OperationState::kUnreachable);
}

TEST(MasterOperations, AnAgentThatEndsTakesThemWithIt) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  r.bench.say(r.agent.session, UnregisterAgent{});
  r.bench.settle();
  EXPECT_EQ(r.statuses().at(0).state, OperationState::kGoneByOperator);
}

TEST(MasterOperations, OfAFrameworkThatEndedAreAcknowledgedForIt) {
  Rig r;
  r.accept({reserve(r.disk, "o1")});
  const AgentOperation done = r.report(r.told().at(0), OperationState::kFinished);
  r.bench.say(r.framework.session, Teardown{});
  r.bench.settle();
  EXPECT_EQ(r.acknowledged().at(0).operation, done.uuid);
}

TEST(MasterOperations, AnOperatorTakesWhatIsOnlyOffered) {
  Rig r;
  const SeenOffer before = r.offer();
  const Operation operation{.type = Operation::Type::kReserve, .resources = r.disk, .source = {}};
  const Result<void> done = r.bench.master().operate(r.bench.now, "p", r.agent.info.id, operation);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  r.bench.settle();
  EXPECT_EQ(r.bench.take<Rescind>(r.framework.session).at(0).offers.at(0), before.id);
  EXPECT_EQ(r.told().at(0).operation.resources, r.disk);
  EXPECT_TRUE(r.offer().resources.contains(r.disk));
  const Result<void> unknown = r.bench.master().operate(r.bench.now, "p", {"x"}, operation);
  EXPECT_EQ(unknown.error().message, "agent 'x' is not known");
}

TEST(MasterOperations, RevocableResourcesComeAndGoWithTheirOffers) {
  Rig r;
  r.framework.info.capabilities |= bit(FrameworkCapability::kRevocableResources);
  r.bench.resubscribe(r.framework);
  r.offer();
  const auto lent = [](int64_t milli) {
    return *Resources::create(
        {{.kind = make_kind({.name = "cpus", .revocable = true}), .amount = milli}});
  };
  r.bench.say(r.agent.session, UpdateAgent{lent(3000)});
  r.bench.settle();
  const SeenOffer more = r.offer();
  EXPECT_EQ(more.resources.revocable(), lent(3000));
  r.bench.accept(r.framework, {more.id}, {task_info("t", lent(2000))}, 0s);
  r.offer();
  r.bench.say(r.agent.session, UpdateAgent{lent(1000)});
  r.bench.settle();
  EXPECT_FALSE(r.bench.take<Rescind>(r.framework.session).empty());
  for (const SeenOffer& offer : r.bench.offers(r.framework)) {
    EXPECT_TRUE(offer.resources.revocable().empty()) << "the task holds more than is lent";
  }
  r.bench.say(r.agent.session, UpdateAgent{kDisk});
  r.bench.settle();
}

}  // namespace
}  // namespace tepui
