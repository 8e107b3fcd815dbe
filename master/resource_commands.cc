#include "master/resource_commands.h"

#include <fmt/format.h>

#include <string>

#include "common/operations.h"
#include "master/commands.h"
#include "master/conversions.h"

namespace tepui::master {

namespace {

Operation::Type type_of(OperateResources::Type type) {
  switch (type) {
    case OperateResources::Type::kReserve:
      return Operation::Type::kReserve;
    case OperateResources::Type::kUnreserve:
      return Operation::Type::kUnreserve;
    case OperateResources::Type::kCreate:
      return Operation::Type::kCreate;
    case OperateResources::Type::kDestroy:
      return Operation::Type::kDestroy;
    case OperateResources::Type::kGrow:
      return Operation::Type::kGrowVolume;
    case OperateResources::Type::kShrink:
      return Operation::Type::kShrinkVolume;
  }
  return Operation::Type::kReserve;
}

Result<void> operate(State& s, const Asker& asker, const OperateResources& message) {
  AgentEntry* agent = find_agent(s, message.agent_id);
  if (agent == nullptr) {
    return fail(fmt::format("agent '{}' is not known", message.agent_id.value));
  }
  if (message.resources.empty()) return fail("no resources are named");
  Operation operation{.type = type_of(message.type), .resources = message.resources};
  if (message.type == OperateResources::Type::kGrow) operation.addition = message.change;
  if (message.type == OperateResources::Type::kShrink) {
    operation.subtract_milli = message.change.total_milli("disk");
  }
  return operate(s, *agent, operation, asker.principal);
}

}  // namespace

void on_operate_resources(State& s, const Asker& asker, const OperateResources& message) {
  const Result<void> done = operate(s, asker, message);
  answer(s, asker, done.has_value() ? std::string() : done.error().message);
}

}  // namespace tepui::master
