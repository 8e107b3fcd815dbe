#include "cli/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "cli/check_text.h"
#include "cli/container_text.h"
#include "cli/fetch_text.h"
#include "cli/file_values.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/roles.h"
#include "common/text.h"

namespace tepui::cli {

namespace {

constexpr int64_t kInstancesMax = 100'000;
constexpr int64_t kMegabyte = 1 << 20;

// What a task inherits from the batch, or says for itself.
struct Settings {
  std::string name;
  int64_t cpus_milli = 0;
  int64_t mem_milli = 0;
  std::string user;
  std::vector<EnvironmentVariable> environment;
  std::optional<KillPolicy> kill_policy;
  std::optional<Duration> max_completion_time;
  std::string health_check;
  std::string health_check_options;
  ContainerTexts container;
  std::vector<Uri> uris;
};

// A number may be written as a number or as text with a unit.
Result<std::string> number_text(std::string_view file, std::string_view key,
                                const Document& value) {
  if (const std::string* text = value.text()) return *text;
  if (const auto* whole = std::get_if<int64_t>(&value.value())) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value.value())) return fmt::format("{}", *real);
  return wrong(file, value, key, "a number");
}

Result<void> add_environment(std::string_view file, const Document& value, Settings& settings) {
  const Document::Table* table = value.table();
  if (table == nullptr) return wrong(file, value, "env", "a table of names and values");
  for (const auto& [name, text] : *table) {
    std::string wanted = TRY(text_of(file, "env." + name, text));
    auto same = std::ranges::find(settings.environment, name, &EnvironmentVariable::name);
    if (same == settings.environment.end()) {
      settings.environment.push_back({.name = name, .value = std::move(wanted)});
    } else {
      same->value = std::move(wanted);
    }
  }
  return {};
}

constexpr std::string_view kContainerKeys =
    "rootfs, image, read_only_rootfs, volumes, tmpfs, rlimits, capabilities, hostname, network, "
    "seccomp, user_namespace and shm_size";

Result<std::vector<std::string>> texts_of(std::string_view file, const std::string& key,
                                          const Document& value) {
  const Document::List* list = value.list();
  if (list == nullptr) return wrong(file, value, key, "a list of texts");
  std::vector<std::string> texts;
  for (const Document& one : *list) texts.push_back(TRY(text_of(file, key, one)));
  return texts;
}

Result<bool> flag_of(std::string_view file, const std::string& key, const Document& value) {
  if (const auto* flag = std::get_if<bool>(&value.value())) return *flag;
  return wrong(file, value, key, "true or false");
}

// True if `key` says something about the container.
Result<bool> set_container(std::string_view file, const std::string& key, const Document& value,
                           ContainerTexts& texts) {
  const std::pair<std::string_view, std::string*> words[] = {
      {"rootfs", &texts.rootfs},   {"image", &texts.image},     {"hostname", &texts.hostname},
      {"network", &texts.network}, {"seccomp", &texts.seccomp}, {"shm_size", &texts.shm_size}};
  const std::pair<std::string_view, bool*> flags[] = {{"read_only_rootfs", &texts.read_only_rootfs},
                                                      {"user_namespace", &texts.user_namespace}};
  const std::pair<std::string_view, std::vector<std::string>*> lists[] = {
      {"volumes", &texts.volumes},
      {"tmpfs", &texts.tmpfs},
      {"rlimits", &texts.rlimits},
      {"capabilities", &texts.capabilities}};
  for (const auto& [name, text] : words) {
    if (name != key) continue;
    *text = TRY(text_of(file, key, value));
    return true;
  }
  for (const auto& [name, flag] : flags) {
    if (name != key) continue;
    *flag = TRY(flag_of(file, key, value));
    return true;
  }
  for (const auto& [name, list] : lists) {
    if (name != key) continue;
    *list = TRY(texts_of(file, key, value));
    return true;
  }
  return false;
}

// Each as `tepui run --uri` takes it.
Result<std::vector<Uri>> uris_of(std::string_view file, const Document& value) {
  const Document::List* list = value.list();
  if (list == nullptr) return wrong(file, value, "uris", "a list of texts");
  std::vector<Uri> uris;
  for (const Document& one : *list) {
    Result<Uri> uri = parse_uri(TRY(text_of(file, "uris", one)));
    if (!uri) {
      return std::unexpected(std::move(uri).error().in(fmt::format("{}: uris", where(file, one))));
    }
    uris.push_back(*std::move(uri));
  }
  return uris;
}

// True if `key` is one of the settings.
Result<bool> set(std::string_view file, const std::string& key, const Document& value,
                 Settings& settings) {
  const auto at = [&](Error error) {
    return std::unexpected(std::move(error).in(fmt::format("{}: {}", where(file, value), key)));
  };
  if (key == "name") {
    settings.name = TRY(text_of(file, key, value));
    if (auto valid = validate_id(settings.name, "the name"); !valid) return at(valid.error());
  } else if (key == "cpus") {
    const auto cpus = parse_cpus(TRY(number_text(file, key, value)));
    if (!cpus) return at(cpus.error());
    settings.cpus_milli = *cpus;
  } else if (key == "mem") {
    const auto mem = parse_mem(TRY(number_text(file, key, value)));
    if (!mem) return at(mem.error());
    settings.mem_milli = *mem;
  } else if (key == "user") {
    settings.user = TRY(text_of(file, key, value));
  } else if (key == "env") {
    TRY(add_environment(file, value, settings));
  } else if (key == "kill_grace") {
    const auto grace = parse_duration(TRY(text_of(file, key, value)));
    if (!grace) return at(grace.error());
    settings.kill_policy = KillPolicy{.grace_ns = *grace};
  } else if (key == "max_completion_time") {
    const auto time = parse_duration(TRY(text_of(file, key, value)));
    if (!time) return at(time.error());
    settings.max_completion_time = *time;
  } else if (key == "health_check") {
    settings.health_check = TRY(text_of(file, key, value));
  } else if (key == "health_check_options") {
    settings.health_check_options = TRY(text_of(file, key, value));
  } else if (key == "uris") {
    settings.uris = TRY(uris_of(file, value));
  } else {
    return set_container(file, key, value, settings.container);
  }
  return true;
}

Result<CommandInfo> command_of(std::string_view file, const Document& value) {
  CommandInfo command;
  if (const std::string* text = value.text()) {
    command.shell = true;
    command.value = *text;
  } else if (const Document::List* list = value.list(); list != nullptr && !list->empty()) {
    command.shell = false;
    for (const Document& argument : *list) {
      command.arguments.push_back(TRY(text_of(file, "command", argument)));
    }
    command.value = command.arguments.front();
  } else {
    return wrong(file, value, "command", "text for the shell, or a list of program and arguments");
  }
  if (command.value.empty()) return fail(fmt::format("{}: command is empty", where(file, value)));
  return command;
}

Result<std::shared_ptr<const TaskSpec>> spec_of(Settings settings, CommandInfo command) {
  std::optional<HealthCheckInfo> health_check;
  if (!settings.health_check.empty()) {
    health_check = TRY(parse_health_check(settings.health_check, settings.health_check_options));
  }
  std::optional<ContainerInfo> container = TRY(parse_container(settings.container));
  command.user = settings.user;
  command.environment = std::move(settings.environment);
  command.uris = std::move(settings.uris);
  return std::make_shared<const TaskSpec>(TaskSpec{
      .resources = Resources::scalars({{"cpus", settings.cpus_milli}, {"mem", settings.mem_milli}}),
      .limits = {},
      .command = std::move(command),
      .kill_policy = settings.kill_policy,
      .max_completion_time = settings.max_completion_time,
      .labels = {},
      .discovery = {},
      .group = {},
      .data = {},
      .executor = {},
      .health_check = std::move(health_check),
      .check = {},
      .container = std::move(container)});
}

Result<void> add_task(std::string_view file, const Document& document, Settings settings,
                      size_t number, Batch& batch) {
  const Document::Table* table = document.table();
  if (table == nullptr) return wrong(file, document, "a task", "a table");
  settings.name = fmt::format("task-{}", number);
  std::optional<CommandInfo> command;
  int64_t instances = 1;
  for (const auto& [key, value] : *table) {
    if (key == "command") {
      command = TRY(command_of(file, value));
    } else if (key == "instances") {
      const auto* count = std::get_if<int64_t>(&value.value());
      if (count == nullptr || *count < 1 || *count > kInstancesMax) {
        return wrong(file, value, key, fmt::format("a whole number from 1 to {}", kInstancesMax));
      }
      instances = *count;
    } else if (!TRY(set(file, key, value, settings))) {
      return fail(
          fmt::format("{}: a task has no key '{}'; it may have name, command, instances, "
                      "cpus, mem, user, env, kill_grace, max_completion_time, health_check, "
                      "health_check_options, uris, {}",
                      where(file, value), key, kContainerKeys));
    }
  }
  // An image may know what to run.
  if (!command && !settings.container.image.empty()) command = CommandInfo{.shell = false};
  if (!command) return fail(fmt::format("{}: a task has no command", where(file, document)));
  const std::string name = settings.name;
  const auto made = spec_of(std::move(settings), *std::move(command));
  if (!made) return fail(fmt::format("{}: {}", where(file, document), made.error().message));
  const std::shared_ptr<const TaskSpec>& spec = *made;
  for (int64_t i = 0; i < instances; ++i) {
    batch.tasks.push_back(
        {.name = instances == 1 ? name : fmt::format("{}-{}", name, i), .spec = spec});
  }
  return {};
}

Result<void> check_names(std::string_view file, const Batch& batch) {
  std::set<std::string_view> seen;
  for (const BatchTask& task : batch.tasks) {
    if (!seen.insert(task.name).second) {
      return fail(fmt::format("{}: two tasks are named '{}'", file, task.name));
    }
  }
  return {};
}

}  // namespace

Result<Batch> parse_batch(const Document& document, std::string_view file,
                          const BatchDefaults& defaults) {
  if (document.table() == nullptr) return wrong(file, document, "the file", "a table");
  Batch batch;
  Settings settings{.name = batch.name,
                    .cpus_milli = defaults.cpus_milli,
                    .mem_milli = defaults.mem_milli,
                    .user = {},
                    .environment = {},
                    .kill_policy = {},
                    .max_completion_time = {},
                    .health_check = {},
                    .health_check_options = {},
                    .container = {},
                    .uris = {}};
  const Document::List* tasks = nullptr;
  for (const auto& [key, value] : *document.table()) {
    if (key == "role") {
      batch.role = TRY(text_of(file, key, value));
      if (auto valid = validate_role(batch.role); !valid) {
        return std::unexpected(std::move(valid).error().in(where(file, value)));
      }
    } else if (key == "task" || key == "tasks") {
      tasks = value.list();
      if (tasks == nullptr) return wrong(file, value, key, "a list of tasks");
    } else if (!TRY(set(file, key, value, settings))) {
      return fail(
          fmt::format("{}: a batch has no key '{}'; it may have name, role, cpus, mem, "
                      "user, env, kill_grace, max_completion_time, health_check, "
                      "health_check_options, uris, tasks, {}",
                      where(file, value), key, kContainerKeys));
    }
  }
  batch.name = settings.name;
  if (tasks == nullptr || tasks->empty()) return fail(fmt::format("{}: there are no tasks", file));
  for (const Document& task : *tasks) {
    TRY(add_task(file, task, settings, batch.tasks.size(), batch));
  }
  TRY(check_names(file, batch));
  return batch;
}

Result<int64_t> parse_cpus(std::string_view text) {
  const int64_t milli = TRY(parse_milli(text));
  if (milli < 1) return fail(fmt::format("'{}' cpus are too few to run anything", text));
  if (milli > limits::kScalarMilliMax) return fail(fmt::format("'{}' cpus are too many", text));
  return milli;
}

Result<int64_t> parse_mem(std::string_view text) {
  const bool bare =
      std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  int64_t milli = 0;
  if (bare && !text.empty()) {
    milli = TRY(parse_milli(text));
  } else {
    // Rounded up: a task never gets less than it asked for.
    __extension__ using Wide = __int128;
    const Wide bytes = TRY(parse_bytes(text));
    milli = static_cast<int64_t>((bytes * 1000 + kMegabyte - 1) / kMegabyte);
  }
  if (milli > limits::kScalarMilliMax) return fail(fmt::format("'{}' of memory is too much", text));
  return milli;
}

Result<EnvironmentVariable> parse_env(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(fmt::format("'{}' is not NAME=VALUE", text));
  }
  return EnvironmentVariable{.name = std::string(text.substr(0, equals)),
                             .value = std::string(text.substr(equals + 1))};
}

}  // namespace tepui::cli
