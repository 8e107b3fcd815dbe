#pragma once
// The values that several conversations carry, to and from their wire types. write() puts a value
// into the message under way, read() takes it out and says through the reader what was wrong.
//
// Where read() takes a pointer, null is the value that is not there.
//
// Pure.

#include <memory>
#include <optional>
#include <vector>

#include "common/messages.h"
#include "common/reader_wire.h"
#include "common/writer_wire.h"

namespace tepui {

namespace wire {
struct AgentOperation;
}

template <class T>
using Offset = flatbuffers::Offset<T>;

// At most `max` bytes, and no code point of UTF-8 in halves.
std::string_view cut(std::string_view text, size_t max);

// ------------------------------------------------------------------------------------- resources

StructVector<wire::Label> write(WireWriter& out, const Labels& labels);
Labels read(WireReader& in, const flatbuffers::Vector<const wire::Label*>* labels,
            const WirePath& at);

Offset<wire::Resources> write(WireWriter& out, const Resources& resources);
Resources read(WireReader& in, const wire::Resources* resources, const WirePath& at);

TableVector<wire::Attribute> write(WireWriter& out, const std::vector<Attribute>& attributes);
std::vector<Attribute> read(WireReader& in,
                            const flatbuffers::Vector<Offset<wire::Attribute>>* attributes,
                            const WirePath& at);

// ------------------------------------------------------------------------- frameworks and agents

Offset<wire::FrameworkInfo> write(WireWriter& out, const FrameworkInfo& info);
FrameworkInfo read(WireReader& in, const wire::FrameworkInfo* info, const WirePath& at);
std::vector<FrameworkInfo> read_frameworks(
    WireReader& in, const flatbuffers::Vector<Offset<wire::FrameworkInfo>>* frameworks,
    const WirePath& at);

Offset<wire::AgentInfo> write(WireWriter& out, const AgentInfo& info);
AgentInfo read(WireReader& in, const wire::AgentInfo* info, const WirePath& at);

// ----------------------------------------------------------------------------------------- tasks

Offset<wire::Command> write(WireWriter& out, const CommandInfo& command);
CommandInfo read(WireReader& in, const wire::Command* command, const WirePath& at);

Offset<wire::Discovery> write(WireWriter& out, const std::optional<DiscoveryInfo>& discovery);
std::optional<DiscoveryInfo> read(WireReader& in, const wire::Discovery* discovery,
                                  const WirePath& at);

Offset<wire::Check> write(WireWriter& out, const std::optional<CheckInfo>& check);
std::optional<CheckInfo> read(WireReader& in, const wire::Check* check, const WirePath& at);
Offset<wire::HealthCheck> write(WireWriter& out, const std::optional<HealthCheckInfo>& check);
std::optional<HealthCheckInfo> read(WireReader& in, const wire::HealthCheck* check,
                                    const WirePath& at);

Offset<wire::Container> write(WireWriter& out, const std::optional<ContainerInfo>& container);
std::optional<ContainerInfo> read(WireReader& in, const wire::Container* container,
                                  const WirePath& at);

// Null is no executor.
Offset<wire::Executor> write(WireWriter& out, const std::shared_ptr<const ExecutorInfo>& executor);
std::shared_ptr<const ExecutorInfo> read(WireReader& in, const wire::Executor* executor,
                                         const WirePath& at);
// The same where it must be there.
std::shared_ptr<const ExecutorInfo> read_executor(WireReader& in, const wire::Executor* executor,
                                                  const WirePath& at);

Offset<wire::KillPolicy> write(WireWriter& out, const std::optional<KillPolicy>& policy);
std::optional<KillPolicy> read(WireReader& in, const wire::KillPolicy* policy, const WirePath& at);

// Specs that tasks share stay shared: one in the message, one in memory.
using Specs = std::vector<std::shared_ptr<const TaskSpec>>;
TableVector<wire::TaskSpec> write_specs(WireWriter& out);
Specs read(WireReader& in, const flatbuffers::Vector<Offset<wire::TaskSpec>>* specs,
           const WirePath& at);

// Schedulers hear of bad task ids by a TASK_ERROR with the same bad id; agents never see one.
enum class TaskIds : uint8_t { kAny, kValid };

// Null is no limit.
Offset<wire::Limits> write(WireWriter& out, const ResourceLimits& limits);
ResourceLimits read_limits(const wire::Limits* limits);
TaskReason read_reason(WireReader& in, uint8_t reason, const WirePath& at);

// Flags of wire::TaskItem, for agents.
inline constexpr uint32_t kTaskExecutorRuns = 1;
wire::TaskItem write(WireWriter& out, const TaskInfo& task, uint32_t flags = 0);
TaskInfo read(WireReader& in, const wire::TaskItem& task, const Specs& specs, TaskIds ids,
              const WirePath& at);

// A message longer than limits::kStatusMessageBytesMax is cut there.
wire::TaskStatus write(WireWriter& out, const TaskStatus& status);
TaskStatus read(WireReader& in, const wire::TaskStatus& status, TaskIds ids, const WirePath& at);

// What a status seldom has is beside it, under its place among the statuses; null: nothing.
Offset<wire::StatusExtra> write_extra(WireWriter& out, const TaskStatus& status, uint32_t item);
void read_extra(WireReader& in, const wire::StatusExtra* extra, TaskStatus& status,
                const WirePath& at);

// The extras of a vector of statuses: status_of(item) is a TaskStatus.
bool has_extra(const TaskStatus& status);
template <class Items, class StatusOf>
TableVector<wire::StatusExtra> write_extras(WireWriter& out, const Items& items,
                                            StatusOf status_of) {
  return out.tables_of<wire::StatusExtra>([&](auto put) {
    for (size_t i = 0; i < items.size(); ++i) {
      const TaskStatus& status = status_of(items[i]);
      if (has_extra(status)) put(write_extra(out, status, static_cast<uint32_t>(i)));
    }
  });
}
template <class Items, class StatusOf>
void read_extras(WireReader& in, const flatbuffers::Vector<Offset<wire::StatusExtra>>* extras,
                 Items& items, StatusOf status_of, const WirePath& at) {
  const uint32_t count = extras == nullptr ? 0 : extras->size();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const wire::StatusExtra* extra = extras->Get(i);
    if (!in.check_index(extra->item(), items.size(), at[i] / "item", "statuses")) return;
    read_extra(in, extra, status_of(items[extra->item()]), at[i]);
  }
}

Offset<wire::Task> write(WireWriter& out, const Task& task);
Task read(WireReader& in, const wire::Task* task, const WirePath& at);

// ------------------------------------------------------------------------------------ operations

Offset<wire::Operation> write(WireWriter& out, const Operation& operation);
Operation read(WireReader& in, const wire::Operation* operation, const WirePath& at);

// A message longer than limits::kStatusMessageBytesMax is cut there.
Offset<wire::OperationStatus> write(WireWriter& out, const OperationStatus& status);
OperationStatus read(WireReader& in, const wire::OperationStatus* status, const WirePath& at);

TableVector<wire::AgentOperation> write(WireWriter& out,
                                        const std::vector<AgentOperation>& operations);
std::vector<AgentOperation> read(
    WireReader& in, const flatbuffers::Vector<Offset<wire::AgentOperation>>* operations,
    const WirePath& at);
// --------------------------------------------------------------------------- quota, maintenance

StructVector<wire::Scalar> write(WireWriter& out, const Quantities& quantities);
Quantities read_quantities(WireReader& in, const flatbuffers::Vector<const wire::Scalar*>* scalars,
                           const WirePath& at);
Offset<wire::Quota> write(WireWriter& out, const Quota& quota);
Quota read(WireReader& in, const wire::Quota* quota, const WirePath& at);

Offset<wire::Unavailability> write(WireWriter& out, const Unavailability& unavailability);
Offset<wire::Unavailability> write(WireWriter& out,
                                   const std::optional<Unavailability>& unavailability);
std::optional<Unavailability> read(WireReader& in, const wire::Unavailability* unavailability,
                                   const WirePath& at);
// The same where it must be there.
Unavailability read_unavailability(WireReader& in, const wire::Unavailability* unavailability,
                                   const WirePath& at);

// ---------------------------------------------------------------------------- every conversation

Offset<wire::Hello> write(WireWriter& out, const Hello& hello);
Hello read(WireReader& in, const wire::Hello& hello);
Offset<wire::HelloReply> write(WireWriter& out, const HelloReply& reply);
HelloReply read(WireReader& in, const wire::HelloReply& reply);
Offset<wire::Goodbye> write(WireWriter& out, const Goodbye& goodbye);
Goodbye read(WireReader& in, const wire::Goodbye& goodbye);
Offset<wire::Heartbeat> write(WireWriter& out, const Heartbeat& heartbeat);
Heartbeat read(WireReader& in, const wire::Heartbeat& heartbeat);
Offset<wire::ErrorMessage> write(WireWriter& out, const ErrorMessage& error);
ErrorMessage read(WireReader& in, const wire::ErrorMessage& error);

}  // namespace tepui
