#include "schemas/scheduler_generated.h"

#include <numeric>
#include <utility>

#include "common/conversation_wire.h"

namespace tepui {

static_assert(sizeof(wire::OperationItem) == 16);
static_assert(sizeof(wire::AcceptItem) == 32);
static_assert(sizeof(wire::AcknowledgeItem) == 32);
static_assert(sizeof(wire::ReconcileItem) == 16);
static_assert(sizeof(wire::OfferItem) == 24);
static_assert(sizeof(wire::AcknowledgeOperationItem) == 32);
static_assert(sizeof(wire::ReconcileOperationItem) == 16);

namespace {

// ------------------------------------------------------------------------- scheduler to master

Offset<wire::Subscribe> write(WireWriter& out, const Subscribe& subscribe) {
  return wire::CreateSubscribe(out.builder(), write(out, subscribe.info));
}

Subscribe read(WireReader& in, const wire::Subscribe& subscribe) {
  const WirePath at{.field = "subscribe"};
  return Subscribe{.info = read(in, subscribe.info(), at / "info")};
}

Offset<wire::UpdateFramework> write(WireWriter& out, const UpdateFramework& update) {
  return wire::CreateUpdateFramework(out.builder(), write(out, update.info));
}

UpdateFramework read(WireReader& in, const wire::UpdateFramework& update) {
  const WirePath at{.field = "update_framework"};
  return UpdateFramework{.info = read(in, update.info(), at / "info")};
}

Offset<wire::Teardown> write(WireWriter& out, const Teardown&) {
  return wire::CreateTeardown(out.builder());
}

Teardown read(WireReader&, const wire::Teardown&) { return {}; }

constexpr uint32_t kHasRefuse = 1;  // of wire::AcceptItem::present

// The tables of an Accepts hold the offers and operations of all accepts one after the other, and
// the tasks and conversions of all operations; these count what is written so far.
struct Stretches {
  uint32_t offers = 0;
  uint32_t operations = 0;
  uint32_t tasks = 0;
};

bool is_conversion(const OfferOperation& operation) {
  return operation.type == OfferOperation::Type::kConvert;
}

TableVector<wire::Operation> write_conversions(WireWriter& out, const Accepts& message) {
  return out.tables_of<wire::Operation>([&out, &message](auto put) {
    for (const Accept& accept : message.accepts) {
      for (const OfferOperation& operation : accept.operations) {
        if (is_conversion(operation)) put(write(out, operation.operation));
      }
    }
  });
}

wire::AcceptItem write(const Accept& accept, Stretches& end) {
  const auto offer_count = static_cast<uint32_t>(accept.offers.size());
  const auto operation_count = static_cast<uint32_t>(accept.operations.size());
  const std::optional<Duration>& refuse = accept.filters.refuse;
  const wire::AcceptItem item(refuse ? refuse->count() : 0, end.offers, offer_count, end.operations,
                              operation_count, refuse ? kHasRefuse : 0, 0);
  end.offers += offer_count;
  end.operations += operation_count;
  for (const OfferOperation& operation : accept.operations) {
    if (is_conversion(operation)) continue;
    end.tasks += static_cast<uint32_t>(operation.tasks.size());
  }
  return item;
}

Offset<wire::Accepts> write(WireWriter& out, const Accepts& message) {
  Stretches end;
  const auto accepts = out.structs<wire::AcceptItem>(
      message.accepts, [&end](const Accept& accept) { return write(accept, end); });
  const auto offers = out.filled<uint64_t>(end.offers, [&message](auto put) {
    for (const Accept& accept : message.accepts) {
      for (const OfferId id : accept.offers) put(id.value);
    }
  });
  const auto operations = out.filled<wire::OperationItem>(end.operations, [&message](auto put) {
    uint32_t first = 0;
    uint32_t conversions = 0;
    for (const Accept& accept : message.accepts) {
      for (const OfferOperation& operation : accept.operations) {
        if (is_conversion(operation)) {
          put(wire::OperationItem(wire::OperationType::Convert, conversions++, 1, 0));
          continue;
        }
        const auto count = static_cast<uint32_t>(operation.tasks.size());
        put(wire::OperationItem(wire::OperationType::Launch, first, count, 0));
        first += count;
      }
    }
  });
  const auto tasks = out.filled<wire::TaskItem>(end.tasks, [&out, &message](auto put) {
    for (const Accept& accept : message.accepts) {
      for (const OfferOperation& operation : accept.operations) {
        if (is_conversion(operation)) continue;
        for (const TaskInfo& task : operation.tasks) put(write(out, task));
      }
    }
  });
  const auto specs = write_specs(out);
  const auto conversions = write_conversions(out, message);
  return wire::CreateAccepts(out.builder(), accepts, offers, operations, tasks, specs, conversions);
}

// What the accepts of one message are cut from.
struct AcceptTables {
  std::span<const uint64_t> offers;
  std::span<const wire::OperationItem> operations;
  std::span<const wire::TaskItem> tasks;
  Specs specs;
  const flatbuffers::Vector<Offset<wire::Operation>>* conversions = nullptr;
};

OfferOperation read_conversion(WireReader& in, const wire::OperationItem& item,
                               const AcceptTables& tables, const WirePath& at) {
  OfferOperation operation{.type = OfferOperation::Type::kConvert};
  const uint32_t count = tables.conversions == nullptr ? 0 : tables.conversions->size();
  if (item.count() != 1 || item.first() >= count) {
    in.fail(at / "first", "names no conversion");
    return operation;
  }
  if (!in.charge(sizeof(Operation), at)) return operation;
  operation.operation = read(in, tables.conversions->Get(item.first()), at / "conversion");
  return operation;
}

OfferOperation read(WireReader& in, const wire::OperationItem& item, const AcceptTables& tables,
                    const WirePath& at) {
  if (item.type() == wire::OperationType::Convert) return read_conversion(in, item, tables, at);
  if (item.type() != wire::OperationType::Launch) in.fail(at / "type", "is not known");
  const auto tasks = in.stretch(tables.tasks, item.first(), item.count(), at / "count", "tasks");
  in.check_count(tasks.size(), limits::kLaunchTasksMax, at, "tasks");
  OfferOperation operation{.type = OfferOperation::Type::kLaunch};
  if (!in.charge(tasks.size() * sizeof(TaskInfo), at)) return operation;
  operation.tasks.reserve(tasks.size());
  for (size_t i = 0; i < tasks.size() && in.ok(); ++i) {
    operation.tasks.push_back(read(in, tasks[i], tables.specs, TaskIds::kAny, (at / "tasks")[i]));
  }
  return operation;
}

Accept read(WireReader& in, const wire::AcceptItem& item, const AcceptTables& tables,
            const WirePath& at) {
  const auto offers = in.stretch(tables.offers, item.offer_first(), item.offer_count(),
                                 at / "offer_count", "offer ids");
  const auto operations = in.stretch(tables.operations, item.operation_first(),
                                     item.operation_count(), at / "operation_count", "operations");
  in.check_count(offers.size(), limits::kAcceptOffersMax, at, "offers");
  in.check_count(operations.size(), limits::kOperationsMax, at, "operations");
  Accept accept;
  if (!in.charge(offers.size_bytes() + operations.size() * sizeof(OfferOperation), at))
    return accept;
  accept.offers.reserve(offers.size());
  for (const uint64_t id : offers) accept.offers.push_back(OfferId{id});
  accept.operations.reserve(operations.size());
  for (size_t i = 0; i < operations.size() && in.ok(); ++i) {
    accept.operations.push_back(read(in, operations[i], tables, (at / "operations")[i]));
  }
  if ((item.present() & kHasRefuse) != 0) accept.filters.refuse = Duration(item.refuse_ns());
  return accept;
}

Accepts read(WireReader& in, const wire::Accepts& message) {
  const WirePath at{.field = "accepts"};
  const AcceptTables tables{
      .offers = in.items(message.offers(), at / "offers"),
      .operations = in.items(message.operations(), at / "operations"),
      .tasks = in.items(message.tasks(), at / "tasks"),
      .specs = read(in, message.specs(), at / "specs"),
      .conversions = message.conversions(),
  };
  return Accepts{.accepts =
                     in.structs(message.accepts(), at / "accepts",
                                [&in, &tables](const wire::AcceptItem& item, const WirePath& path) {
                                  return read(in, item, tables, path);
                                })};
}

Offset<wire::Decline> write(WireWriter& out, const Decline& decline) {
  const auto offers = write(out, decline.offers);
  wire::DeclineBuilder table(out.builder());
  table.add_offers(offers);
  if (decline.filters.refuse) table.add_refuse_ns(decline.filters.refuse->count());
  return table.Finish();
}

Decline read(WireReader& in, const wire::Decline& decline) {
  const WirePath at{.field = "decline"};
  Decline result{.offers = read(in, decline.offers(), at / "offers")};
  if (decline.refuse_ns().has_value()) result.filters.refuse = Duration(*decline.refuse_ns());
  return result;
}

Offset<wire::Suppress> write(WireWriter& out, const Suppress& suppress) {
  return wire::CreateSuppress(out.builder(), out.texts(suppress.roles));
}

Suppress read(WireReader& in, const wire::Suppress& suppress) {
  const WirePath at{.field = "suppress"};
  return Suppress{.roles = in.lines(suppress.roles(), at / "roles")};
}

Offset<wire::Revive> write(WireWriter& out, const Revive& revive) {
  return wire::CreateRevive(out.builder(), out.texts(revive.roles));
}

Revive read(WireReader& in, const wire::Revive& revive) {
  const WirePath at{.field = "revive"};
  return Revive{.roles = in.lines(revive.roles(), at / "roles")};
}

Offset<wire::Kill> write(WireWriter& out, const Kill& kill) {
  const auto kill_policy = write(out, kill.kill_policy);
  wire::KillBuilder table(out.builder());
  table.add_task_id(out.field(kill.task_id.value));
  table.add_agent_id(out.field(kill.agent_id.value));
  table.add_kill_policy(kill_policy);
  return table.Finish();
}

Kill read(WireReader& in, const wire::Kill& kill) {
  const WirePath at{.field = "kill"};
  return Kill{.task_id = TaskId{in.line(kill.task_id(), at / "task_id")},
              .agent_id = in.optional_id<AgentId>(kill.agent_id(), at / "agent_id"),
              .kill_policy = read(in, kill.kill_policy(), at / "kill_policy")};
}

Offset<wire::Acknowledge> write(WireWriter& out, const Acknowledge& acknowledge) {
  const auto items =
      out.structs<wire::AcknowledgeItem>(acknowledge.items, [&out](const Acknowledge::Item& item) {
        return wire::AcknowledgeItem(item.uuid.high, item.uuid.low, out.text(item.agent_id.value),
                                     out.text(item.task_id.value));
      });
  return wire::CreateAcknowledge(out.builder(), items);
}

Acknowledge read(WireReader& in, const wire::Acknowledge& acknowledge) {
  const WirePath at{.field = "acknowledge"};
  const auto item = [&in](const wire::AcknowledgeItem& source, const WirePath& path) {
    return Acknowledge::Item{
        .agent_id = in.optional_id<AgentId>(source.agent_id(), path / "agent_id"),
        .task_id = TaskId{in.line(source.task_id(), path / "task_id")},
        .uuid = {.high = source.uuid_high(), .low = source.uuid_low()}};
  };
  return Acknowledge{.items = in.structs(acknowledge.items(), at / "items", item)};
}

Offset<wire::Reconcile> write(WireWriter& out, const Reconcile& reconcile) {
  const auto items =
      out.structs<wire::ReconcileItem>(reconcile.items, [&out](const Reconcile::Item& item) {
        return wire::ReconcileItem(out.text(item.task_id.value), out.text(item.agent_id.value));
      });
  return wire::CreateReconcile(out.builder(), items);
}

Reconcile read(WireReader& in, const wire::Reconcile& reconcile) {
  const WirePath at{.field = "reconcile"};
  const auto item = [&in](const wire::ReconcileItem& source, const WirePath& path) {
    return Reconcile::Item{
        .task_id = TaskId{in.line(source.task_id(), path / "task_id")},
        .agent_id = in.optional_id<AgentId>(source.agent_id(), path / "agent_id")};
  };
  return Reconcile{.items = in.structs(reconcile.items(), at / "items", item)};
}

Offset<wire::AcknowledgeOperations> write(WireWriter& out, const AcknowledgeOperations& message) {
  const auto items = out.structs<wire::AcknowledgeOperationItem>(
      message.items, [&out](const AcknowledgeOperations::Item& item) {
        return wire::AcknowledgeOperationItem(item.uuid.high, item.uuid.low,
                                              out.text(item.agent_id.value),
                                              out.text(item.operation_id.value));
      });
  return wire::CreateAcknowledgeOperations(out.builder(), items);
}

AcknowledgeOperations read(WireReader& in, const wire::AcknowledgeOperations& message) {
  const WirePath at{.field = "acknowledge_operations"};
  const auto item = [&in](const wire::AcknowledgeOperationItem& source, const WirePath& path) {
    return AcknowledgeOperations::Item{
        .agent_id = in.optional_id<AgentId>(source.agent_id(), path / "agent_id"),
        .operation_id = {in.line(source.operation_id(), path / "operation_id")},
        .uuid = {.high = source.uuid_high(), .low = source.uuid_low()}};
  };
  return AcknowledgeOperations{.items = in.structs(message.items(), at / "items", item)};
}

Offset<wire::ReconcileOperations> write(WireWriter& out, const ReconcileOperations& message) {
  const auto items = out.structs<wire::ReconcileOperationItem>(
      message.items, [&out](const ReconcileOperations::Item& item) {
        return wire::ReconcileOperationItem(out.text(item.operation_id.value),
                                            out.text(item.agent_id.value));
      });
  return wire::CreateReconcileOperations(out.builder(), items);
}

ReconcileOperations read(WireReader& in, const wire::ReconcileOperations& message) {
  const WirePath at{.field = "reconcile_operations"};
  const auto item = [&in](const wire::ReconcileOperationItem& source, const WirePath& path) {
    return ReconcileOperations::Item{
        .operation_id = {in.line(source.operation_id(), path / "operation_id")},
        .agent_id = in.optional_id<AgentId>(source.agent_id(), path / "agent_id")};
  };
  return ReconcileOperations{.items = in.structs(message.items(), at / "items", item)};
}

Offset<wire::AcceptInverseOffers> write(WireWriter& out, const AcceptInverseOffers& message) {
  const auto offers = write(out, message.offers);
  wire::AcceptInverseOffersBuilder table(out.builder());
  table.add_offers(offers);
  if (message.filters.refuse) table.add_refuse_ns(message.filters.refuse->count());
  return table.Finish();
}

AcceptInverseOffers read(WireReader& in, const wire::AcceptInverseOffers& message) {
  const WirePath at{.field = "accept_inverse_offers"};
  AcceptInverseOffers result{.offers = read(in, message.offers(), at / "offers")};
  if (message.refuse_ns().has_value()) result.filters.refuse = Duration(*message.refuse_ns());
  return result;
}

Offset<wire::DeclineInverseOffers> write(WireWriter& out, const DeclineInverseOffers& message) {
  const auto offers = write(out, message.offers);
  wire::DeclineInverseOffersBuilder table(out.builder());
  table.add_offers(offers);
  if (message.filters.refuse) table.add_refuse_ns(message.filters.refuse->count());
  return table.Finish();
}

DeclineInverseOffers read(WireReader& in, const wire::DeclineInverseOffers& message) {
  const WirePath at{.field = "decline_inverse_offers"};
  DeclineInverseOffers result{.offers = read(in, message.offers(), at / "offers")};
  if (message.refuse_ns().has_value()) result.filters.refuse = Duration(*message.refuse_ns());
  return result;
}

std::optional<SchedulerToMaster> read_body(WireReader& in, const wire::SchedulerToMaster& root) {
  switch (root.body_type()) {
    case wire::SchedulerToMasterBody::Hello:
      return read(in, *root.body_as_Hello());
    case wire::SchedulerToMasterBody::Subscribe:
      return read(in, *root.body_as_Subscribe());
    case wire::SchedulerToMasterBody::Teardown:
      return read(in, *root.body_as_Teardown());
    case wire::SchedulerToMasterBody::Accepts:
      return read(in, *root.body_as_Accepts());
    case wire::SchedulerToMasterBody::Decline:
      return read(in, *root.body_as_Decline());
    case wire::SchedulerToMasterBody::Suppress:
      return read(in, *root.body_as_Suppress());
    case wire::SchedulerToMasterBody::Revive:
      return read(in, *root.body_as_Revive());
    case wire::SchedulerToMasterBody::Kill:
      return read(in, *root.body_as_Kill());
    case wire::SchedulerToMasterBody::Acknowledge:
      return read(in, *root.body_as_Acknowledge());
    case wire::SchedulerToMasterBody::Reconcile:
      return read(in, *root.body_as_Reconcile());
    case wire::SchedulerToMasterBody::Heartbeat:
      return read(in, *root.body_as_Heartbeat());
    case wire::SchedulerToMasterBody::Goodbye:
      return read(in, *root.body_as_Goodbye());
    case wire::SchedulerToMasterBody::AcknowledgeOperations:
      return read(in, *root.body_as_AcknowledgeOperations());
    case wire::SchedulerToMasterBody::ReconcileOperations:
      return read(in, *root.body_as_ReconcileOperations());
    case wire::SchedulerToMasterBody::AcceptInverseOffers:
      return read(in, *root.body_as_AcceptInverseOffers());
    case wire::SchedulerToMasterBody::DeclineInverseOffers:
      return read(in, *root.body_as_DeclineInverseOffers());
    case wire::SchedulerToMasterBody::UpdateFramework:
      return read(in, *root.body_as_UpdateFramework());
    case wire::SchedulerToMasterBody::NONE:
      break;
  }
  return std::nullopt;
}

}  // namespace

void write(WireWriter& out, uint32_t session, const SchedulerToMaster& message) {
  write_root<wire::SchedulerToMasterBodyTraits, wire::SchedulerToMasterBuilder>(
      out, session, message, [&out](const auto& alternative) { return write(out, alternative); });
}

Result<Inbound<SchedulerToMaster>> decode_scheduler_to_master(std::span<const std::byte> payload) {
  return decode_root<wire::SchedulerToMaster, SchedulerToMaster>(payload, "scheduler to master",
                                                                 read_body);
}

}  // namespace tepui
