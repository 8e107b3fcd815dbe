#include "agent/sample_wire.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "common/journal.h"
#include "common/limits.h"
#include "common/values_wire.h"
#include "schemas/sample_generated.h"

namespace tepui {

namespace {

constexpr uint16_t kFormat = 1;

// Writes a value and the root around it: write_value() answers the table it wrote.
template <class WriteValue>
std::span<const std::byte> encode_with(WireWriter& out, WriteValue write_value) {
  out.begin();
  const auto erase = []<class Table>(Offset<Table> table) {
    const wire::RecordedEntry type = wire::RecordedEntryTraits<Table>::enum_value;
    return std::pair(type, table.Union());
  };
  const auto [type, value] = erase(write_value());
  const auto text = out.finish_text();
  wire::FinishRecordedBuffer(out.builder(), wire::CreateRecorded(out.builder(), text, type, value));
  return std::as_bytes(
      std::span(out.builder().GetBufferPointer(), size_t{out.builder().GetSize()}));
}

Offset<wire::RecordedTask> write_task(WireWriter& out, const ContainerTask& task) {
  const auto resources = write(out, task.resources);
  const auto limits = write(out, task.limits);
  wire::RecordedTaskBuilder table(out.builder());
  table.add_id(out.field(task.id.value));
  table.add_name(out.field(task.name));
  table.add_role(out.field(task.role));
  table.add_resources(resources);
  table.add_limits(limits);
  table.add_launched_at_ns(to_ns(task.launched_at));
  return table.Finish();
}

ContainerTask read_task(WireReader& in, const wire::RecordedTask& task, const WirePath& at) {
  return {.id = in.id<TaskId>(task.id(), at / "id"),
          .name = in.line(task.name(), at / "name"),
          .role = in.line(task.role(), at / "role"),
          .resources = read(in, task.resources(), at / "resources"),
          .limits = read_limits(task.limits()),
          .launched_at = WallTime(Duration(task.launched_at_ns()))};
}

recorded::Entry read_agent(WireReader& in, const wire::RecordedAgent& agent, const WirePath& at) {
  if (agent.format() != kFormat) {
    in.fail(at / "format", fmt::format("is {}, this program reads {}", agent.format(), kFormat));
  }
  if (agent.interval_ns() < 0) in.fail(at / "interval_ns", "is negative");
  return recorded::Agent{.id = in.optional_id<AgentId>(agent.id(), at / "id"),
                         .hostname = in.line(agent.hostname(), at / "hostname"),
                         .boot_id = in.line(agent.boot_id(), at / "boot_id"),
                         .interval = Duration(agent.interval_ns()),
                         .total = read(in, agent.total(), at / "total")};
}

recorded::Entry read_container(WireReader& in, const wire::RecordedContainer& container,
                               const WirePath& at) {
  if (container.number() == 0) in.fail(at / "number", "is 0");
  return recorded::Container{
      .number = container.number(),
      .facts = {
          .id = in.id<ContainerId>(container.id(), at / "id"),
          .parent = in.optional_id<ContainerId>(container.parent(), at / "parent"),
          .framework_id = in.id<FrameworkId>(container.framework_id(), at / "framework_id"),
          .framework_name = in.line(container.framework_name(), at / "framework_name"),
          .executor_id = in.id<ExecutorId>(container.executor_id(), at / "executor_id"),
          .executor_name = in.line(container.executor_name(), at / "executor_name"),
          .executor_resources = read(in, container.executor_resources(), at / "executor_resources"),
          .tasks = in.tables(container.tasks(), at / "tasks",
                             [&in](const wire::RecordedTask& task, const WirePath& path) {
                               return read_task(in, task, path);
                             })}};
}

}  // namespace

RecordedEncoder::RecordedEncoder() : out_(std::make_unique<WireWriter>()) {}

RecordedEncoder::~RecordedEncoder() = default;

std::span<const std::byte> RecordedEncoder::encode(const recorded::Agent& agent) {
  WireWriter& out = *out_;
  return encode_with(out, [&] {
    const auto total = write(out, agent.total);
    wire::RecordedAgentBuilder table(out.builder());
    table.add_format(kFormat);
    table.add_id(out.field(agent.id.value));
    table.add_hostname(out.field(agent.hostname));
    table.add_boot_id(out.field(agent.boot_id));
    table.add_interval_ns(agent.interval.count());
    table.add_total(total);
    return table.Finish();
  });
}

std::span<const std::byte> RecordedEncoder::encode(const recorded::Container& container) {
  WireWriter& out = *out_;
  return encode_with(out, [&] {
    const ContainerFacts& facts = container.facts;
    const auto executor_resources = write(out, facts.executor_resources);
    const auto tasks = out.tables<wire::RecordedTask>(
        facts.tasks, [&out](const ContainerTask& task) { return write_task(out, task); });
    wire::RecordedContainerBuilder table(out.builder());
    table.add_number(container.number);
    table.add_id(out.field(facts.id.value));
    table.add_parent(out.field(facts.parent.value));
    table.add_framework_id(out.field(facts.framework_id.value));
    table.add_framework_name(out.field(facts.framework_name));
    table.add_executor_id(out.field(facts.executor_id.value));
    table.add_executor_name(out.field(facts.executor_name));
    table.add_executor_resources(executor_resources);
    table.add_tasks(tasks);
    return table.Finish();
  });
}

std::span<const std::byte> RecordedEncoder::encode(const recorded::ContainerEnded& ended) {
  return encode_with(
      *out_, [&] { return wire::CreateRecordedContainerEnded(out_->builder(), ended.number); });
}

std::span<const std::byte> RecordedEncoder::encode_samples(std::span<const std::byte> deltas) {
  return encode_with(*out_, [&] {
    const auto* bytes = reinterpret_cast<const uint8_t*>(deltas.data());
    const auto vector = out_->builder().CreateVector(bytes, deltas.size());
    return wire::CreateRecordedSamples(out_->builder(), vector);
  });
}

Result<std::optional<recorded::Entry>> decode_recorded(std::span<const std::byte> bytes, Instant at,
                                                       SampleBase& base) {
  const AlignedBytes aligned(bytes);
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.bytes().data());
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kVerifierDepthMax;
  options.max_tables = limits::kVerifierTablesMax;
  flatbuffers::Verifier verifier(data, bytes.size(), options);
  if (!wire::VerifyRecordedBuffer(verifier)) {
    return fail(fmt::format("the {} bytes are no entry of a recording", bytes.size()));
  }
  const wire::Recorded& root = *wire::GetRecorded(data);
  WireReader in(root.text());
  std::optional<recorded::Entry> entry;
  // The verifier lets a kind pass that has no value.
  if (root.entry() == nullptr) return fail("the entry is empty");
  switch (root.entry_type()) {
    case wire::RecordedEntry::NONE:
      return fail("the entry is empty");
    case wire::RecordedEntry::RecordedAgent:
      entry = read_agent(in, *root.entry_as_RecordedAgent(), {.field = "agent"});
      break;
    case wire::RecordedEntry::RecordedContainer:
      entry = read_container(in, *root.entry_as_RecordedContainer(), {.field = "container"});
      break;
    case wire::RecordedEntry::RecordedContainerEnded:
      entry = recorded::ContainerEnded{.number = root.entry_as_RecordedContainerEnded()->number()};
      break;
    case wire::RecordedEntry::RecordedSamples: {
      const auto* deltas = root.entry_as_RecordedSamples()->deltas();
      if (deltas == nullptr) return fail("the samples are missing");
      entry = recorded::Samples{TRY(read_sample_deltas(
          std::as_bytes(std::span(deltas->data(), size_t{deltas->size()})), at, base))};
      break;
    }
  }
  if (!in.ok()) return std::unexpected(in.take_error());
  return entry;
}

}  // namespace tepui
