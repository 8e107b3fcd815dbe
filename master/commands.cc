#include "master/commands.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "master/drain.h"
#include "master/explain.h"
#include "master/frameworks.h"
#include "master/maintenance.h"
#include "master/quota.h"
#include "master/tasks.h"
#include "master/weights.h"

namespace tepui::master {

namespace {

std::string kill_task(State& s, std::string_view principal, const OperatorKill& kill) {
  FrameworkEntry* framework = find_framework(s, kill.framework_id);
  if (framework == nullptr) {
    return fmt::format("framework '{}' is not known", kill.framework_id.value);
  }
  TaskEntry* entry = find_task(*framework, kill.task_id);
  if (entry == nullptr) return fmt::format("task '{}' is not known", kill.task_id.value);
  if (entry->unreachable) {
    return fmt::format("task '{}' is on an unreachable agent", kill.task_id.value);
  }
  if (!s.authorizer.authorize(principal, Action::kKillTask, kill.framework_id.value)) {
    return fmt::format("'{}' may not kill tasks of this framework", principal);
  }
  request_kill(s, *entry, kill.kill_policy);
  return {};
}

std::string tear_down(State& s, std::string_view principal, const TeardownFramework& message) {
  FrameworkEntry* framework = find_framework(s, message.framework_id);
  if (framework == nullptr) {
    return fmt::format("framework '{}' is not known", message.framework_id.value);
  }
  if (!s.authorizer.authorize(principal, Action::kTeardownFramework, message.framework_id.value)) {
    return fmt::format("'{}' may not tear down this framework", principal);
  }
  on_teardown(s, *framework);
  return {};
}

// One command, told apart by its type.
struct Command {
  State& s;
  Asker asker;

  void operator()(const OperatorKill& message) const {
    answer(s, asker, kill_task(s, asker.principal, message));
  }
  void operator()(const TeardownFramework& message) const {
    answer(s, asker, tear_down(s, asker.principal, message));
  }
  void operator()(const UpdateQuota& message) const { on_update_quota(s, asker, message); }
  void operator()(const UpdateWeights& message) const { on_update_weights(s, asker, message); }
  void operator()(const UpdateMaintenanceSchedule& message) const {
    on_update_schedule(s, asker, message);
  }
  void operator()(const OperateMachines& message) const { on_operate_machines(s, asker, message); }
  void operator()(const OperateAgent& message) const { on_operate_agent(s, asker, message); }
  void operator()(const Explain& message) const { explain(s, asker, message); }
  void operator()(const OperateResources&) const {
    answer(s, asker, "this master does not know the command");
  }
};

}  // namespace

void answer(State& s, const Asker& asker, std::string error) {
  s.effects.send(asker.session, RequestDone{.request = asker.request, .error = std::move(error)});
}

void on_operator_request(State& s, SessionId from, std::string_view principal,
                         const OperatorRequest& request) {
  Asker asker{.session = from, .request = request_of(request), .principal = std::string(principal)};
  if (!s.leading) return answer(s, asker, "not the leader");
  std::visit(Command{s, std::move(asker)}, request);
}

}  // namespace tepui::master
