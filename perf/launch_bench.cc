// What it costs to launch a real command as a container: born in a fresh cgroup, under a shim that
// outlives the agent, with output files and a durable exit record, and all of it removed again.
// Against a bare posix_spawn and wait, which does none of that, and against `crun run` of the same
// command in a bundle, which makes and removes a cgroup too, but nothing durable. Twice: in the
// namespaces of the machine, and in pid, mount, ipc and uts namespaces of their own, with limited
// capabilities and filtered system calls (`…/confined`), as agents do it by default.
//
// Throughput: many commands, the same number of them in flight on each side. Latency: one at a
// time on an otherwise idle loop, so the two syncs of the exit record show in full.

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/linux/confinement_probe.h"
#include "agent/linux/containers.h"
#include "agent/linux/shim_path.h"
#include "common/check.h"
#include "common/io/clock.h"
#include "perf/report.h"

namespace tepui {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kRounds = 7;
constexpr int kInFlight = 8;
constexpr int kLaunches = 200;     // of one round
constexpr int kCrunLaunches = 40;  // of one round: it is slower
constexpr int kLatencies = 300;
constexpr int kCrunLatencies = 60;

double seconds_since(Instant start) { return to_secs(now().mono - start); }

// Launches /bin/true and takes each container through its whole life.
class Launcher final : private ContainersOwner {
 public:
  Launcher(fs::path directory, const CgroupRoot* cgroups,
           std::optional<ConfinementSettings> confinement = {})
      : directory_(std::move(directory)), confinement_(std::move(confinement)) {
    fs::create_directories(directory_);
    reactor_ = *Reactor::create();
    Result<std::unique_ptr<Containers>> made =
        Containers::create(*reactor_,
                           {.work_dir = directory_,
                            .runtime_dir = directory_ / "runtime",
                            .shim = kShimPath,
                            .cgroups = cgroups},
                           *this);
    if (!made.has_value()) fmt::print(stderr, "{}\n", made.error().message);
    CHECK(made.has_value());
    containers_ = *std::move(made);
  }

  double launches_per_second() {
    const Instant start = now().mono;
    wanted_ = kLaunches;
    destroyed_ = 0;
    for (int i = 0; i < kInFlight; ++i) launch();
    while (destroyed_ < kLaunches) reactor_->run_once(kNever);
    return kLaunches / seconds_since(start);
  }

  struct Latency {
    double launched_ms = 0;
    double exited_ms = 0;
  };
  Latency measure_one() {
    const Instant start = now().mono;
    wanted_ = 1;
    destroyed_ = 0;
    launch();
    while (destroyed_ < 1) reactor_->run_once(kNever);
    return {.launched_ms = to_millis(launched_at_ - start),
            .exited_ms = to_millis(exited_at_ - start)};
  }

  // Of the shim that holds a sleeping command.
  double shim_private_kb() {
    LaunchSpec spec = make_spec();
    spec.command = {.shell = false, .value = "/bin/sleep", .arguments = {"sleep", "1000"}};
    wanted_ = 0;
    destroyed_ = 0;
    kept_ = true;
    containers_->launch(spec);
    while (pid_ == 0) reactor_->run_once(kNever);
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    std::string parent = "self";
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("PPid:")) parent = line.substr(line.find_first_of("0123456789"));
    }
    double private_kb = 0;
    std::ifstream memory(fmt::format("/proc/{}/smaps_rollup", parent));
    for (std::string line; std::getline(memory, line);) {
      if (line.starts_with("Private_")) private_kb += std::stod(line.substr(line.find(':') + 1));
    }
    containers_->destroy(spec.id);
    while (destroyed_ < 1) reactor_->run_once(kNever);
    kept_ = false;
    return private_kb;
  }

 private:
  LaunchSpec make_spec() {
    LaunchSpec spec;
    spec.id.value = fmt::format("c{}", ++count_);
    spec.sandbox = fmt::format("runs/{}", spec.id.value);
    spec.command = {.shell = false, .value = "/bin/true"};
    spec.environment = {{"PATH", "/usr/bin:/bin"}};
    if (confinement_) {
      spec.confinement = plan_confinement({.config = *confinement_,
                                           .sandbox = directory_ / spec.sandbox,
                                           .volumes = {},
                                           .shared_directory = ""});
    }
    return spec;
  }
  void launch() {
    if (wanted_ == 0) return;
    --wanted_;
    containers_->launch(make_spec());
  }

  void on_launched(const ContainerId&, int64_t pid) override {
    launched_at_ = now().mono;
    if (kept_) pid_ = pid;
  }
  void on_launch_failed(const ContainerId&, const Error& error) override {
    fmt::print(stderr, "{}\n", error.message);
    CHECK(!"a launch failed");
  }
  void on_absent(const ContainerId&) override {}
  void on_exit(const ContainerId& id, const ExitRecord& record) override {
    exited_at_ = now().mono;
    CHECK(kept_ || record.exit_status == 0);
    if (!kept_) containers_->destroy(id);
  }
  void on_destroyed(const ContainerId&) override {
    ++destroyed_;
    launch();
  }

  const fs::path directory_;
  const std::optional<ConfinementSettings> confinement_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Containers> containers_;
  int count_ = 0;
  int wanted_ = 0;
  int destroyed_ = 0;
  bool kept_ = false;
  int64_t pid_ = 0;
  Instant launched_at_{};
  Instant exited_at_{};
};

pid_t spawn(std::vector<std::string> words) {
  static posix_spawn_file_actions_t* const quiet = [] {
    static posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int fd : {0, 1, 2}) {
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    }
    return &actions;
  }();
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  pid_t pid = -1;
  CHECK(posix_spawnp(&pid, arguments[0], quiet, nullptr, arguments.data(), environment) == 0);
  return pid;
}

void reap(pid_t pid) {
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

// Runs commands with kInFlight of them at once, the oldest awaited first.
template <class Command>
double commands_per_second(int count, const Command& command) {
  const Instant start = now().mono;
  std::vector<pid_t> running;
  for (int i = 0; i < count; ++i) {
    if (running.size() == kInFlight) {
      reap(running.front());
      running.erase(running.begin());
    }
    running.push_back(spawn(command()));
  }
  for (const pid_t pid : running) reap(pid);
  return count / seconds_since(start);
}

template <class Command>
std::vector<double> command_latencies_ms(int count, const Command& command) {
  std::vector<double> latencies;
  for (int i = 0; i < count; ++i) {
    const Instant start = now().mono;
    reap(spawn(command()));
    latencies.push_back(seconds_since(start) * 1e3);
  }
  return latencies;
}

// A bundle that runs /bin/true in the file system of this machine, in its namespaces or in its own.
class Crun {
 public:
  Crun(fs::path directory, bool confined) : directory_(std::move(directory)) {
    fs::create_directories(directory_ / "bundle");
    fs::create_directories(directory_ / "state");
    std::ofstream(directory_ / "bundle" / "config.json")
        << R"({"ociVersion": "1.0.0", "root": {"path": ")" << (confined ? make_root() : "/")
        << R"(", "readonly": false}, "process": {)"
        << R"("terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"],)"
        << R"("env": ["PATH=/usr/bin:/bin"], "cwd": "/"}, )" << (confined ? kConfined : kOpen);
  }
  std::vector<std::string> command() {
    return {
        "crun",
        "--root",
        directory_ / "state",
        "--cgroup-manager=cgroupfs",
        "run",
        "--bundle",
        directory_ / "bundle",
        fmt::format("tepui-bench-{}-{}-{}", getpid(), directory_.filename().string(), ++count_)};
  }
  // The root of a mount namespace cannot be that of the machine: a folder with its programs in it.
  std::string make_root() const {
    const fs::path root = directory_ / "root";
    for (const char* folder : {"usr", "proc", "dev"}) fs::create_directories(root / folder);
    for (const char* link : {"bin", "lib", "lib64"}) {
      fs::create_symlink(std::string("usr/") + link, root / link);
    }
    return root;
  }
  bool works() {
    int status = -1;
    waitpid(spawn(command()), &status, 0);
    return status == 0;
  }

 private:
  static constexpr const char* kOpen = R"("mounts": [], "linux": {"namespaces": []}})";
  static constexpr const char* kConfined =
      R"("mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, )"
      R"({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]}], )"
      R"("linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, )"
      R"({"type": "uts"}]}})";

  const fs::path directory_;
  int count_ = 0;
};

// crun refuses machines where v1 and v2 are mounted side by side. In a mount namespace of the
// calling thread (those of Containers keep theirs) it sees v2 alone.
bool show_cgroup2_alone(const CgroupPlace& place) {
  if (place.mount_point == "/sys/fs/cgroup") return true;
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(place.mount_point.c_str(), "/sys/fs/cgroup", nullptr, MS_BIND, nullptr) == 0;
}

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(part * last)];
}

perf::Sample single(double value, size_t n) {
  return {.p50 = value, .spread = 0, .n = static_cast<uint32_t>(n)};
}

// `kind` is "" or "/confined".
void add_latencies(perf::Report& report, const std::string& kind, Launcher& launcher, Crun& crun,
                   bool has_crun) {
  auto bare = [] { return std::vector<std::string>{"/bin/true"}; };
  std::vector<double> launched;
  std::vector<double> exited;
  for (int i = 0; i < kLatencies; ++i) {
    const Launcher::Latency one = launcher.measure_one();
    launched.push_back(one.launched_ms);
    exited.push_back(one.exited_ms);
  }
  const std::vector<double> spawned = command_latencies_ms(kLatencies, bare);
  std::vector<double> crun_run;
  if (has_crun) {
    crun_run = command_latencies_ms(kCrunLatencies, [&crun] { return crun.command(); });
  }
  for (const auto& [name, part] : {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}}) {
    report.add({.name = fmt::format("launch/containers{}/running/{}", kind, name),
                .unit = "ms",
                .better = perf::Better::kLower,
                .sample = single(percentile(launched, part), launched.size()),
                .against = {}});
    perf::Outcome whole{.name = fmt::format("launch/containers{}/latency/{}", kind, name),
                        .unit = "ms",
                        .better = perf::Better::kLower,
                        .sample = single(percentile(exited, part), exited.size()),
                        .against = {}};
    if (has_crun) {
      whole.against = {.name = fmt::format("launch/crun{}/latency/{}", kind, name),
                       .sample = single(percentile(crun_run, part), crun_run.size())};
    }
    report.add(std::move(whole));
    if (!kind.empty()) continue;
    report.add({.name = fmt::format("launch/posix_spawn/latency/{}", name),
                .unit = "ms",
                .better = perf::Better::kLower,
                .sample = single(percentile(spawned, part), spawned.size()),
                .against = {}});
  }
}

// All that this machine can.
ConfinementSettings confinement(const fs::path& directory, const CgroupPlace& place) {
  ConfinementSettings settings;
  settings.isolators = parse_isolation({"auto"}).value().wanted;
  for (const MissingIsolator& one : find_missing_confinement(settings.isolators)) {
    fmt::print(stderr, "No isolation by {}: {}\n", to_text(one.isolator), one.why);
    settings.isolators.reset(static_cast<size_t>(one.isolator));
  }
  settings.cgroup_mount = place.mount_point;
  settings.private_directories = {directory};
  return settings;
}

int run(const fs::path& directory) {
  std::unique_ptr<CgroupRoot> cgroups;
  CgroupPlace place;
  Result<CgroupFacts> facts = read_cgroup_facts();
  if (facts.has_value()) {
    Result<CgroupPlace> chosen = choose_cgroup_place(*facts);
    if (chosen.has_value()) {
      place = *chosen;
      Result<std::unique_ptr<CgroupRoot>> root =
          CgroupRoot::create(place, fmt::format("tepui-bench-{}", getpid()), {});
      if (root.has_value()) cgroups = *std::move(root);
    }
  }
  if (cgroups == nullptr) fmt::print(stderr, "No cgroup can be made here: measured without.\n");
  perf::Report report("launch");
  Launcher launcher(directory / "open", cgroups.get());
  Launcher confined(directory / "confined", cgroups.get(), confinement(directory, place));
  Crun crun(directory / "crun", false);
  Crun confined_crun(directory / "confined-crun", true);
  const bool has_crun =
      cgroups != nullptr && show_cgroup2_alone(place) && crun.works() && confined_crun.works();
  if (!has_crun) fmt::print(stderr, "crun does not run here: left out.\n");

  const perf::Metric rate{.unit = "1/s", .better = perf::Better::kHigher};
  auto ours = [&launcher] { return launcher.launches_per_second(); };
  auto bare = [] { return std::vector<std::string>{"/bin/true"}; };
  if (has_crun) {
    report.compare(
        rate,
        {.name = "launch/throughput", .measure = [&] { return confined.launches_per_second(); }},
        {.name = "launch/crun/confined",
         .measure =
             [&] {
               return commands_per_second(kCrunLaunches, [&] { return confined_crun.command(); });
             }},
        kRounds);
    report.compare(rate, {.name = "launch/open", .measure = ours},
                   {.name = "launch/crun",
                    .measure =
                        [&crun] {
                          return commands_per_second(kCrunLaunches,
                                                     [&crun] { return crun.command(); });
                        }},
                   kRounds);
  }
  report.compare(rate, {.name = "launch/containers", .measure = ours},
                 {.name = "launch/posix_spawn",
                  .measure = [&bare] { return commands_per_second(kLaunches, bare); }},
                 kRounds);
  report.compare(
      rate, {.name = "launch/confined", .measure = [&] { return confined.launches_per_second(); }},
      {.name = "launch/containers", .measure = ours}, kRounds);
  add_latencies(report, "", launcher, crun, has_crun);
  add_latencies(report, "/confined", confined, confined_crun, has_crun);
  report.add({.name = "launch/shim_memory",
              .unit = "kB private",
              .better = perf::Better::kLower,
              .sample = single(launcher.shim_private_kb(), 1),
              .against = {}});
  if (cgroups != nullptr && !cgroups->kill_all_and_remove().has_value()) return 1;
  return report.finish();
}

}  // namespace
}  // namespace tepui

int main() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tepui-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return 1;
  const int code = tepui::run(pattern);
  std::filesystem::remove_all(pattern);
  return code;
}
