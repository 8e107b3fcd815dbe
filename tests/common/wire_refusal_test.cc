// Goal: what a peer may not send is refused with the field and the expectation in the error.
// Method: messages are built with the generated code, for our encoder cannot make bad ones.

#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <string>

#include "common/limits.h"
#include "common/wire.h"
#include "schemas/agent_generated.h"
#include "schemas/operator_generated.h"
#include "schemas/scheduler_generated.h"

namespace tepui {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

const wire::Text kNothing(0, 0);

// A root table around the body that `build` makes; the blob of text is `text`.
template <class Root, class Body, class Build>
std::vector<std::byte> message(Body type, std::string_view text, Build build) {
  FlatBufferBuilder builder;
  const auto blob =
      builder.CreateVector(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  const Offset<void> body = build(builder).Union();
  typename Root::Builder root(builder);
  root.add_session(1);
  root.add_text(blob);
  root.add_body_type(type);
  root.add_body(body);
  builder.Finish(root.Finish());
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

template <class Build>
std::string refused_call(wire::SchedulerToMasterBody type, std::string_view text, Build build) {
  const auto result =
      decode_scheduler_to_master(message<wire::SchedulerToMaster>(type, text, std::move(build)));
  return result.has_value() ? "accepted" : result.error().message;
}
template <class Build>
std::string refused_event(wire::MasterToSchedulerBody type, std::string_view text, Build build) {
  const auto result =
      decode_master_to_scheduler(message<wire::MasterToScheduler>(type, text, std::move(build)));
  return result.has_value() ? "accepted" : result.error().message;
}
template <class Build>
std::string refused_report(wire::AgentToMasterBody type, std::string_view text, Build build) {
  const auto result =
      decode_agent_to_master(message<wire::AgentToMaster>(type, text, std::move(build)));
  return result.has_value() ? "accepted" : result.error().message;
}
template <class Build>
std::string refused_order(wire::MasterToAgentBody type, std::string_view text, Build build) {
  const auto result =
      decode_master_to_agent(message<wire::MasterToAgent>(type, text, std::move(build)));
  return result.has_value() ? "accepted" : result.error().message;
}

TEST(WireRefusal, BytesThatAreNoMessage) {
  EXPECT_EQ(decode_scheduler_to_master({}).error().message,
            "scheduler to master: the 0 bytes are not a well-formed message");
  const std::vector<std::byte> noise(64, std::byte{0x5a});
  EXPECT_EQ(decode_agent_to_master(noise).error().message,
            "agent to master: the 64 bytes are not a well-formed message");
  const std::vector<std::byte> huge(limits::kFrameBytesMax + 1);
  EXPECT_EQ(decode_master_to_agent(huge).error().message,
            "master to agent: message of 16777217 bytes, at most 16777216 are allowed");
}

TEST(WireRefusal, MembersThatThisBuildDoesNotKnow) {
  const auto empty = [](FlatBufferBuilder& b) { return wire::CreateTeardown(b); };
  EXPECT_EQ(refused_call(static_cast<wire::SchedulerToMasterBody>(200), "", empty),
            "unknown message");
  EXPECT_EQ(refused_call(wire::SchedulerToMasterBody::NONE, "", empty), "unknown message");
}

TEST(WireRefusal, ARootWithoutABody) {
  FlatBufferBuilder builder;
  wire::SchedulerToMasterBuilder root(builder);
  root.add_body_type(wire::SchedulerToMasterBody::Hello);
  builder.Finish(root.Finish());
  EXPECT_EQ(decode_scheduler_to_master(
                std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize())))
                .error()
                .message,
            "scheduler to master: message without a body");
}

struct Stretches {
  uint32_t offer_first = 0, offer_count = 0, operation_first = 0, operation_count = 0;
};

// An accept over two offer ids, one operation, one task and one spec.
std::string refused_accept(const Stretches& accept, const wire::OperationItem& operation,
                           const wire::TaskItem& task) {
  return refused_call(wire::SchedulerToMasterBody::Accepts, "abc", [&](FlatBufferBuilder& b) {
    const uint64_t ids[2] = {1, 2};
    const wire::AcceptItem item(0, accept.offer_first, accept.offer_count, accept.operation_first,
                                accept.operation_count, 0, 0);
    const auto accepts = b.CreateVectorOfStructs(&item, 1);
    const auto offers = b.CreateVector(ids, 2);
    const auto operations = b.CreateVectorOfStructs(&operation, 1);
    const auto tasks = b.CreateVectorOfStructs(&task, 1);
    const auto command = wire::CreateCommand(b);
    wire::TaskSpecBuilder spec(b);
    spec.add_command(command);
    const auto specs = b.CreateVector(std::vector<Offset<wire::TaskSpec>>{spec.Finish()});
    return wire::CreateAccepts(b, accepts, offers, operations, tasks, specs);
  });
}

TEST(WireRefusal, StretchesAndIndicesOutsideTheirTables) {
  const Stretches good{0, 2, 0, 1};
  const wire::OperationItem launch(wire::OperationType::Launch, 0, 1, 0);
  const wire::TaskItem task(wire::Text(0, 3), kNothing, 0, 0);
  EXPECT_EQ(refused_accept(good, launch, task), "accepted");
  EXPECT_EQ(refused_accept({0, 3, 0, 1}, launch, task),
            "accepts.accepts[0].offer_count runs past the table of 2 offer ids");
  EXPECT_EQ(refused_accept({3, 0, 0, 1}, launch, task),
            "accepts.accepts[0].offer_count runs past the table of 2 offer ids");
  EXPECT_EQ(refused_accept({1, UINT32_MAX, 0, 1}, launch, task),
            "accepts.accepts[0].offer_count runs past the table of 2 offer ids");
  EXPECT_EQ(refused_accept({0, 2, 1, 1}, launch, task),
            "accepts.accepts[0].operation_count runs past the table of 1 operations");
  EXPECT_EQ(refused_accept(good, wire::OperationItem(wire::OperationType::Launch, 0, 2, 0), task),
            "accepts.accepts[0].operations[0].count runs past the table of 1 tasks");
  EXPECT_EQ(refused_accept(good, wire::OperationItem(wire::OperationType::None, 0, 1, 0), task),
            "accepts.accepts[0].operations[0].type is not known");
  EXPECT_EQ(refused_accept(good, launch, wire::TaskItem(wire::Text(0, 3), kNothing, 1, 0)),
            "accepts.accepts[0].operations[0].tasks[0].spec is 1, beyond the table of 1 specs");
  EXPECT_EQ(refused_accept(good, launch, wire::TaskItem(wire::Text(1, 3), kNothing, 0, 0)),
            "accepts.accepts[0].operations[0].tasks[0].id runs past the 3 bytes of text");
  EXPECT_EQ(refused_accept(good, launch, wire::TaskItem(wire::Text(UINT32_MAX, 2), kNothing, 0, 0)),
            "accepts.accepts[0].operations[0].tasks[0].id runs past the 3 bytes of text");
}

std::string refused_offer(const wire::OfferItem& offer) {
  return refused_event(wire::MasterToSchedulerBody::OfferBatch, "role", [&](FlatBufferBuilder& b) {
    const wire::Text role(0, 4);
    const auto roles = b.CreateVectorOfStructs(&role, 1);
    const auto shapes =
        b.CreateVector(std::vector<Offset<wire::Resources>>{wire::CreateResources(b)});
    const auto offers = b.CreateVectorOfStructs(&offer, 1);
    return wire::CreateOfferBatch(b, 0, roles, shapes, offers);
  });
}

TEST(WireRefusal, OffersOfUnknownRolesAndShapes) {
  EXPECT_EQ(refused_offer(wire::OfferItem(1, 7, 0, 0, 0)), "accepted");
  EXPECT_EQ(refused_offer(wire::OfferItem(1, 7, 1, 0, 0)),
            "offer_batch.offers[0].role is 1, beyond the table of 1 roles");
  EXPECT_EQ(refused_offer(wire::OfferItem(1, 7, 0, 9, 0)),
            "offer_batch.offers[0].shape is 9, beyond the table of 1 shapes");
}

TEST(WireRefusal, MoreThanALimitAllows) {
  EXPECT_EQ(refused_event(wire::MasterToSchedulerBody::OfferBatch, "role",
                          [](FlatBufferBuilder& b) {
                            const wire::Text role(0, 4);
                            const auto roles = b.CreateVectorOfStructs(&role, 1);
                            const auto shapes = b.CreateVector(
                                std::vector<Offset<wire::Resources>>{wire::CreateResources(b)});
                            const std::vector<wire::OfferItem> items(limits::kOfferBatchMax + 1);
                            const auto offers = b.CreateVectorOfStructs(items);
                            return wire::CreateOfferBatch(b, 0, roles, shapes, offers);
                          }),
            "offer_batch has 1025 offers, at most 1024 are allowed");
  const std::string long_name(limits::kLineBytesMax + 1, 'x');
  EXPECT_EQ(refused_call(wire::SchedulerToMasterBody::Kill, long_name,
                         [&](FlatBufferBuilder& b) {
                           const wire::Text id(0, static_cast<uint32_t>(long_name.size()));
                           return wire::CreateKill(b, &id);
                         }),
            "kill.task_id has 4097 bytes, at most 4096 are allowed");
}

std::string refused_status(const wire::TaskStatus& status, wire::TaskState latest) {
  return refused_report(wire::AgentToMasterBody::StatusUpdates, "task", [&](FlatBufferBuilder& b) {
    const wire::StatusUpdateItem item(status, wire::Text(0, 4), latest, 0, 0, 0);
    return wire::CreateStatusUpdates(b, b.CreateVectorOfStructs(&item, 1));
  });
}

wire::TaskStatus status(uint8_t state, uint8_t source, uint8_t reason, wire::Text task_id) {
  return wire::TaskStatus(0, 0, 1, 2, task_id, kNothing, kNothing, kNothing, 0, 0,
                          static_cast<wire::TaskState>(state),
                          static_cast<wire::TaskSource>(source), reason, 0, 0);
}

TEST(WireRefusal, EnumsOutOfRange) {
  const wire::Text id(0, 4);
  constexpr auto kRunning = wire::TaskState::Running;
  EXPECT_EQ(refused_status(status(13, 2, 34, id), kRunning), "accepted");
  EXPECT_EQ(refused_status(status(13, 2, 255, id), kRunning), "accepted");
  EXPECT_EQ(refused_status(status(14, 0, 0, id), kRunning),
            "status_updates.items[0].status.state is 14, which is not known");
  EXPECT_EQ(refused_status(status(0, 3, 0, id), kRunning),
            "status_updates.items[0].status.source is 3, which is not known");
  EXPECT_EQ(refused_status(status(0, 0, 35, id), kRunning),
            "status_updates.items[0].status.reason is 35, which is not known");
  EXPECT_EQ(refused_status(status(0, 0, 0, id), static_cast<wire::TaskState>(99)),
            "status_updates.items[0].latest_state is 99, which is not known");
}

TEST(WireRefusal, IdsThatCannotBe) {
  EXPECT_EQ(refused_status(status(1, 0, 0, kNothing), wire::TaskState::Running),
            "status_updates.items[0].status.task_id is not valid: id is empty");
  // Schedulers choose task ids, and hear of bad ones in a status: here any text passes.
  EXPECT_EQ(refused_call(wire::SchedulerToMasterBody::Kill, "../..",
                         [](FlatBufferBuilder& b) {
                           const wire::Text id(0, 5);
                           return wire::CreateKill(b, &id);
                         }),
            "accepted");
  // Agents make paths of them.
  EXPECT_EQ(refused_order(wire::MasterToAgentBody::KillTask, "../..f",
                          [](FlatBufferBuilder& b) {
                            const wire::Text framework(5, 1);
                            const wire::Text task(0, 5);
                            return wire::CreateKillTask(b, &framework, &task);
                          }),
            "kill_task.task_id is not valid: id '../..' contains '/'");
}

std::string refused_resources(
    std::string_view text,
    const std::function<Offset<wire::Resources>(FlatBufferBuilder&)>& build) {
  return refused_report(wire::AgentToMasterBody::RegisterAgent, text, [&](FlatBufferBuilder& b) {
    const auto resources = build(b);
    wire::AgentInfoBuilder info(b);
    info.add_resources(resources);
    return wire::CreateRegisterAgent(b, info.Finish());
  });
}

TEST(WireRefusal, ResourcesThatCannotBe) {
  const wire::Text cpus(0, 4);
  EXPECT_EQ(refused_resources("cpus",
                              [&](FlatBufferBuilder& b) {
                                const wire::Scalar scalar(-1000, cpus);
                                return wire::CreateResources(b,
                                                             b.CreateVectorOfStructs(&scalar, 1));
                              }),
            "register_agent.info.resources is not valid: resource 'cpus': amount -1 is negative");
  EXPECT_EQ(refused_resources("cpus",
                              [&](FlatBufferBuilder& b) {
                                wire::ResourceBuilder item(b);
                                item.add_name(&cpus);
                                item.add_type(wire::AmountType::Text);
                                return wire::CreateResources(
                                    b, 0, b.CreateVector(std::vector{item.Finish()}));
                              }),
            "register_agent.info.resources.others[0].type is not scalar, ranges or set");
  EXPECT_EQ(refused_resources("port",
                              [&](FlatBufferBuilder& b) {
                                const wire::Range range(9, 3);
                                const auto ranges = b.CreateVectorOfStructs(&range, 1);
                                wire::ResourceBuilder item(b);
                                item.add_name(&cpus);
                                item.add_type(wire::AmountType::Ranges);
                                item.add_ranges(ranges);
                                return wire::CreateResources(
                                    b, 0, b.CreateVector(std::vector{item.Finish()}));
                              }),
            "register_agent.info.resources is not valid: resource 'port': range 9-3 ends before it "
            "begins");
}

TEST(WireRefusal, AttributesThatAreNotInOrder) {
  const auto refused = [](const std::vector<wire::Range>& ranges) {
    return refused_report(wire::AgentToMasterBody::RegisterAgent, "", [&](FlatBufferBuilder& b) {
      const auto vector = b.CreateVectorOfStructs(ranges);
      wire::AttributeBuilder attribute(b);
      attribute.add_type(wire::AmountType::Ranges);
      attribute.add_ranges(vector);
      const auto attributes = b.CreateVector(std::vector{attribute.Finish()});
      wire::AgentInfoBuilder info(b);
      info.add_attributes(attributes);
      return wire::CreateRegisterAgent(b, info.Finish());
    });
  };
  EXPECT_EQ(refused({{1, 2}, {4, 9}, {11, UINT64_MAX}}), "accepted");
  EXPECT_EQ(refused({{2, 1}}),
            "register_agent.info.attributes[0].ranges[0] is not in order, or touches the one "
            "before");
  EXPECT_EQ(refused({{4, 9}, {10, 11}}),
            "register_agent.info.attributes[0].ranges[1] is not in order, or touches the one "
            "before");
  EXPECT_EQ(refused({{1, UINT64_MAX}, {0, 0}}),
            "register_agent.info.attributes[0].ranges[1] is not in order, or touches the one "
            "before");
}

TEST(WireRefusal, WhatIsMissing) {
  EXPECT_EQ(refused_call(wire::SchedulerToMasterBody::Subscribe, "",
                         [](FlatBufferBuilder& b) { return wire::CreateSubscribe(b); }),
            "subscribe.info is missing");
  EXPECT_EQ(refused_report(wire::AgentToMasterBody::RegisterAgent, "",
                           [](FlatBufferBuilder& b) { return wire::CreateRegisterAgent(b); }),
            "register_agent.info is missing");
}

TEST(WireRefusal, AZeroByteInALine) {
  EXPECT_EQ(refused_call(wire::SchedulerToMasterBody::Goodbye, std::string_view("a\0b", 3),
                         [](FlatBufferBuilder& b) {
                           const wire::Text why(0, 3);
                           return wire::CreateGoodbye(b, &why);
                         }),
            "goodbye.why contains a zero byte");
}

// A megabyte of text that a small message names a thousand times would fill a gigabyte.
TEST(WireRefusal, ASmallMessageThatUnfoldsToALargeOne) {
  const std::string text(limits::kTextBytesMax, 'x');
  EXPECT_EQ(refused_call(wire::SchedulerToMasterBody::Subscribe, text,
                         [&](FlatBufferBuilder& b) {
                           const wire::Text all(0, static_cast<uint32_t>(text.size()));
                           const std::vector<wire::Label> labels(1000, wire::Label(all, all));
                           const auto vector = b.CreateVectorOfStructs(labels);
                           wire::FrameworkInfoBuilder info(b);
                           info.add_labels(vector);
                           return wire::CreateSubscribe(b, info.Finish());
                         }),
            "subscribe.info.labels[63].value makes the message unfold to more than 134217728 "
            "bytes");
}

// Vectors of structs may lie anywhere for the verifier; we read them in place.
TEST(WireRefusal, AVectorThatIsNotAligned) {
  FlatBufferBuilder builder;
  const uint32_t words[5] = {1, 0, 2, 0, 3};  // shifted by four bytes below
  const auto offers = builder.CreateVector(words, 5);
  wire::RescindBuilder rescind(builder);
  rescind.fbb_.AddOffset(wire::Rescind::VT_OFFERS, offers);
  const auto body = rescind.Finish();
  wire::MasterToSchedulerBuilder root(builder);
  root.add_body_type(wire::MasterToSchedulerBody::Rescind);
  root.add_body(body.Union());
  builder.Finish(root.Finish());
  const std::span<uint8_t> bytes(builder.GetBufferPointer(), builder.GetSize());
  // Five words of four bytes stand where two ids of eight are claimed: shorten the vector, and see
  // where it lies.
  auto* message = flatbuffers::GetMutableRoot<wire::MasterToScheduler>(bytes.data());
  auto* vector =
      const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(message->body_as_Rescind()->offers()));
  flatbuffers::WriteScalar<uint32_t>(vector, 2);
  const bool aligned = (vector + 4 - bytes.data()) % 8 == 0;
  const auto result = decode_master_to_scheduler(std::as_bytes(bytes));
  ASSERT_FALSE(aligned) << "the builder lays this out differently now, change the number of words";
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "rescind.offers is not aligned to 8 bytes");
}

TEST(WireRefusal, RequestsForTooMuchOfAFile) {
  const auto result = decode_operator_to_server(message<wire::OperatorToServer>(
      wire::OperatorToServerBody::ReadFile, "id", [](FlatBufferBuilder& b) {
        const wire::Text id(0, 2);
        return wire::CreateReadFile(b, 1, &id, &id, nullptr, 0, limits::kReadFileMax + 1);
      }));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message,
            "read_file.length has 1048577 bytes, at most 1048576 are allowed");
}

}  // namespace
}  // namespace tepui
