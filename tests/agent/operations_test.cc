// The agent applies operations durably and in order, confirms them until acknowledged, and begins
// its next life with what they made.
#include <gtest/gtest.h>

#include "agent/checkpoint_wire.h"
#include "sdk/operations.h"
#include "tests/agent/fake_effects.h"

namespace tepui {
namespace {

const Resources kDisk = Resources::scalars({{"disk", 10'000}});
const Resources kReserved = reserved(kDisk, "eng", "p");
const Resources kVolume = volume_on(kReserved, {.id = "v", .path = "data", .principal = "p"});

AgentConfig with_disk() {
  AgentConfig config = bench_config();
  config.info.resources += Resources::scalars({{"disk", 100'000}});
  return config;
}

struct Rig {
  Bench bench{with_disk()};
  uint64_t last = 0;

  Rig() { bench.enlist(); }
  AgentOperation make(OfferOperation operation) {
    return {.uuid = {1, ++last}, .framework_id = {"f"}, .operation = operation.operation};
  }
  void say(MasterToAgent message) {
    bench.turn([&](Now now) { bench.agent.on_message(now, message); });
  }
  void durable() {
    const uint64_t serial = bench.effects.checkpoints.back().serial;
    bench.turn([&](Now now) { bench.agent.on_checkpointed(now, serial); });
  }
  void launch_on_volume() {
    auto spec = std::make_shared<TaskSpec>();
    spec->resources = kVolume + Resources::scalars({{"cpus", 1000}});
    spec->command.value = "true";
    FrameworkInfo info{.id = {"f"}, .name = "f", .roles = {"eng"}};
    say(LaunchTasks{.frameworks = {info},
                    .tasks = {{.framework_id = {"f"},
                               .role = "eng",
                               .task = {.id = {"t"}, .name = "t", .spec = spec}}}});
  }
  std::vector<AgentOperation> reports() {
    std::vector<AgentOperation> all;
    for (const auto& message : bench.effects.take<OperationReports>()) {
      all.insert(all.end(), message.items.begin(), message.items.end());
    }
    return all;
  }
  const Resources& total() const { return bench.agent.info().resources; }
};

TEST(AgentOperations, AreConfirmedOnlyWhenTheyAreDurable) {
  Rig r;
  const Resources before = r.total();
  r.say(ApplyOperations{{r.make(reserve(kReserved, "o1")), r.make(create_volume(kVolume))}});
  ASSERT_EQ(r.bench.effects.checkpoints.size(), 1u);
  const AgentCheckpoint& checkpoint = r.bench.effects.checkpoints[0];
  EXPECT_EQ(checkpoint.total, before - kDisk + kVolume);
  EXPECT_EQ(checkpoint.make, (std::vector<VolumePlace>{{"/var/lib/tepui", "volumes/roles/eng/v"}}));
  EXPECT_EQ(checkpoint.operations.size(), 2u);
  EXPECT_TRUE(r.reports().empty());
  EXPECT_EQ(r.total(), before);
  r.durable();
  EXPECT_EQ(r.total(), before - kDisk + kVolume);
  const auto reports = r.reports();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].operation.id.value, "o1");
  EXPECT_EQ(reports[0].status.state, OperationState::kFinished);
  EXPECT_EQ(reports[0].status.converted, kReserved);
}

TEST(AgentOperations, AreRepeatedWithBackOffUntilAcknowledged) {
  Rig r;
  r.say(ApplyOperations{{r.make(reserve(kReserved))}});
  r.durable();
  const AgentOperation report = r.reports().at(0);
  r.bench.advance(std::chrono::seconds(10));
  EXPECT_EQ(r.reports().size(), 1u);
  r.bench.advance(std::chrono::seconds(19));
  EXPECT_TRUE(r.reports().empty());
  r.bench.advance(std::chrono::seconds(1));
  EXPECT_EQ(r.reports().size(), 1u);
  r.say(AcknowledgeOperationReports{{{report.uuid, Uuid{7, 7}}}});
  EXPECT_EQ(r.bench.agent.totals().operations_pending, 1u) << "another status is meant";
  r.say(AcknowledgeOperationReports{{{report.uuid, report.status.uuid}}});
  EXPECT_EQ(r.bench.agent.totals().operations_pending, 0u);
  EXPECT_TRUE(r.bench.effects.checkpoints.back().operations.empty());
  r.bench.advance(std::chrono::minutes(20));
  EXPECT_TRUE(r.reports().empty());
}

TEST(AgentOperations, HoldBackTheLaunchesThatBuildOnThem) {
  Rig r;
  r.say(ApplyOperations{{r.make(reserve(kReserved)), r.make(create_volume(kVolume))}});
  r.launch_on_volume();
  EXPECT_TRUE(r.bench.effects.launches.empty());
  r.durable();
  ASSERT_EQ(r.bench.effects.launches.size(), 1u);
  const LaunchSpec& launch = r.bench.effects.launches[0];
  ASSERT_EQ(launch.volumes.size(), 1u);
  EXPECT_EQ(launch.volumes[0].place.directory, "volumes/roles/eng/v");
  EXPECT_EQ(launch.volumes[0].container_path, "data");

  // While the task runs, its volume stays.
  r.reports();
  r.say(ApplyOperations{{r.make(destroy_volume(kVolume))}});
  r.durable();
  EXPECT_TRUE(r.bench.effects.checkpoints.back().destroy.empty());
  EXPECT_TRUE(r.total().contains(kVolume));
}

TEST(AgentOperations, HoldTheirLaunchesBackAlsoWhileAnEarlierOneIsBeingForgotten) {
  Rig r;
  r.say(ApplyOperations{{r.make(reserve(reserved(kDisk, "other", "p")))}});
  r.durable();
  const AgentOperation report = r.reports().at(0);
  // What was acknowledged is being forgotten durably when the next operations come.
  r.say(AcknowledgeOperationReports{{{report.uuid, report.status.uuid}}});
  const uint64_t forgetting = r.bench.effects.checkpoints.back().serial;
  r.say(ApplyOperations{{r.make(reserve(kReserved)), r.make(create_volume(kVolume))}});
  r.launch_on_volume();
  EXPECT_TRUE(r.bench.effects.take<StatusUpdates>().empty());
  r.bench.turn([&](Now now) { r.bench.agent.on_checkpointed(now, forgetting); });
  EXPECT_TRUE(r.bench.effects.launches.empty());
  r.durable();
  EXPECT_EQ(r.bench.effects.launches.size(), 1u);
}

TEST(AgentOperations, ThatDoNotFitAreDroppedAndTheAgentRegistersAgain) {
  Rig r;
  const Resources before = r.total();
  r.say(ApplyOperations{{r.make(create_volume(kVolume, "o1"))}});  // of disk that is not reserved
  r.durable();
  EXPECT_EQ(r.total(), before);
  EXPECT_EQ(r.bench.effects.reconnects.size(), 1u);
  EXPECT_EQ(r.bench.agent.totals().operations_pending, 1u);
}

TEST(AgentOperations, ThatCannotBeMadeDurableFail) {
  Rig r;
  const Resources before = r.total();
  r.say(ApplyOperations{{r.make(reserve(kReserved, "o1"))}});
  r.bench.turn([&](Now now) {
    r.bench.agent.on_checkpoint_failed(now, r.bench.effects.checkpoints.back().serial,
                                       Error{.message = "no space", .code = 28});
  });
  EXPECT_EQ(r.total(), before);
  EXPECT_EQ(r.bench.effects.reconnects.size(), 1u);
}

TEST(AgentOperations, AVolumeMadeAgainBeginsEmpty) {
  Rig r;
  r.say(ApplyOperations{{r.make(reserve(kReserved)), r.make(create_volume(kVolume))}});
  r.durable();
  r.say(ApplyOperations{{r.make(destroy_volume(kVolume)), r.make(create_volume(kVolume))}});
  const AgentCheckpoint first = r.bench.effects.checkpoints.back();
  EXPECT_EQ(first.destroy.size(), 1u);
  EXPECT_TRUE(first.make.empty());
  r.durable();
  const AgentCheckpoint second = r.bench.effects.checkpoints.back();
  EXPECT_GT(second.serial, first.serial);
  EXPECT_TRUE(second.destroy.empty());
  EXPECT_EQ(second.make.size(), 1u);
}

TEST(AgentOperations, ResizeDurablyAndKeepTheData) {
  Rig r;
  r.say(ApplyOperations{{r.make(reserve(kReserved + kReserved)), r.make(create_volume(kVolume))}});
  r.durable();
  r.say(ApplyOperations{{r.make(grow_volume(kVolume, kReserved, "grow"))}});
  const AgentCheckpoint grown = r.bench.effects.checkpoints.back();
  const Resources large =
      volume_on(kReserved + kReserved, {.id = "v", .path = "data", .principal = "p"});
  EXPECT_TRUE(grown.total.contains(large));
  EXPECT_TRUE(grown.make.empty());
  EXPECT_FALSE(r.total().contains(large)) << "not before it is durable";
  r.durable();
  EXPECT_TRUE(r.total().contains(large));
  EXPECT_EQ(r.reports().back().status.converted, large);
  r.say(ApplyOperations{{r.make(shrink_volume(large, 10'000))}});
  const AgentCheckpoint shrunk = r.bench.effects.checkpoints.back();
  EXPECT_TRUE(shrunk.total.contains(kVolume + kReserved));
  EXPECT_TRUE(shrunk.make.empty() && shrunk.destroy.empty()) << "its directory stays as it is";
}

TEST(AgentOperations, APieceOfAVolumeIsNeverTakenForTheWhole) {
  Rig r;
  r.say(ApplyOperations{{r.make(reserve(kReserved)), r.make(create_volume(kVolume))}});
  r.durable();
  r.reports();
  // The master believes that it has shrunk; here it has not.
  const Resources piece = *Resources::create(
      {{.kind = kVolume.items().front().kind, .amount = Amount{int64_t{4'000}}}});
  r.say(ApplyOperations{{r.make(destroy_volume(piece))}});
  r.durable();
  EXPECT_TRUE(r.bench.effects.checkpoints.back().destroy.empty());
  EXPECT_TRUE(r.total().contains(kVolume));
  EXPECT_EQ(r.bench.effects.reconnects.size(), 1u) << "the master must hear what is so";
}

TEST(AgentOperations, OfAnEarlierLifeAreToldAgain) {
  AgentConfig config = with_disk();
  config.operations.push_back(
      {.uuid = {1, 2},
       .framework_id = {"f"},
       .operation = reserve(kReserved, "o1").operation,
       .status = {.operation_id = {"o1"}, .state = OperationState::kFinished, .uuid = {3, 4}}});
  Bench bench(config);
  bench.enlist();
  const auto reports = bench.effects.take<OperationReports>();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].items.at(0).status.uuid, (Uuid{3, 4}));
}

// ------------------------------------------------------------------------------------ the file

TEST(AgentCheckpoint, ComesBackAsItWent) {
  StoredCheckpoint stored{.total = kVolume + Resources::scalars({{"cpus", 1500}}),
                          .operations = {{.uuid = {1, 2},
                                          .framework_id = {"f"},
                                          .operation = reserve(kReserved, "o1").operation,
                                          .status = {.operation_id = {"o1"},
                                                     .state = OperationState::kFinished,
                                                     .converted = kReserved,
                                                     .uuid = {3, 4}}}},
                          .destroying = {{"/a", "b"}}};
  const Result<StoredCheckpoint> read = decode_checkpoint(encode_checkpoint(stored));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->total, stored.total);
  ASSERT_EQ(read->operations.size(), 1u);
  EXPECT_EQ(read->operations[0].operation, stored.operations[0].operation);
  EXPECT_EQ(read->operations[0].status.uuid, (Uuid{3, 4}));
  EXPECT_EQ(read->destroying, stored.destroying);
}

TEST(AgentCheckpoint, ThatIsDamagedIsRefusedWhereverItIs) {
  const std::string bytes = encode_checkpoint({.total = kVolume});
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_FALSE(decode_checkpoint(damaged).has_value()) << at;
    EXPECT_FALSE(decode_checkpoint(bytes.substr(0, at)).has_value()) << at;
  }
  EXPECT_EQ(decode_checkpoint("").error().message, "it has 0 bytes, less than its header");
}

}  // namespace
}  // namespace tepui
