#include <utility>

#include "common/values_wire.h"

namespace tepui {

static_assert(static_cast<int>(wire::CheckType::MAX) + 1 == kCheckTypeCount);
static_assert(static_cast<int>(wire::ExecutorType::MAX) + 1 == kExecutorTypeCount);

namespace {

Offset<wire::Check> write_check(WireWriter& out, const CheckInfo& check) {
  const bool runs = check.type == CheckInfo::Type::kCommand;
  const auto command = runs ? write(out, check.command) : Offset<wire::Command>(0);
  wire::CheckBuilder table(out.builder());
  table.add_type(static_cast<wire::CheckType>(check.type));
  table.add_command(command);
  table.add_port(check.port);
  table.add_path(out.field(check.path));
  table.add_delay_ns(check.delay.count());
  table.add_interval_ns(check.interval.count());
  table.add_timeout_ns(check.timeout.count());
  return table.Finish();
}

// Numbers from 1 on.
template <class Ours, class Theirs>
Ours numbered(WireReader& in, Theirs value, int count, const WirePath& at) {
  if (value == Theirs::None) in.fail(at, "is missing");
  return in.enumeration<Ours>(value, count, at);
}

}  // namespace

Offset<wire::Check> write(WireWriter& out, const std::optional<CheckInfo>& check) {
  return check ? write_check(out, *check) : Offset<wire::Check>(0);
}

std::optional<CheckInfo> read(WireReader& in, const wire::Check* check, const WirePath& at) {
  if (check == nullptr) return std::nullopt;
  CheckInfo result{
      .type = numbered<CheckInfo::Type>(in, check->type(), kCheckTypeCount, at / "type"),
      .port = check->port(),
      .path = in.line(check->path(), at / "path"),
      .delay = Duration(check->delay_ns()),
      .interval = Duration(check->interval_ns()),
      .timeout = Duration(check->timeout_ns()),
  };
  if (result.type == CheckInfo::Type::kCommand) {
    result.command = read(in, check->command(), at / "command");
  }
  return result;
}

Offset<wire::HealthCheck> write(WireWriter& out, const std::optional<HealthCheckInfo>& check) {
  if (!check) return 0;
  return wire::CreateHealthCheck(out.builder(), write_check(out, check->check),
                                 check->grace_period.count(), check->consecutive_failures);
}

std::optional<HealthCheckInfo> read(WireReader& in, const wire::HealthCheck* check,
                                    const WirePath& at) {
  if (check == nullptr) return std::nullopt;
  HealthCheckInfo result{.grace_period = Duration(check->grace_period_ns()),
                         .consecutive_failures = check->consecutive_failures()};
  if (std::optional<CheckInfo> inner = read(in, check->check(), at / "check")) {
    result.check = *std::move(inner);
  } else {
    in.fail(at / "check", "is missing");
  }
  return result;
}

Offset<wire::Executor> write(WireWriter& out, const std::shared_ptr<const ExecutorInfo>& executor) {
  if (executor == nullptr) return 0;
  // A default one with a command is the master's to refuse.
  const bool runs =
      executor->type == ExecutorInfo::Type::kCustom || executor->command != CommandInfo{};
  const auto command = runs ? write(out, executor->command) : Offset<wire::Command>(0);
  const auto resources = write(out, executor->resources);
  const auto labels = write(out, executor->labels);
  const auto discovery = write(out, executor->discovery);
  const auto container = write(out, executor->container);
  wire::ExecutorBuilder table(out.builder());
  table.add_id(out.field(executor->id.value));
  table.add_type(static_cast<wire::ExecutorType>(executor->type));
  table.add_framework_id(out.field(executor->framework_id.value));
  table.add_name(out.field(executor->name));
  table.add_command(command);
  table.add_resources(resources);
  if (executor->shutdown_grace) table.add_shutdown_grace_ns(executor->shutdown_grace->count());
  table.add_labels(labels);
  table.add_discovery(discovery);
  table.add_data(out.field(executor->data));
  table.add_container(container);
  return table.Finish();
}

std::shared_ptr<const ExecutorInfo> read(WireReader& in, const wire::Executor* executor,
                                         const WirePath& at) {
  if (executor == nullptr || !in.charge(sizeof(ExecutorInfo), at)) return nullptr;
  auto result = std::make_shared<ExecutorInfo>(ExecutorInfo{
      .id = {in.line(executor->id(), at / "id")},
      .type = numbered<ExecutorInfo::Type>(in, executor->type(), kExecutorTypeCount, at / "type"),
      .framework_id = in.optional_id<FrameworkId>(executor->framework_id(), at / "framework_id"),
      .name = in.line(executor->name(), at / "name"),
      .resources = read(in, executor->resources(), at / "resources"),
      .labels = read(in, executor->labels(), at / "labels"),
      .discovery = read(in, executor->discovery(), at / "discovery"),
      .data = in.text(executor->data(), at / "data", limits::kTaskDataBytesMax),
      .container = read(in, executor->container(), at / "container"),
  });
  if (executor->command() != nullptr || result->type == ExecutorInfo::Type::kCustom) {
    result->command = read(in, executor->command(), at / "command");
  }
  if (executor->shutdown_grace_ns().has_value()) {
    result->shutdown_grace = Duration(*executor->shutdown_grace_ns());
  }
  return result;
}

std::shared_ptr<const ExecutorInfo> read_executor(WireReader& in, const wire::Executor* executor,
                                                  const WirePath& at) {
  std::shared_ptr<const ExecutorInfo> result = read(in, executor, at);
  if (result == nullptr) in.fail(at, "is missing");
  return result;
}

}  // namespace tepui
