#include "schemas/scheduler_generated.h"

#include <utility>

#include "common/conversation_wire.h"

// Master to scheduler; the calls of the same conversation are in scheduler_wire.cc.
namespace tepui {

namespace {

Offset<wire::Subscribed> write(WireWriter& out, const Subscribed& subscribed) {
  wire::SubscribedBuilder table(out.builder());
  table.add_framework_id(out.field(subscribed.framework_id.value));
  table.add_master_id(out.field(subscribed.master_id));
  table.add_epoch(subscribed.epoch);
  table.add_heartbeat_interval_ns(subscribed.heartbeat_interval.count());
  return table.Finish();
}

Subscribed read(WireReader& in, const wire::Subscribed& subscribed) {
  const WirePath at{.field = "subscribed"};
  return Subscribed{
      .framework_id = in.id<FrameworkId>(subscribed.framework_id(), at / "framework_id"),
      .master_id = in.line(subscribed.master_id(), at / "master_id"),
      .epoch = subscribed.epoch(),
      .heartbeat_interval = Duration(subscribed.heartbeat_interval_ns()),
  };
}

Offset<wire::AgentFacts> write(WireWriter& out, const AgentFacts& facts) {
  const auto attributes = write(out, facts.attributes);
  const auto unavailability = write(out, facts.unavailability);
  wire::AgentFactsBuilder table(out.builder());
  table.add_agent(facts.agent);
  table.add_id(out.field(facts.id.value));
  table.add_hostname(out.field(facts.hostname));
  table.add_address(out.field(facts.address));
  table.add_attributes(attributes);
  table.add_region(out.field(facts.domain.region));
  table.add_zone(out.field(facts.domain.zone));
  table.add_unavailability(unavailability);
  return table.Finish();
}

AgentFacts read(WireReader& in, const wire::AgentFacts& facts, const WirePath& at) {
  return AgentFacts{
      .agent = facts.agent(),
      .id = in.id<AgentId>(facts.id(), at / "id"),
      .hostname = in.line(facts.hostname(), at / "hostname"),
      .address = in.line(facts.address(), at / "address"),
      .attributes = read(in, facts.attributes(), at / "attributes"),
      .domain = {.region = in.line(facts.region(), at / "region"),
                 .zone = in.line(facts.zone(), at / "zone")},
      .unavailability = read(in, facts.unavailability(), at / "unavailability"),
  };
}

Offset<wire::OfferBatch> write(WireWriter& out, const OfferBatch& batch) {
  const auto agents = out.tables<wire::AgentFacts>(
      batch.agents, [&out](const AgentFacts& facts) { return write(out, facts); });
  const auto roles = out.texts(batch.roles);
  const auto shapes = out.tables<wire::Resources>(
      batch.shapes, [&out](const Resources& shape) { return write(out, shape); });
  const auto offers = out.structs<wire::OfferItem>(batch.offers, [](const OfferItem& offer) {
    return wire::OfferItem(offer.id.value, offer.agent, offer.role, offer.shape, 0);
  });
  return wire::CreateOfferBatch(out.builder(), agents, roles, shapes, offers);
}

OfferBatch read(WireReader& in, const wire::OfferBatch& batch) {
  const WirePath at{.field = "offer_batch"};
  OfferBatch result{
      .agents = in.tables(batch.agents(), at / "agents",
                          [&in](const wire::AgentFacts& facts, const WirePath& path) {
                            return read(in, facts, path);
                          }),
      .roles = in.lines(batch.roles(), at / "roles"),
      .shapes = in.tables(batch.shapes(), at / "shapes",
                          [&in](const wire::Resources& shape, const WirePath& path) {
                            return read(in, &shape, path);
                          }),
  };
  const auto offer = [&](const wire::OfferItem& item, const WirePath& path) {
    in.check_index(item.role(), result.roles.size(), path / "role", "roles");
    in.check_index(item.shape(), result.shapes.size(), path / "shape", "shapes");
    return OfferItem{.id = OfferId{item.id()},
                     .agent = item.agent(),
                     .role = item.role(),
                     .shape = item.shape()};
  };
  result.offers = in.structs(batch.offers(), at / "offers", offer);
  in.check_count(result.offers.size(), limits::kOfferBatchMax, at, "offers");
  return result;
}

Offset<wire::Rescind> write(WireWriter& out, const Rescind& rescind) {
  return wire::CreateRescind(out.builder(), write(out, rescind.offers));
}

Rescind read(WireReader& in, const wire::Rescind& rescind) {
  const WirePath at{.field = "rescind"};
  return Rescind{.offers = read(in, rescind.offers(), at / "offers")};
}

Offset<wire::Updates> write(WireWriter& out, const Updates& updates) {
  const auto statuses = out.structs<wire::TaskStatus>(
      updates.statuses, [&out](const TaskStatus& status) { return write(out, status); });
  return wire::CreateUpdates(out.builder(), statuses);
}

Updates read(WireReader& in, const wire::Updates& updates) {
  const WirePath at{.field = "updates"};
  return Updates{.statuses =
                     in.structs(updates.statuses(), at / "statuses",
                                [&in](const wire::TaskStatus& status, const WirePath& path) {
                                  return read(in, status, TaskIds::kAny, path);
                                })};
}

Offset<wire::Failure> write(WireWriter& out, const Failure& failure) {
  return wire::CreateFailure(out.builder(), out.field(failure.agent_id.value));
}

Failure read(WireReader& in, const wire::Failure& failure) {
  const WirePath at{.field = "failure"};
  return Failure{.agent_id = in.id<AgentId>(failure.agent_id(), at / "agent_id")};
}

Offset<wire::OperationUpdates> write(WireWriter& out, const OperationUpdates& updates) {
  const auto statuses = out.tables<wire::OperationStatus>(
      updates.statuses, [&out](const OperationStatus& status) { return write(out, status); });
  return wire::CreateOperationUpdates(out.builder(), statuses);
}

OperationUpdates read(WireReader& in, const wire::OperationUpdates& updates) {
  const WirePath at{.field = "operation_updates"};
  return OperationUpdates{
      .statuses = in.tables(updates.statuses(), at / "statuses",
                            [&in](const wire::OperationStatus& status, const WirePath& path) {
                              return read(in, &status, path);
                            })};
}

Offset<wire::InverseOfferBatch> write(WireWriter& out, const InverseOfferBatch& message) {
  const auto offers =
      out.tables<wire::InverseOffer>(message.offers, [&out](const InverseOfferBatch::Item& item) {
        const auto unavailability = write(out, item.unavailability);
        return wire::CreateInverseOffer(out.builder(), item.id.value,
                                        out.field(item.agent_id.value), unavailability);
      });
  return wire::CreateInverseOfferBatch(out.builder(), offers);
}

InverseOfferBatch read(WireReader& in, const wire::InverseOfferBatch& message) {
  const WirePath at{.field = "inverse_offers"};
  const auto item = [&in](const wire::InverseOffer& source, const WirePath& path) {
    return InverseOfferBatch::Item{.id = OfferId{source.id()},
                                   .agent_id = in.id<AgentId>(source.agent_id(), path / "agent_id"),
                                   .unavailability = read_unavailability(
                                       in, source.unavailability(), path / "unavailability")};
  };
  return InverseOfferBatch{.offers = in.tables(message.offers(), at / "offers", item)};
}

Offset<wire::RescindInverseOffers> write(WireWriter& out, const RescindInverseOffers& message) {
  return wire::CreateRescindInverseOffers(out.builder(), write(out, message.offers));
}

RescindInverseOffers read(WireReader& in, const wire::RescindInverseOffers& message) {
  const WirePath at{.field = "rescind_inverse_offers"};
  return RescindInverseOffers{.offers = read(in, message.offers(), at / "offers")};
}

Offset<wire::FrameworkUpdated> write(WireWriter& out, const FrameworkUpdated& message) {
  return wire::CreateFrameworkUpdated(out.builder(), out.field(message.error));
}

FrameworkUpdated read(WireReader& in, const wire::FrameworkUpdated& message) {
  const WirePath at{.field = "framework_updated"};
  return FrameworkUpdated{.error = in.text(message.error(), at / "error", limits::kTextBytesMax)};
}

std::optional<MasterToScheduler> read_body(WireReader& in, const wire::MasterToScheduler& root) {
  switch (root.body_type()) {
    case wire::MasterToSchedulerBody::HelloReply:
      return read(in, *root.body_as_HelloReply());
    case wire::MasterToSchedulerBody::Subscribed:
      return read(in, *root.body_as_Subscribed());
    case wire::MasterToSchedulerBody::OfferBatch:
      return read(in, *root.body_as_OfferBatch());
    case wire::MasterToSchedulerBody::Rescind:
      return read(in, *root.body_as_Rescind());
    case wire::MasterToSchedulerBody::Updates:
      return read(in, *root.body_as_Updates());
    case wire::MasterToSchedulerBody::Failure:
      return read(in, *root.body_as_Failure());
    case wire::MasterToSchedulerBody::ErrorMessage:
      return read(in, *root.body_as_ErrorMessage());
    case wire::MasterToSchedulerBody::Heartbeat:
      return read(in, *root.body_as_Heartbeat());
    case wire::MasterToSchedulerBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::MasterToSchedulerBody::OperationUpdates:
      return read(in, *root.body_as_OperationUpdates());
    case wire::MasterToSchedulerBody::InverseOfferBatch:
      return read(in, *root.body_as_InverseOfferBatch());
    case wire::MasterToSchedulerBody::RescindInverseOffers:
      return read(in, *root.body_as_RescindInverseOffers());
    case wire::MasterToSchedulerBody::FrameworkUpdated:
      return read(in, *root.body_as_FrameworkUpdated());
    case wire::MasterToSchedulerBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const MasterToScheduler& message) {
  write_root<wire::MasterToSchedulerBodyTraits, wire::MasterToSchedulerBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<MasterToScheduler>> decode_master_to_scheduler(std::span<const std::byte> payload) {
  return decode_root<wire::MasterToScheduler, MasterToScheduler>(payload, "master to scheduler",
                                                                 read_body);
}

}  // namespace tepui
