#pragma once
// The fields of every struct that messages are made of, so that tests can walk them: describe()
// writes a message down in full, two messages are equal exactly when their descriptions are.
//
// A struct that gains a field no longer compiles here until its number is raised; from then on the
// round trips check the new field.

#include <fmt/format.h>

#include <string>
#include <tuple>
#include <type_traits>

#include "common/messages.h"
#include "common/quota_text.h"

namespace tepui {

template <class T>
inline constexpr int kFields = 0;

template <class Tag>
inline constexpr int kFields<TextId<Tag>> = 1;
template <>
inline constexpr int kFields<OfferId> = 1;
template <>
inline constexpr int kFields<Uuid> = 2;
template <>
inline constexpr int kFields<Label> = 2;
template <>
inline constexpr int kFields<Reservation> = 4;
template <>
inline constexpr int kFields<Disk> = 6;
template <>
inline constexpr int kFields<ResourceKind> = 5;
template <>
inline constexpr int kFields<Range> = 2;
template <>
inline constexpr int kFields<Resource> = 3;
template <>
inline constexpr int kFields<ResourceLimits> = 2;
template <>
inline constexpr int kFields<Attribute> = 2;
template <>
inline constexpr int kFields<EnvironmentVariable> = 2;
template <>
inline constexpr int kFields<Uri> = 6;
template <>
inline constexpr int kFields<CommandInfo> = 7;
template <>
inline constexpr int kFields<RootFilesystem> = 4;
template <>
inline constexpr int kFields<ContainerVolume> = 5;
template <>
inline constexpr int kFields<Rlimit> = 3;
template <>
inline constexpr int kFields<ContainerInfo> = 9;
template <>
inline constexpr int kFields<KillPolicy> = 1;
template <>
inline constexpr int kFields<Port> = 3;
template <>
inline constexpr int kFields<DiscoveryInfo> = 7;
template <>
inline constexpr int kFields<CheckInfo> = 7;
template <>
inline constexpr int kFields<HealthCheckInfo> = 3;
template <>
inline constexpr int kFields<CheckStatus> = 2;
template <>
inline constexpr int kFields<ExecutorInfo> = 11;
template <>
inline constexpr int kFields<TaskSpec> = 13;
template <>
inline constexpr int kFields<TaskInfo> = 3;
template <>
inline constexpr int kFields<TaskStatus> = 16;
template <>
inline constexpr int kFields<TaskKind> = 9;
template <>
inline constexpr int kFields<Task> = 10;
template <>
inline constexpr int kFields<FrameworkInfo> = 14;
template <>
inline constexpr int kFields<OfferConstraint> = 5;
template <>
inline constexpr int kFields<RoleConstraints> = 2;
template <>
inline constexpr int kFields<RoleMinimum> = 2;
template <>
inline constexpr int kFields<Quantities::Item> = 2;
template <>
inline constexpr int kFields<Domain> = 2;
template <>
inline constexpr int kFields<AgentInfo> = 9;

template <>
inline constexpr int kFields<Hello> = 8;
template <>
inline constexpr int kFields<HelloReply> = 7;
template <>
inline constexpr int kFields<Goodbye> = 1;
template <>
inline constexpr int kFields<Subscribe> = 1;
template <>
inline constexpr int kFields<Filters> = 1;
template <>
inline constexpr int kFields<OfferOperation> = 4;
template <>
inline constexpr int kFields<Operation> = 6;
template <>
inline constexpr int kFields<OperationStatus> = 6;
template <>
inline constexpr int kFields<AgentOperation> = 4;
template <>
inline constexpr int kFields<AcknowledgeOperations> = 1;
template <>
inline constexpr int kFields<AcknowledgeOperations::Item> = 3;
template <>
inline constexpr int kFields<ReconcileOperations> = 1;
template <>
inline constexpr int kFields<ReconcileOperations::Item> = 2;
template <>
inline constexpr int kFields<UpdateFramework> = 1;
template <>
inline constexpr int kFields<FrameworkUpdated> = 1;
template <>
inline constexpr int kFields<OperationUpdates> = 1;
template <>
inline constexpr int kFields<OperationReports> = 1;
template <>
inline constexpr int kFields<UpdateAgent> = 1;
template <>
inline constexpr int kFields<ApplyOperations> = 1;
template <>
inline constexpr int kFields<AcknowledgeOperationReports> = 1;
template <>
inline constexpr int kFields<AcknowledgeOperationReports::Item> = 2;
template <>
inline constexpr int kFields<Accept> = 3;
template <>
inline constexpr int kFields<Accepts> = 1;
template <>
inline constexpr int kFields<Decline> = 2;
template <>
inline constexpr int kFields<Suppress> = 1;
template <>
inline constexpr int kFields<Revive> = 1;
template <>
inline constexpr int kFields<Kill> = 3;
template <>
inline constexpr int kFields<Acknowledge> = 1;
template <>
inline constexpr int kFields<Acknowledge::Item> = 3;
template <>
inline constexpr int kFields<Reconcile> = 1;
template <>
inline constexpr int kFields<Reconcile::Item> = 2;
template <>
inline constexpr int kFields<Subscribed> = 4;
template <>
inline constexpr int kFields<AgentFacts> = 7;
template <>
inline constexpr int kFields<OfferItem> = 4;
template <>
inline constexpr int kFields<OfferBatch> = 4;
template <>
inline constexpr int kFields<Rescind> = 1;
template <>
inline constexpr int kFields<Updates> = 1;
template <>
inline constexpr int kFields<Failure> = 4;
template <>
inline constexpr int kFields<ErrorMessage> = 1;
template <>
inline constexpr int kFields<RegisterAgent> = 2;
template <>
inline constexpr int kFields<ReregisterAgent> = 5;
template <>
inline constexpr int kFields<ReregisterCompactly> = 8;
template <>
inline constexpr int kFields<StatusUpdates> = 1;
template <>
inline constexpr int kFields<StatusUpdates::Item> = 3;
template <>
inline constexpr int kFields<Registered> = 5;
template <>
inline constexpr int kFields<LaunchTasks> = 2;
template <>
inline constexpr int kFields<LaunchTasks::Item> = 4;
template <>
inline constexpr int kFields<KillTask> = 3;
template <>
inline constexpr int kFields<AcknowledgeUpdates> = 1;
template <>
inline constexpr int kFields<AcknowledgeUpdates::Item> = 3;
template <>
inline constexpr int kFields<ShutdownFramework> = 1;
template <>
inline constexpr int kFields<ReconcileTasks> = 1;
template <>
inline constexpr int kFields<ReconcileTasks::Item> = 3;
template <>
inline constexpr int kFields<Ping> = 1;
template <>
inline constexpr int kFields<ShutdownAgent> = 1;
template <>
inline constexpr int kFields<AgentRow> = 9;
template <>
inline constexpr int kFields<FrameworkRow> = 6;
template <>
inline constexpr int kFields<TaskRow> = 1;
template <>
inline constexpr int kFields<RoleRow> = 8;
template <>
inline constexpr int kFields<OfferRow> = 6;
template <>
inline constexpr int kFields<MetricRow> = 2;
template <>
inline constexpr int kFields<Rows> = 7;
template <>
inline constexpr int kFields<ListRequest> = 5;
template <>
inline constexpr int kFields<ListReply> = 4;
template <>
inline constexpr int kFields<WatchRequest> = 2;
template <>
inline constexpr int kFields<WatchEvent> = 5;
template <>
inline constexpr int kFields<WatchEvent::Removed> = 3;
template <>
inline constexpr int kFields<OperatorKill> = 4;
template <>
inline constexpr int kFields<ReadFile> = 6;
template <>
inline constexpr int kFields<FileData> = 5;
template <>
inline constexpr int kFields<RequestDone> = 2;

template <>
inline constexpr int kFields<AcceptInverseOffers> = 2;
template <>
inline constexpr int kFields<DeclineInverseOffers> = 2;
template <>
inline constexpr int kFields<InverseOfferBatch> = 1;
template <>
inline constexpr int kFields<InverseOfferBatch::Item> = 3;
template <>
inline constexpr int kFields<RescindInverseOffers> = 1;
template <>
inline constexpr int kFields<DrainAgent> = 1;
template <>
inline constexpr int kFields<Unavailability> = 2;
template <>
inline constexpr int kFields<MaintenanceWindow> = 3;
template <>
inline constexpr int kFields<MaintenanceRow> = 5;
template <>
inline constexpr int kFields<MaintenanceRow::Answer> = 4;
template <>
inline constexpr int kFields<UpdateQuota> = 3;
template <>
inline constexpr int kFields<UpdateQuota::Item> = 2;
template <>
inline constexpr int kFields<UpdateWeights> = 2;
template <>
inline constexpr int kFields<UpdateWeights::Item> = 2;
template <>
inline constexpr int kFields<OperateResources> = 5;
template <>
inline constexpr int kFields<UpdateMaintenanceSchedule> = 2;
template <>
inline constexpr int kFields<OperateMachines> = 3;
template <>
inline constexpr int kFields<OperateAgent> = 5;
template <>
inline constexpr int kFields<TeardownFramework> = 2;
template <>
inline constexpr int kFields<Explain> = 3;
template <>
inline constexpr int kFields<Explanation> = 2;
template <>
inline constexpr int kFields<Explanation::Cause> = 3;
template <>
inline constexpr int kFields<Explanation::Role> = 6;

template <>
inline constexpr int kFields<SubscribeExecutor> = 5;
template <>
inline constexpr int kFields<UpdateTask> = 1;
template <>
inline constexpr int kFields<MessageFramework> = 1;
template <>
inline constexpr int kFields<ExecutorSubscribed> = 3;
template <>
inline constexpr int kFields<RunTasks> = 2;
template <>
inline constexpr int kFields<StopTask> = 2;
template <>
inline constexpr int kFields<UpdateTaken> = 2;
template <>
inline constexpr int kFields<FrameworkMessage> = 1;
template <>
inline constexpr int kFields<MessageExecutor> = 3;
template <>
inline constexpr int kFields<ShutdownExecutor> = 2;
template <>
inline constexpr int kFields<LaunchGroup> = 6;
template <>
inline constexpr int kFields<RelayToExecutor> = 3;
template <>
inline constexpr int kFields<StopExecutor> = 2;
template <>
inline constexpr int kFields<AgentExecutor> = 4;
template <>
inline constexpr int kFields<ExecutorExited> = 4;
template <>
inline constexpr int kFields<RelayToFramework> = 3;
template <>
inline constexpr int kFields<ExecutorMessage> = 3;

// References to all fields, in the order in which they are declared.
template <class T>
auto fields(T& t) {
  constexpr int kCount = kFields<std::remove_const_t<T>>;
  if constexpr (std::is_empty_v<T>) {
    return std::tie();
  } else if constexpr (kCount == 1) {
    auto& [a] = t;
    return std::tie(a);
  } else if constexpr (kCount == 2) {
    auto& [a, b] = t;
    return std::tie(a, b);
  } else if constexpr (kCount == 3) {
    auto& [a, b, c] = t;
    return std::tie(a, b, c);
  } else if constexpr (kCount == 4) {
    auto& [a, b, c, d] = t;
    return std::tie(a, b, c, d);
  } else if constexpr (kCount == 5) {
    auto& [a, b, c, d, e] = t;
    return std::tie(a, b, c, d, e);
  } else if constexpr (kCount == 6) {
    auto& [a, b, c, d, e, f] = t;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (kCount == 7) {
    auto& [a, b, c, d, e, f, g] = t;
    return std::tie(a, b, c, d, e, f, g);
  } else if constexpr (kCount == 8) {
    auto& [a, b, c, d, e, f, g, h] = t;
    return std::tie(a, b, c, d, e, f, g, h);
  } else if constexpr (kCount == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = t;
    return std::tie(a, b, c, d, e, f, g, h, i);
  } else if constexpr (kCount == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (kCount == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (kCount == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (kCount == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (kCount == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (kCount == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  } else {
    static_assert(kCount == 18, "give this struct its number of fields above");
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = t;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);
  }
}

// ---------------------------------------------------------------------------------- description

template <class T>
std::string describe(const T& value);

inline std::string describe(const std::string& text) {
  return fmt::format("{}'{}'", text.size(), text);
}
inline std::string describe(const Quantities& quantities) { return to_text(quantities); }
inline std::string describe(const Quota& quota) { return to_text(quota); }
inline std::string describe(Duration duration) { return fmt::format("{}ns", duration.count()); }
inline std::string describe(WallTime time) { return fmt::format("@{}", to_ns(time)); }
template <class T>
std::string describe(const std::vector<T>& items) {
  std::string text = "[";
  for (const T& item : items) text += describe(item) + " ";
  return text + "]";
}
template <class T>
std::string describe(const std::optional<T>& value) {
  return value ? "some " + describe(*value) : "none";
}
template <class T>
std::string describe(const std::shared_ptr<const T>& value) {
  return value ? describe(*value) : "null";
}
template <class T>
std::string describe(const Shared<T>& value) {
  return describe(*value);
}
template <class... Ts>
std::string describe(const std::variant<Ts...>& value) {
  return fmt::format("#{} ", value.index()) +
         std::visit([](const auto& alternative) { return describe(alternative); }, value);
}
inline std::string describe(const Resources& resources) {
  return describe(std::vector<Resource>(resources.items().begin(), resources.items().end()));
}

template <class T>
std::string describe(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return fmt::format("{}", static_cast<int>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return fmt::format("{}", value);
  } else {
    std::string text = "{";
    std::apply([&text](const auto&... field) { ((text += describe(field) + ", "), ...); },
               fields(value));
    return text + "}";
  }
}

}  // namespace tepui
