// Operations and their statuses, which schedulers, masters and agents exchange.

#include "common/values_wire.h"
#include "schemas/agent_generated.h"

namespace tepui {

Offset<wire::Operation> write(WireWriter& out, const Operation& operation) {
  const auto resources = write(out, operation.resources);
  const auto source = write(out, operation.source);
  const auto addition = write(out, operation.addition);
  wire::OperationBuilder table(out.builder());
  table.add_type(static_cast<wire::ConversionType>(operation.type));
  table.add_id(out.field(operation.id.value));
  table.add_resources(resources);
  table.add_source(source);
  table.add_addition(addition);
  table.add_subtract_milli(operation.subtract_milli);
  return table.Finish();
}

Operation read(WireReader& in, const wire::Operation* operation, const WirePath& at) {
  if (operation == nullptr) {
    in.fail(at, "is missing");
    return {};
  }
  switch (operation->type()) {
    case wire::ConversionType::Reserve:
    case wire::ConversionType::Unreserve:
    case wire::ConversionType::Create:
    case wire::ConversionType::Destroy:
    case wire::ConversionType::GrowVolume:
    case wire::ConversionType::ShrinkVolume:
      break;
    case wire::ConversionType::None:
    default:
      in.fail(at / "type", "is not known");
  }
  return Operation{.type = static_cast<Operation::Type>(operation->type()),
                   .id = {in.line(operation->id(), at / "id")},
                   .resources = read(in, operation->resources(), at / "resources"),
                   .source = read(in, operation->source(), at / "source"),
                   .addition = read(in, operation->addition(), at / "addition"),
                   .subtract_milli = operation->subtract_milli()};
}

Offset<wire::OperationStatus> write(WireWriter& out, const OperationStatus& status) {
  const auto converted = write(out, status.converted);
  wire::OperationStatusBuilder table(out.builder());
  table.add_operation_id(out.field(status.operation_id.value));
  table.add_state(static_cast<wire::OperationState>(status.state));
  table.add_message(out.field(cut(status.message, limits::kStatusMessageBytesMax)));
  table.add_converted(converted);
  table.add_uuid_high(status.uuid.high);
  table.add_uuid_low(status.uuid.low);
  table.add_agent_id(out.field(status.agent_id.value));
  return table.Finish();
}

OperationStatus read(WireReader& in, const wire::OperationStatus* status, const WirePath& at) {
  if (status == nullptr) {
    in.fail(at, "is missing");
    return {};
  }
  return OperationStatus{
      .operation_id = {in.line(status->operation_id(), at / "operation_id")},
      .state = in.enumeration<OperationState>(status->state(), kOperationStateCount, at / "state"),
      .message = in.text(status->message(), at / "message", limits::kStatusMessageBytesMax),
      .converted = read(in, status->converted(), at / "converted"),
      .uuid = {.high = status->uuid_high(), .low = status->uuid_low()},
      .agent_id = in.optional_id<AgentId>(status->agent_id(), at / "agent_id")};
}

TableVector<wire::AgentOperation> write(WireWriter& out,
                                        const std::vector<AgentOperation>& operations) {
  return out.tables<wire::AgentOperation>(operations, [&out](const AgentOperation& item) {
    const auto operation = write(out, item.operation);
    const auto status = write(out, item.status);
    wire::AgentOperationBuilder table(out.builder());
    table.add_uuid_high(item.uuid.high);
    table.add_uuid_low(item.uuid.low);
    table.add_framework_id(out.field(item.framework_id.value));
    table.add_operation(operation);
    table.add_status(status);
    return table.Finish();
  });
}

std::vector<AgentOperation> read(
    WireReader& in, const flatbuffers::Vector<Offset<wire::AgentOperation>>* operations,
    const WirePath& at) {
  return in.tables(operations, at, [&in](const wire::AgentOperation& item, const WirePath& path) {
    return AgentOperation{
        .uuid = {.high = item.uuid_high(), .low = item.uuid_low()},
        .framework_id = in.optional_id<FrameworkId>(item.framework_id(), path / "framework_id"),
        .operation = read(in, item.operation(), path / "operation"),
        .status = read(in, item.status(), path / "status")};
  });
}

}  // namespace tepui
