// run and batch: frameworks that live as long as their tasks.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/batch.h"
#include "cli/batch_framework.h"
#include "cli/check_text.h"
#include "cli/commands.h"
#include "cli/container_options.h"
#include "cli/fetch_text.h"
#include "cli/output.h"
#include "cli/output_streams.h"
#include "common/io/fd.h"
#include "common/io/files.h"
#include "common/io/signals.h"
#include "common/io/version.h"
#include "common/roles.h"
#include "common/text.h"
#include "sdk/driver.h"

namespace tepui::cli {

namespace {

constexpr size_t kBatchFileMax = 64 << 20;
// How long the tasks' last output may take to arrive once they have ended.
constexpr Duration kOutputWait = std::chrono::seconds(10);

// Where the output of one task goes: a descriptor, each line after a prefix if there is one.
class Copy final : public OutputSink {
 public:
  Copy(int fd, std::string prefix) : fd_(fd), prefix_(std::move(prefix)) {}
  explicit Copy(Fd file) : fd_(file.get()), file_(std::move(file)) {}

  void on_bytes(std::string_view bytes) override {
    if (prefix_.empty()) return put(bytes);
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      const size_t size = end == std::string_view::npos ? bytes.size() : end + 1;
      if (line_begins_) put(prefix_);
      put(bytes.substr(0, size));
      line_begins_ = end != std::string_view::npos;
      bytes.remove_prefix(size);
    }
  }
  void on_end(std::string_view problem) override { problem_ = problem; }

  const std::string& problem() const { return problem_; }

 private:
  void put(std::string_view bytes) {
    while (!bytes.empty() && problem_.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        problem_ = fmt::format("cannot write the output: {}", strerror(errno));
        return;
      }
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }

  int fd_;
  Fd file_;  // owned, where it is a file
  std::string prefix_;
  bool line_begins_ = true;
  std::string problem_;
};

enum class OutputMode : uint8_t { kNone, kStream, kFiles };

struct Plan {
  Batch batch;
  std::string user;
  OutputMode output = OutputMode::kNone;
  std::string folder;     // of kFiles
  bool progress = false;  // a line on standard error, rewritten
  bool quiet = false;     // no remarks on standard error
};

// One run of a batch: the framework, its driver, and the outputs.
class Runner final : private BatchOwner, private SignalsOwner {
 public:
  Runner(Plan plan, const Common& common)
      : plan_(std::move(plan)), common_(common), framework_(plan_.batch, *this) {}

  Outcome<BatchSummary> run() {
    if (auto opened = open(); !opened) {
      return std::unexpected(Failure{kUsage, opened.error().message});
    }
    began_ = tepui::now().mono;
    const Instant reachable_until = later(began_, common_.timeout);
    while (!done_) {
      driver_->turn(subscribed() || ever_ ? kNever : reachable_until);
      if (!subscribed() && !ever_ && tepui::now().mono >= reachable_until) {
        return std::unexpected(Failure{
            kNoMaster, fmt::format("cannot reach {}: {}", common_.master, driver_->trouble())});
      }
    }
    const double wall_secs = to_secs(tepui::now().mono - began_);
    read_outputs_to_their_end();
    driver_->stop(0);
    driver_->turn(kNever);
    show_progress(true);
    if (!error_.empty()) return std::unexpected(Failure{kNotRun, error_});
    BatchSummary summary{.framework_id = framework_.id().value,
                         .wall_secs = wall_secs,
                         .tasks = framework_.outcomes()};
    if (auto read = check_outputs(summary); !read) {
      return std::unexpected(Failure{kNotRun, read.error().message});
    }
    return summary;
  }

 private:
  bool subscribed() {
    ever_ |= driver_->scheduler().subscribed();
    return driver_->scheduler().subscribed();
  }

  FrameworkInfo info() const {
    FrameworkInfo info{.name = plan_.batch.name,
                       .user = plan_.user,
                       .principal = common_.principal,
                       .roles = {plan_.batch.role},
                       .capabilities = bit(FrameworkCapability::kPartitionAware) |
                                       bit(FrameworkCapability::kMultiRole),
                       // Long enough to survive a restart of the master.
                       .failover_timeout = std::chrono::minutes(1)};
    if (plan_.batch.revocable) {
      info.capabilities |= bit(FrameworkCapability::kRevocableResources);
    }
    if (!plan_.batch.constraints.empty()) {
      add_constraints(info, plan_.batch.role, plan_.batch.constraints);
    }
    return info;
  }

  Result<void> open() {
    driver_ = TRY(SchedulerDriver::create(
        {.master = common_.master, .scheduler = {.info = info(), .build = version_text()}},
        framework_));
    signals_ = TRY(Signals::create(driver_->reactor(), *this));
    streams_ = TRY(OutputStreams::create(driver_->reactor()));
    return {};
  }

  // The output of a task that was lost with its agent, and ran again, may be lost with it.
  Result<void> check_outputs(const BatchSummary& summary) const {
    for (const TaskOutcome& task : summary.tasks) {
      if (task.state != TaskState::kFinished && task.state != TaskState::kFailed) continue;
      const auto [first, last] = copies_.equal_range(task.id);
      for (auto copy = first; copy != last; ++copy) {
        if (!copy->second->problem().empty()) {
          return fail(fmt::format("the output of {}: {}", task.id.value, copy->second->problem()));
        }
      }
    }
    return {};
  }

  void read_outputs_to_their_end() {
    const Instant until = later(tepui::now().mono, kOutputWait);
    while (streams_->active() != 0 && tepui::now().mono < until) driver_->turn(until);
    if (streams_->active() != 0 && error_.empty()) error_ = "the last output did not arrive";
  }

  Now now() override { return driver_->reactor().now(); }

  void on_started(size_t task, const TaskId& id, const AgentFacts& agent) override {
    const bool several = plan_.batch.tasks.size() > 1;
    if (plan_.output == OutputMode::kStream) {
      const std::string prefix = several ? fmt::format("[{}] ", id.value) : std::string();
      follow(id, agent, "stdout", std::make_unique<Copy>(STDOUT_FILENO, prefix));
      follow(id, agent, "stderr", std::make_unique<Copy>(STDERR_FILENO, prefix));
    } else if (plan_.output == OutputMode::kFiles) {
      for (const char* name : {"stdout", "stderr"}) {
        const std::string path =
            fmt::format("{}/{}.{}", plan_.folder, plan_.batch.tasks[task].name, name);
        Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (file.get() < 0) {
          error_ = fmt::format("cannot write {}: {}", path, strerror(errno));
          continue;
        }
        follow(id, agent, name, std::make_unique<Copy>(std::move(file)));
      }
    }
  }

  void follow(const TaskId& id, const AgentFacts& agent, const char* path,
              std::unique_ptr<Copy> copy) {
    streams_->open(
        {.address = agent.address, .framework_id = framework_.id(), .task_id = id, .path = path},
        *copy);
    copies_.emplace(id, std::move(copy));
  }

  void on_progress() override { show_progress(false); }

  void show_progress(bool last) {
    if (!plan_.progress) return;
    const Instant at = tepui::now().mono;
    if (!last && at - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = at;
    std::fprintf(stderr, "\r\033[K%zu waiting, %zu running, %zu of %zu ended%s",
                 framework_.waiting(), framework_.running(), framework_.ended(),
                 plan_.batch.tasks.size(), last ? "\n" : "");
  }

  void on_trouble(std::string_view what) override {
    if (plan_.quiet || done_) return;
    std::fprintf(stderr, "%stepui: %s\n", plan_.progress ? "\r\033[K" : "",
                 std::string(what).c_str());
  }

  void on_done(std::string_view error) override {
    done_ = true;
    if (error_.empty()) error_ = error;
  }

  void on_signal(int) override {
    if (cancelled_) std::_Exit(kNotRun);  // asked twice: at once
    cancelled_ = true;
    on_trouble("cancelling; once more ends at once");
    framework_.cancel(driver_->scheduler());
  }

  const Plan plan_;
  const Common common_;
  BatchFramework framework_;
  std::unique_ptr<SchedulerDriver> driver_;
  std::unique_ptr<Signals> signals_;
  std::multimap<TaskId, std::unique_ptr<Copy>> copies_;
  std::unique_ptr<OutputStreams> streams_;
  Instant began_{};
  Instant shown_{};
  bool ever_ = false;
  bool done_ = false;
  bool cancelled_ = false;
  std::string error_;
};

Failure usage(std::string message) { return {kUsage, std::move(message)}; }

Outcome<ConstraintGroup> constraints_of(const Settings& settings) {
  ConstraintGroup group;
  for (const std::string& text : settings.list("constraint")) {
    auto constraint = parse_constraint(text);
    if (!constraint) return std::unexpected(usage("--constraint: " + constraint.error().message));
    group.push_back(*std::move(constraint));
  }
  return group;
}

// What each instance requests: cpus, mem and whatever else agents offer.
Outcome<Resources> requests_of(const Settings& settings) {
  const auto mem = parse_mem(settings.text("mem"));
  if (!mem) return std::unexpected(usage("--mem: " + mem.error().message));
  const auto more = Resources::parse(settings.text("resources"));
  if (!more) return std::unexpected(usage("--resources: " + more.error().message));
  for (const Resource& item : more->items()) {
    if (item.name() != "cpus" && item.name() != "mem") continue;
    return std::unexpected(
        usage(fmt::format("--resources: for {} there is --{}", item.name(), item.name())));
  }
  return *more + Resources::scalars({{"cpus", settings.milli("cpus")}, {"mem", *mem}});
}

Outcome<ResourceLimits> limits_of(const Settings& settings) {
  ResourceLimits limits;
  if (settings.given("cpus-limit")) limits.cpus_milli = settings.milli("cpus-limit");
  if (const std::string text = settings.text("mem-limit"); text == "unlimited") {
    limits.mem_milli = kUnlimited;
  } else if (!text.empty()) {
    const auto mem = parse_mem(text);
    if (!mem) return std::unexpected(usage("--mem-limit: " + mem.error().message));
    limits.mem_milli = *mem;
  }
  return limits;
}

// What it fetches first.
Outcome<std::vector<Uri>> uris_of(const Settings& settings) {
  std::vector<Uri> uris;
  for (const std::string& text : settings.list("uri")) {
    auto uri = parse_uri(text);
    if (!uri) return std::unexpected(usage("--uri: " + uri.error().message));
    uris.push_back(*std::move(uri));
  }
  return uris;
}

Outcome<Batch> batch_of_run(const Settings& settings) {
  CommandInfo command{
      .shell = false, .value = settings.rest().front(), .arguments = settings.rest()};
  for (const std::string& item : settings.list("env")) {
    const auto variable = parse_env(item);
    if (!variable) return std::unexpected(usage("--env: " + variable.error().message));
    command.environment.push_back(*variable);
  }
  auto requests = requests_of(settings);
  if (!requests) return std::unexpected(requests.error());
  const auto limits = limits_of(settings);
  if (!limits) return std::unexpected(limits.error());
  auto labels = labels_of(settings);
  if (!labels) return std::unexpected(labels.error());
  auto uris = uris_of(settings);
  if (!uris) return std::unexpected(uris.error());
  command.uris = *std::move(uris);
  auto container = container_of(settings);
  if (!container) return std::unexpected(container.error());
  command.user = settings.text("user");
  const std::string role = settings.text("role");
  if (auto valid = validate_role(role); !valid) {
    return std::unexpected(usage("--role: " + valid.error().message));
  }
  const std::string name = settings.text("name");
  if (auto valid = validate_id(name, "--name"); !valid) {
    return std::unexpected(usage(valid.error().message));
  }
  std::optional<HealthCheckInfo> health_check;
  if (const std::string text = settings.text("health-check"); !text.empty()) {
    auto parsed = parse_health_check(text, settings.text("health-check-options"));
    if (!parsed) return std::unexpected(usage("--health-check: " + parsed.error().message));
    health_check = *std::move(parsed);
  }
  std::optional<Duration> max_completion_time;
  if (settings.given("max-completion-time")) {
    max_completion_time = settings.duration("max-completion-time");
  }
  const auto spec =
      std::make_shared<const TaskSpec>(TaskSpec{.resources = *std::move(requests),
                                                .limits = *limits,
                                                .command = std::move(command),
                                                .kill_policy = {},
                                                .max_completion_time = max_completion_time,
                                                .labels = *std::move(labels),
                                                .discovery = {},
                                                .group = {},
                                                .data = {},
                                                .executor = {},
                                                .health_check = std::move(health_check),
                                                .check = {},
                                                .container = *std::move(container)});
  auto constraints = constraints_of(settings);
  if (!constraints) return std::unexpected(constraints.error());
  Batch batch{.name = name,
              .role = role,
              .constraints = *std::move(constraints),
              .revocable = settings.flag("revocable"),
              .tasks = {}};
  const int64_t instances = settings.integer("instances");
  for (int64_t i = 0; i < instances; ++i) {
    batch.tasks.push_back(
        {.name = instances == 1 ? name : fmt::format("{}-{}", name, i), .spec = spec});
  }
  return batch;
}

// The status of `tepui run`: that of the first task that did not end with 0.
int status_of(const BatchSummary& summary) {
  for (const TaskOutcome& task : summary.tasks) {
    if (task.state == TaskState::kFinished) continue;
    if (task.exit_status && *task.exit_status != 0) return *task.exit_status;
    if (task.signal) return 128 + *task.signal;
    return kNotRun;
  }
  return kDone;
}

}  // namespace

Outcome<int> run(const Settings& settings) {
  const Common common = common_of(settings);
  auto batch = batch_of_run(settings);
  if (!batch) return std::unexpected(batch.error());
  Plan plan{.batch = *std::move(batch),
            .user = settings.text("user"),
            .output = common.json ? OutputMode::kNone : OutputMode::kStream,
            .folder = {}};
  const auto summary = Runner(std::move(plan), common).run();
  if (!summary) return std::unexpected(summary.error());
  if (common.json) {
    std::printf("%s\n", json_of(*summary).c_str());
  } else {
    for (const TaskOutcome& task : summary->tasks) {
      if (task.state == TaskState::kFinished || task.exit_status) continue;
      std::fprintf(stderr, "tepui: %s: %s: %s\n", task.id.value.c_str(),
                   std::string(to_text(task.state)).c_str(), task.message.c_str());
    }
  }
  return status_of(*summary);
}

Outcome<int> batch(const Settings& settings) {
  const Common common = common_of(settings);
  const std::string file = settings.positional("FILE").front();
  const auto text = read_file(file, kBatchFileMax);
  if (!text) return std::unexpected(usage(text.error().message));
  const auto document = file.ends_with(".json") ? parse_json(*text, file) : parse_toml(*text, file);
  if (!document) return std::unexpected(usage(document.error().message));
  auto batch = parse_batch(*document, file, BatchDefaults{});
  if (!batch) return std::unexpected(usage(batch.error().message));
  if (settings.given("role")) batch->role = settings.text("role");
  auto constraints = constraints_of(settings);
  if (!constraints) return std::unexpected(constraints.error());
  batch->constraints = *std::move(constraints);
  batch->revocable = settings.flag("revocable");
  const std::string folder = settings.text("output");
  if (!folder.empty() && mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    return std::unexpected(usage(fmt::format("cannot make {}: {}", folder, strerror(errno))));
  }
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto summary = Runner({.batch = *std::move(batch),
                               .user = {},
                               .output = folder.empty() ? OutputMode::kNone : OutputMode::kFiles,
                               .folder = folder,
                               .progress = terminal,
                               .quiet = false},
                              common)
                           .run();
  if (!summary) return std::unexpected(summary.error());
  std::fputs(common.json ? (json_of(*summary) + "\n").c_str()
                         : text_of(*summary, isatty(STDOUT_FILENO) != 0).c_str(),
             stdout);
  for (const TaskOutcome& task : summary->tasks) {
    if (task.state != TaskState::kFinished) return kTasksFailed;
  }
  return kDone;
}

}  // namespace tepui::cli
