// tepui-agent: offers what a machine has to a master, and runs what frameworks launch on it.

#include <fmt/format.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "agent/shell/fetch_options.h"
#include "agent/shell/isolation_options.h"
#include "agent/shell/shell.h"
#include "common/io/config.h"
#include "common/io/version.h"
#include "common/text.h"

namespace tepui {
namespace {

constexpr std::string_view kMasterGroup = "Master";
constexpr std::string_view kMachineGroup = "Machine";
constexpr std::string_view kRecoveryGroup = "Recovery";
constexpr std::string_view kTaskGroup = "Tasks";
constexpr std::string_view kMeasuringGroup = "Measuring";

std::vector<Option> master_options() {
  const std::string group(kMasterGroup);
  return {
      {.name = "master",
       .help = "Where the master listens, as ADDRESS:PORT; or where to ask which one leads, as "
               "zk://[USER:PASSWORD@]HOST:PORT,.../PATH.",
       .group = group,
       .need = OptionNeed::kRequired,
       .letter = "",
       .choices = {}},
      {.name = "principal",
       .help = "Who this agent says it is.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "registration-backoff-factor",
       .kind = OptionKind::kDuration,
       .fallback = "1secs",
       .help = "The first request to be registered waits up to this long, drawn at random; "
               "repeats wait longer and longer.",
       .group = group,
       .letter = "",
       .choices = {}},
  };
}

std::vector<Option> machine_options() {
  const std::string group(kMachineGroup);
  const auto option = [&group](std::string name, std::string fallback, std::string help) {
    return Option{.name = std::move(name),
                  .fallback = std::move(fallback),
                  .help = std::move(help),
                  .group = group,
                  .letter = "",
                  .choices = {}};
  };
  return {
      option("listen", "127.0.0.1:5051",
             "Where operators reach this agent, as ADDRESS:PORT; port 0 lets the kernel choose. "
             "There is no authentication yet: think before opening it to a network."),
      option("hostname", "", "The name that offers show; the machine's own if it is not given."),
      option("work-dir", "/var/lib/tepui/agent", "Where the sandboxes of tasks are."),
      option("runtime-dir", "/run/tepui/agent",
             "What must not survive a reboot. Every agent of a machine needs its own."),
      option("cgroup-root", "tepui",
             "The cgroup v2 subtree for containers, below the place that the machine permits. "
             "Every agent of a machine needs its own."),
      option(
          "resources", "",
          "What to offer, as 'cpus:8;mem:16GB;disk:100GB;ports:[31000-32000]'; as a JSON array in "
          "Mesos' form, which can also name PATH and MOUNT disks (their roots must exist); or "
          "/PATH or file://PATH of a file with either. What is not named is detected."),
      option("attributes", "", "For constraints and people, as 'rack:r12;zone:a'."),
      option("domain", "",
             "Where this machine is, as REGION/ZONE. A master of another region offers it only to "
             "frameworks with the capability REGION_AWARE."),
      option("shim", "", "The program tepui-shim; looked for beside this one if not given."),
  };
}

std::vector<Option> recovery_options() {
  const std::string group(kRecoveryGroup);
  return {
      {.name = "recover",
       .fallback = "reconnect",
       .help =
           "What to do with what an earlier life of this agent left running: reconnect takes it "
           "up again; cleanup kills it, forgets who the agent was, and ends.",
       .group = group,
       .letter = "",
       .choices = {"reconnect", "cleanup"}},
      {.name = "journal",
       .help = "Keep a journal of all that this agent is told in this directory, for `tepui "
               "replay`. It holds the environment and the commands of tasks.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "journal-bytes",
       .kind = OptionKind::kBytes,
       .fallback = "1GB",
       .help = "How long the journals of that directory may become together: those of earlier "
               "lives make room, and that of this one ends there.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "reconfiguration-policy",
       .fallback = "equal",
       .help = "What may differ from when the agent registered: nothing, or only additions to "
               "resources and attributes, and a domain. After a reboot all may, but then it is a "
               "new agent.",
       .group = group,
       .letter = "",
       .choices = {"equal", "additive"}},
  };
}

std::vector<Option> task_options() {
  const std::string group(kTaskGroup);
  return {
      {.name = "kill-grace",
       .kind = OptionKind::kDuration,
       .fallback = "3secs",
       .help = "Between SIGTERM and the end of the whole container, where neither the task nor "
               "the kill says more.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "executor-registration-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "1mins",
       .help = "How long a custom executor may take from its start until it has registered.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "executor-reregistration-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "2secs",
       .help = "The same after a restart of this agent.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "executor-shutdown-grace-period",
       .kind = OptionKind::kDuration,
       .fallback = "5secs",
       .help =
           "Between the wish that a custom executor ends and the end of its container, where it "
           "does not say more itself.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "recovery-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "15mins",
       .help = "How long a custom executor waits for this agent when it is away, before it kills "
               "its tasks and ends.",
       .group = group,
       .letter = "",
       .choices = {}},
  };
}

std::vector<Option> output_options() {
  const std::string group(kTaskGroup);
  return {
      {.name = "output-max",
       .kind = OptionKind::kBytes,
       .fallback = "100MB",
       .help =
           "What the stdout and the stderr of a task may have each, before a new file is begun. "
           "0B: no limit.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "output-files",
       .kind = OptionKind::kInteger,
       .fallback = "2",
       .help = "How many of them are kept: stdout, stdout.1, and so on.",
       .group = group,
       .letter = "",
       .choices = {},
       .minimum = 1,
       .maximum = 100},
  };
}

std::vector<Option> measuring_options() {
  const std::string group(kMeasuringGroup);
  return {
      {.name = "qos",
       .help = "A TOML file with the tables [oversubscription], what of this agent is revocable, "
               "and [qos], what is done when those that paid suffer from it. Read again on SIGHUP.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "sampling",
       .fallback = "auto",
       .help = "How containers are measured: auto takes hooks in the kernel (eBPF) and one read "
               "for all, as far as the kernel has them; files reads the files of their cgroups; "
               "off measures nothing.",
       .group = group,
       .letter = "",
       .choices = {"auto", "files", "off"}},
      {.name = "sampling-interval",
       .kind = OptionKind::kDuration,
       .fallback = "1secs",
       .help = "How often, from 10ms to 1hrs.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "record",
       .help =
           "Keep the samples of all containers in this directory, for replays; `tepui recording` "
           "shows what it holds. It names tasks and what they may use, not what they run.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "record-size",
       .kind = OptionKind::kBytes,
       .fallback = "1GB",
       .help = "About how long that recording may become, from 16MB: the oldest of it makes room.",
       .group = group,
       .letter = "",
       .choices = {}},
      {.name = "run-queue-latency",
       .kind = OptionKind::kFlag,
       .fallback = "true",
       .help = "Measure how long the tasks of containers wait for a processor, with hooks in the "
               "kernel. It makes each switch of tasks a little longer.",
       .group = group,
       .letter = "",
       .choices = {}},
  };
}

Program program() {
  Program program{
      .name = "tepui-agent",
      .description =
          "Offers the resources of this machine to a Tepui master, and runs the tasks "
          "that frameworks launch on them, each in a cgroup of its own. SIGTERM ends the agent and "
          "leaves its tasks running: the next start takes them up. SIGUSR1 ends the tasks too, and "
          "the agent's identity.",
      .examples =
          "  tepui-agent --master=127.0.0.1:5050\n"
          "  tepui-agent --master=10.0.0.1:5050 --listen=10.0.0.7:5051 \\\n"
          "      --resources='cpus:8;mem:16GB' --isolation=auto,cpu,memory\n"
          "  tepui-agent --master=127.0.0.1:5050 --resources=/etc/tepui/resources.json\n"
          "    with a mounted disk for volumes beside the rest:\n"
          "    [{\"name\": \"disk\", \"type\": \"SCALAR\", \"scalar\": {\"value\": 10240}},\n"
          "     {\"name\": \"disk\", \"type\": \"SCALAR\", \"scalar\": {\"value\": 512000},\n"
          "      \"disk\": {\"source\": {\"type\": \"MOUNT\",\n"
          "                          \"mount\": {\"root\": \"/mnt/ssd1\"}}}}]\n",
      .options = {},
      .commands = {}};
  for (std::vector<Option> part : {master_options(), machine_options(), isolation_options(),
                                   fetch_options(), recovery_options(), task_options(),
                                   output_options(), measuring_options(), Log::option_table()}) {
    std::ranges::move(part, std::back_inserter(program.options));
  }
  return program;
}

// Beside this program: as it is installed, or as it is built.
Result<std::string> find_beside(const char* name, const char* folder, std::string_view option) {
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) {
    return fail(fmt::format("cannot tell where this program is; set --{}", option));
  }
  std::string directory(self, static_cast<size_t>(length));
  directory.resize(directory.rfind('/'));
  for (const std::string& path : {fmt::format("{}/{}", directory, name),
                                  fmt::format("{}/../{}/{}", directory, folder, name)}) {
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return fail(fmt::format("there is no {} in {}; set --{}", name, directory, option));
}

Result<std::string> absolute(std::string_view option, const std::string& path) {
  if (path.starts_with('/')) return path;
  char here[PATH_MAX];
  if (path.empty() || getcwd(here, sizeof here) == nullptr) {
    return fail(fmt::format("--{}: '{}' is no directory", option, path));
  }
  return fmt::format("{}/{}", here, path);
}

Result<MeasuringOptions> read_measuring(const Settings& settings) {
  using Mode = MeasuringOptions::Mode;
  MeasuringOptions options{.interval = settings.duration("sampling-interval"),
                           .waits = settings.flag("run-queue-latency")};
  const std::string mode = settings.text("sampling");
  options.mode = mode == "off" ? Mode::kOff : mode == "files" ? Mode::kFiles : Mode::kAuto;
  if (options.interval < MeasuringOptions::kIntervalMin ||
      options.interval > MeasuringOptions::kIntervalMax) {
    return fail(fmt::format("--sampling-interval: {} is not from {} to {}",
                            to_text(options.interval), to_text(MeasuringOptions::kIntervalMin),
                            to_text(MeasuringOptions::kIntervalMax)));
  }
  return options;
}

Result<RecordingOptions> read_recording(const Settings& settings) {
  RecordingOptions options{.directory = settings.text("record"),
                           .bytes_max = static_cast<uint64_t>(settings.bytes("record-size"))};
  if (options.directory.empty()) return options;
  options.directory = TRY(absolute("record", options.directory));
  if (settings.text("sampling") == "off") {
    return fail("--record: there is nothing to record with --sampling=off");
  }
  if (options.bytes_max < RecordingOptions::kBytesMin) {
    return fail(fmt::format("--record-size: {} bytes, expected at least {}", options.bytes_max,
                            RecordingOptions::kBytesMin));
  }
  return options;
}

Result<OutputLimit> read_output(const Settings& settings) {
  // Less would be gone before anybody could read it.
  constexpr int64_t kBytesMin = 4096;
  const int64_t bytes = settings.bytes("output-max");
  if (bytes != 0 && bytes < kBytesMin) {
    return fail(fmt::format("--output-max: {} is below {}; 0B is no limit", bytes_to_text(bytes),
                            bytes_to_text(kBytesMin)));
  }
  return OutputLimit{.file_bytes_max = static_cast<uint64_t>(bytes),
                     .files = static_cast<uint32_t>(settings.integer("output-files"))};
}

Result<AgentShellConfig> read_settings(const Settings& settings) {
  AgentShellConfig config{.master = settings.text("master"),
                          .listen = settings.text("listen"),
                          .shim = settings.text("shim"),
                          .ground = {},
                          .fetcher = {},
                          .images = {},
                          .agent = {}};
  if (config.shim.empty()) config.shim = TRY(find_beside("tepui-shim", "linux", "shim"));
  config.shim = TRY(absolute("shim", config.shim));
  config.ground = {.work_dir = TRY(absolute("work-dir", settings.text("work-dir"))),
                   .runtime_dir = TRY(absolute("runtime-dir", settings.text("runtime-dir"))),
                   .cgroup_root = settings.text("cgroup-root"),
                   .resources = settings.text("resources"),
                   .isolators = {},
                   .io_devices = {},
                   .isolation = {}};
  TRY(read_isolation(settings, config.ground));
  std::string& fetcher = config.fetcher.program;
  fetcher = settings.text("fetcher");
  if (fetcher.empty()) fetcher = TRY(find_beside("tepui-fetch", "fetch", "fetcher"));
  fetcher = TRY(absolute("fetcher", fetcher));
  TRY(read_fetching(settings, config));
  config.journal_dir = settings.text("journal");
  config.journal_bytes_max = static_cast<uint64_t>(settings.bytes("journal-bytes"));
  config.terms.cleanup = settings.text("recover") == "cleanup";
  if (settings.text("reconfiguration-policy") == "additive") {
    config.terms.policy = ReconfigurationPolicy::kAdditive;
  }
  config.measuring = TRY(read_measuring(settings));
  config.output = TRY(read_output(settings));
  config.recording = TRY(read_recording(settings));
  if (settings.given("qos")) config.qos_file = TRY(absolute("qos", settings.text("qos")));
  AgentInfo& info = config.agent.info;
  info.hostname = settings.text("hostname");
  info.version = std::string(version_number());
  Result<std::vector<Attribute>> attributes = parse_attributes(settings.text("attributes"));
  if (!attributes) return std::unexpected(std::move(attributes).error().in("--attributes"));
  info.attributes = std::move(*attributes);
  Result<Domain> domain = parse_domain(settings.text("domain"));
  if (!domain) return std::unexpected(std::move(domain).error().in("--domain"));
  info.domain = *std::move(domain);
  config.agent.build = version_text();
  config.agent.principal = settings.text("principal");
  config.agent.tunables.registration_backoff = settings.duration("registration-backoff-factor");
  config.agent.tunables.kill_grace = settings.duration("kill-grace");
  AgentTunables& tunables = config.agent.tunables;
  tunables.executor_registration_timeout = settings.duration("executor-registration-timeout");
  tunables.executor_reregistration_timeout = settings.duration("executor-reregistration-timeout");
  tunables.executor_shutdown_grace = settings.duration("executor-shutdown-grace-period");
  tunables.recovery_timeout = settings.duration("recovery-timeout");
  if (getrandom(&config.seed, sizeof config.seed, 0) != sizeof config.seed) {
    return fail("the kernel gives no random numbers");
  }
  return config;
}

int complain(const Error& error) {
  fmt::print(stderr, "tepui-agent: {}\n", error.message);
  return 2;
}

int run(int argc, const char* const* argv) {
  const std::expected<Settings, Ending> settings = configure(program(), argc, argv);
  if (!settings) return print(settings.error());
  Result<AgentShellConfig> config = read_settings(*settings);
  if (!config) return complain(config.error());
  Log log(Log::options(*settings));
  Result<std::unique_ptr<AgentShell>> shell = AgentShell::create(std::move(*config), log);
  if (!shell) return complain(shell.error());
  return (*shell)->run();
}

}  // namespace
}  // namespace tepui

// jemalloc reads this. What is that large is needed for a moment (the kernel's types, while
// programs are loaded into it) and goes back to the system at once; what else is free, after a
// second. Beside the loop no thread allocates much, so two arenas are enough for all.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf =
    "oversize_threshold:1048576,narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

int main(int argc, char** argv) { return tepui::run(argc, argv); }
