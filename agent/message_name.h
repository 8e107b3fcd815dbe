#pragma once
// MessageName names what a master says to an agent, for events: std::visit(MessageName{}, message).
//
// Pure.

#include <string_view>

#include "common/messages.h"

namespace tepui {

struct MessageName {
  std::string_view operator()(const HelloReply&) const { return "hello_reply"; }
  std::string_view operator()(const Registered&) const { return "registered"; }
  std::string_view operator()(const LaunchTasks&) const { return "launch_tasks"; }
  std::string_view operator()(const KillTask&) const { return "kill_task"; }
  std::string_view operator()(const AcknowledgeUpdates&) const { return "acknowledge_updates"; }
  std::string_view operator()(const ShutdownFramework&) const { return "shutdown_framework"; }
  std::string_view operator()(const ReconcileTasks&) const { return "reconcile_tasks"; }
  std::string_view operator()(const Ping&) const { return "ping"; }
  std::string_view operator()(const ShutdownAgent&) const { return "shutdown_agent"; }
  std::string_view operator()(const ErrorMessage&) const { return "error"; }
  std::string_view operator()(const Goodbye&) const { return "goodbye"; }
  std::string_view operator()(const ApplyOperations&) const { return "apply_operations"; }
  std::string_view operator()(const AcknowledgeOperationReports&) const {
    return "acknowledge_operation_reports";
  }
  std::string_view operator()(const DrainAgent&) const { return "drain_agent"; }
  std::string_view operator()(const LaunchGroup&) const { return "launch_group"; }
  std::string_view operator()(const RelayToExecutor&) const { return "relay_to_executor"; }
  std::string_view operator()(const StopExecutor&) const { return "stop_executor"; }
  std::string_view operator()(const ReregisterFully&) const { return "reregister_fully"; }
};

}  // namespace tepui
