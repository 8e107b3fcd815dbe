#include "agent/launch_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "agent/container_terms.h"
#include "common/executors.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string below(std::string_view directory, std::string_view path) {
  if (directory.ends_with('/')) directory.remove_suffix(1);
  return fmt::format("{}/{}", directory, path);
}

// Where the container sees its sandbox, which is `directory` outside.
std::string inside(const std::optional<ContainerInfo>& container, const std::string& directory) {
  return container && container->rootfs ? std::string(kSandboxInside) : directory;
}

std::vector<EnvironmentVariable> make_environment(const LaunchInput& input,
                                                  const std::string& directory) {
  const Task& task = input.task;
  std::map<std::string, std::string> variables = {
      {"PATH", std::string(kDefaultPath)},
      {"MESOS_SANDBOX", inside(input.spec.container, directory)},
      {"MESOS_DIRECTORY", directory},
      {"MESOS_FRAMEWORK_ID", task.framework_id.value},
      {"MESOS_EXECUTOR_ID", input.executor_id.value},
      {"MESOS_SLAVE_ID", task.agent_id.value},
      {"MESOS_AGENT_ID", task.agent_id.value},
      {"MESOS_AGENT_ENDPOINT", input.config.info.address},
      {"MESOS_CONTAINER_ID", task.container_id.value},
      {"MESOS_ALLOCATION_ROLE", task.kind->role},
      {"TEPUI_TASK_ID", task.id.value},
  };
  for (const EnvironmentVariable& own : input.spec.command.environment) {
    variables[own.name] = own.value;
  }
  std::vector<EnvironmentVariable> environment;
  environment.reserve(variables.size());
  for (auto& [name, value] : variables) {
    environment.push_back(EnvironmentVariable{.name = name, .value = std::move(value)});
  }
  return environment;
}

// What the plan lets it have; 0: as much as there is.
int64_t memory_limit(const IsolationPlan& plan) {
  int64_t bytes = 0;
  for (const ControlWrite& write : plan) {
    const char* end = write.value.data() + write.value.size();
    if (write.file == "memory.max") std::from_chars(write.value.data(), end, bytes);
  }
  return bytes;
}

// `granted`: what check_container() says of it.
void confine(LaunchSpec& spec, const AgentConfig& config,
             const std::optional<ContainerInfo>& container, std::string shared_directory,
             const Result<void>& granted) {
  if (!granted) {
    spec.refusal = granted.error().message;
    return;
  }
  spec.confinement = plan_confinement(
      {.config = config.confinement,
       .sandbox = below(config.work_dir, spec.sandbox),
       .volumes = spec.volumes,
       .shared_directory = std::move(shared_directory),
       .container = container ? &*container : nullptr,
       .memory_bytes = memory_limit(spec.plan),
       .upper = below(config.work_dir, fmt::format("{}/{}", kRootsFolder, spec.id.value))});
}

std::optional<RootFilesystem> image_of(const std::optional<ContainerInfo>& container) {
  return has_image(container) ? container->rootfs : std::nullopt;
}

std::string resolve(const std::string& working_directory, std::string_view sandbox) {
  if (working_directory.empty()) return std::string(sandbox);
  return working_directory.starts_with('/') ? working_directory : below(sandbox, working_directory);
}

}  // namespace

bool needs_fetching(const CommandInfo& command, const std::optional<ContainerInfo>& container) {
  return !command.uris.empty() || has_image(container);
}

LaunchSpec make_executor_spec(ExecutorLaunchInput input) {
  const AgentConfig& config = input.config;
  const ExecutorInfo& executor = input.executor;
  const Task task{.framework_id = input.framework.id,
                  .agent_id = config.info.id,
                  .kind = TaskKind{.role = input.role},
                  .container_id = input.container_id};
  LaunchSpec spec{.id = input.container_id,
                  .framework_id = input.framework.id,
                  .executor_id = executor.id,
                  .task_id = TaskId{executor.id.value},
                  .sandbox = sandbox_path(task, executor.id),
                  .command = executor.command,
                  .environment = {},
                  .plan = std::move(input.plan)};
  // Checked before the executor was accepted.
  spec.volumes = volume_mounts(executor.resources, config.work_dir, executor.container)
                     .value_or(std::vector<VolumeMount>{});
  const std::string directory = below(config.work_dir, spec.sandbox);
  const Duration grace = executor.shutdown_grace.value_or(config.tunables.executor_shutdown_grace);
  TaskSpec as_task;
  as_task.command = executor.command;
  as_task.container = executor.container;
  auto& variables = as_task.command.environment;
  const std::vector<EnvironmentVariable> own = std::exchange(variables, {});
  variables = {{"TEPUI_AGENT_SOCKET", config.executor_socket},
               {"MESOS_CHECKPOINT", input.framework.checkpoint ? "1" : "0"},
               {"MESOS_RECOVERY_TIMEOUT", to_text(config.tunables.recovery_timeout)},
               {"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", to_text(grace)}};
  variables.insert(variables.end(), own.begin(), own.end());
  spec.environment = make_environment({.config = config,
                                       .framework = input.framework,
                                       .task = task,
                                       .spec = as_task,
                                       .executor_id = executor.id},
                                      directory);
  std::erase_if(spec.environment,
                [](const EnvironmentVariable& one) { return one.name == "TEPUI_TASK_ID"; });
  if (spec.command.user.empty()) spec.command.user = input.framework.user;
  spec.command.working_directory =
      resolve(spec.command.working_directory, inside(executor.container, directory));
  spec.image = image_of(executor.container);
  const std::string& socket = config.executor_socket;
  confine(spec, config, executor.container,
          socket.substr(0, std::min(socket.rfind('/'), socket.size())),
          check_container(executor, config.confinement));
  return spec;
}

std::string sandbox_path(const Task& task, const ExecutorId& executor) {
  return fmt::format("agents/{}/frameworks/{}/executors/{}/runs/{}", task.agent_id.value,
                     task.framework_id.value, executor.value, task.container_id.value);
}

LaunchSpec make_launch_spec(const LaunchInput& input) {
  LaunchSpec spec{.id = input.task.container_id,
                  .framework_id = input.task.framework_id,
                  .executor_id = input.executor_id,
                  .task_id = input.task.id,
                  .sandbox = sandbox_path(input.task, input.executor_id),
                  .command = input.spec.command,
                  .environment = {},
                  .plan = plan_isolation({.resources = input.spec.resources,
                                          .limits = input.spec.limits,
                                          .labels = input.spec.labels,
                                          .settings = input.config.tunables.isolation,
                                          .controllers = input.config.info.controllers})};
  // Checked before the task was accepted.
  spec.volumes = volume_mounts(input.spec.resources, input.config.work_dir, input.spec.container)
                     .value_or(std::vector<VolumeMount>{});
  const std::string directory = below(input.config.work_dir, spec.sandbox);
  spec.environment = make_environment(input, directory);
  spec.command.user = input.task.kind->user;
  spec.command.working_directory =
      resolve(spec.command.working_directory, inside(input.spec.container, directory));
  spec.image = image_of(input.spec.container);
  confine(spec, input.config, input.spec.container, "",
          check_container(input.spec, input.config.confinement));
  return spec;
}

void make_probe_spec(LaunchSpec& spec, const CommandInfo& command, const ContainerId& id) {
  // The container of a member of a group is itself inside another.
  const ContainerId task = std::exchange(spec.id, id);
  spec.parent.value = spec.parent.empty() ? task.value : spec.parent.value + "/" + task.value;
  spec.makes_parent = false;
  spec.plan.clear();
  spec.image.reset();
  spec.volumes.clear();
  // It is where the task is, and may no more.
  spec.confinement.namespaces.reset();
  spec.confinement.steps.clear();
  spec.confinement.directories.clear();
  if (spec.confinement.root) spec.confinement.root->upper.clear();
  spec.confinement.joins = task;
  std::map<std::string, std::string> variables;
  for (EnvironmentVariable& one : spec.environment) {
    variables[std::move(one.name)] = std::move(one.value);
  }
  for (const EnvironmentVariable& own : command.environment) variables[own.name] = own.value;
  const std::string directory = variables["MESOS_SANDBOX"];
  spec.environment.clear();
  for (auto& [name, value] : variables) {
    spec.environment.push_back(EnvironmentVariable{.name = name, .value = std::move(value)});
  }
  const std::string user = command.user.empty() ? spec.command.user : command.user;
  spec.command = command;
  spec.command.user = user;
  spec.command.working_directory = resolve(command.working_directory, directory);
}

}  // namespace tepui
