// What it costs to launch a real command as a container: born in a fresh cgroup, under a shim that
// outlives the agent, with output files and an exit record, and all of it removed again. In four
// shapes:
//
//   open            in the namespaces of the machine
//   confined        in pid, mount, ipc, uts and cgroup namespaces of its own, with limited
//                   capabilities and filtered system calls, as agents do it by default
//   root            the same with a root file system of its own, an overlay on a directory
//   root/read_only  the same, and nothing can be written to it
//
// Against `crun run` of the same command in a bundle with such a root and namespaces, which makes
// and removes a cgroup too, but no supervisor that stays, no output and no record; against a bare
// posix_spawn and wait; and against the least that the kernel must do for such a root (BareRoot).
//
// What lasts as long as the machine runs (our runtime directory, crun's state) is in memory, as
// /run is by default; sandboxes are on the disk of the temporary directory.
//
// Throughput: many commands, the same number of them in flight on each side. Latency: one at a
// time on an otherwise idle loop.
//
//   --only SHAPE [ROUNDS]   our throughput in that shape alone, for a profile; no file is written

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/linux/confinement_probe.h"
#include "agent/linux/containers.h"
#include "perf/bare_root.h"
#include "perf/crun.h"
#include "perf/launcher.h"
#include "perf/report.h"
#include "perf/spawn.h"

namespace tepui::perf {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kRounds = 7;
constexpr int kInFlight = 8;
constexpr int kLaunches = 200;     // of one round
constexpr int kCrunLaunches = 40;  // of one round: it is slower
constexpr int kLatencies = 300;
constexpr int kCrunLatencies = 60;
constexpr const char* kTrue = "/bin/true";
constexpr Metric kRate{.unit = "1/s", .better = Better::kHigher};

// crun refuses machines where v1 and v2 are mounted side by side. In a mount namespace of the
// calling thread (those of Containers keep theirs) it sees v2 alone.
bool show_cgroup2_alone(const CgroupPlace& place) {
  if (place.mount_point == "/sys/fs/cgroup") return true;
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(place.mount_point.c_str(), "/sys/fs/cgroup", nullptr, MS_BIND, nullptr) == 0;
}

// In a mount namespace of this process, so that nothing is left of it. Before there are threads.
bool mount_memory(const fs::path& place) {
  fs::create_directories(place);
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", place.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0;
}

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(part * last)];
}

Sample single(double value, size_t n) {
  return {.p50 = value, .spread = 0, .n = static_cast<uint32_t>(n)};
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
  settings.image_directories = {directory / "images"};
  return settings;
}

// A root file system with one program and no library.
fs::path make_image(const fs::path& directory) {
  const fs::path image = directory / "images/busybox";
  for (const char* folder : {"bin", "proc", "sys", "dev", "tmp", "etc"}) {
    fs::create_directories(image / folder);
  }
  fs::copy_file("/bin/busybox", image / "bin/busybox");
  fs::create_symlink("busybox", image / "bin/true");
  return image;
}

class Bench {
 public:
  explicit Bench(const fs::path& directory) : directory_(directory) {
    if (!make_cgroups()) {
      fmt::print(stderr, "No cgroup can be made here: measured without.\n");
    }
    if (!mount_memory(directory / "run")) {
      fmt::print(stderr, "No tmpfs can be mounted here: everything is on disk.\n");
    }
    const ConfinementSettings settings = confinement(directory, place_);
    const fs::path image = make_image(directory);
    add_shape("open", {.command = kTrue, .confinement = {}, .root = {}}, CrunKind::kOpen, image);
    add_shape("confined", {.command = kTrue, .confinement = settings, .root = {}},
              CrunKind::kConfined, image);
    RootFilesystem root{.path = image};
    add_shape("root", {.command = kTrue, .confinement = settings, .root = root}, CrunKind::kRoot,
              image);
    root.read_only = true;
    add_shape("root/read_only", {.command = kTrue, .confinement = settings, .root = root},
              CrunKind::kReadOnlyRoot, image);
    bare_.emplace(image, kTrue, cgroups_ ? fmt::format("{}/{}", place_.base, cgroup_name()) : "");
  }

  int run() {
    has_crun_ = cgroups_ != nullptr && show_cgroup2_alone(place_) &&
                std::ranges::all_of(shapes_, [](Shape& one) { return one.crun->works(); });
    if (!has_crun_) fmt::print(stderr, "crun does not run here: left out.\n");
    compare_with_crun("launch/throughput", "confined");
    compare_with_crun("launch/root/throughput", "root");
    compare_with_crun("launch/root/read_only/throughput", "root/read_only");
    compare_with_crun("launch/open", "open");
    compare_with_bare();
    for (const char* name : {"open", "confined", "root", "root/read_only"}) {
      add_latencies(shape(name));
    }
    report_.add({.name = "launch/shim_memory",
                 .unit = "kB private",
                 .better = Better::kLower,
                 .sample = single(shape("open").launcher->shim_private_kb(), 1),
                 .against = {}});
    if (!clean_up()) return 1;
    return report_.finish();
  }

  int run_only(const std::string& name, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      fmt::print("{:.1f} 1/s\n", shape(name).launcher->launches_per_second(kLaunches, kInFlight));
    }
    return clean_up() ? 0 : 1;
  }

  bool has_shape(std::string_view name) const {
    return std::ranges::any_of(shapes_, [name](const Shape& one) { return one.name == name; });
  }

 private:
  struct Shape {
    std::string name;
    std::unique_ptr<Launcher> launcher;
    std::unique_ptr<Crun> crun;
  };

  static std::string cgroup_name() { return fmt::format("tepui-bench-{}", getpid()); }

  bool make_cgroups() {
    Result<CgroupFacts> facts = read_cgroup_facts();
    if (!facts) return false;
    Result<CgroupPlace> chosen = choose_cgroup_place(*facts);
    if (!chosen) return false;
    place_ = *chosen;
    Result<std::unique_ptr<CgroupRoot>> root = CgroupRoot::create(place_, cgroup_name(), {});
    if (!root) return false;
    cgroups_ = *std::move(root);
    return true;
  }

  bool clean_up() { return cgroups_ == nullptr || cgroups_->kill_all_and_remove().has_value(); }

  void add_shape(const std::string& name, LaunchShape how, CrunKind kind, const fs::path& image) {
    std::string folder = name;
    std::ranges::replace(folder, '/', '-');
    shapes_.push_back(
        {.name = name,
         .launcher = std::make_unique<Launcher>(directory_ / folder, directory_ / "run" / folder,
                                                cgroups_.get(), std::move(how)),
         .crun = std::make_unique<Crun>(directory_ / ("crun-" + folder),
                                        directory_ / "run" / ("crun-" + folder), kind, image)});
  }

  Shape& shape(std::string_view name) {
    return *std::ranges::find_if(shapes_, [name](const Shape& one) { return one.name == name; });
  }

  Measurement ours(const char* name) {
    return [this, name] { return shape(name).launcher->launches_per_second(kLaunches, kInFlight); };
  }

  // The name of a peer's result says the shape, but for "open".
  static std::string named(const char* what, const std::string& shape) {
    return shape == "open" ? fmt::format("launch/{}", what)
                           : fmt::format("launch/{}/{}", what, shape);
  }

  void compare_with_crun(const std::string& name, const char* shape_name) {
    if (!has_crun_) return;
    Crun& crun = *shape(shape_name).crun;
    report_.compare(kRate, {.name = name, .measure = ours(shape_name)},
                    {.name = named("crun", shape_name),
                     .measure =
                         [&crun] {
                           return commands_per_second(kCrunLaunches, kInFlight,
                                                      [&crun] { return crun.command(); });
                         }},
                    kRounds);
  }

  void compare_with_bare() {
    const MakeCommand bare = [] { return std::vector<std::string>{kTrue}; };
    report_.compare(
        kRate, {.name = "launch/containers", .measure = ours("open")},
        {.name = "launch/posix_spawn",
         .measure = [&bare] { return commands_per_second(kLaunches, kInFlight, bare); }},
        kRounds);
    report_.compare(kRate, {.name = "launch/confined", .measure = ours("confined")},
                    {.name = "launch/containers", .measure = ours("open")}, kRounds);
    report_.compare(
        kRate, {.name = "launch/containers/root", .measure = ours("root")},
        {.name = "launch/clone3/root",
         .measure = [this] { return bare_->commands_per_second(kLaunches, kInFlight); }},
        kRounds);
  }

  void add_latencies(Shape& one) {
    std::vector<double> launched;
    std::vector<double> exited;
    for (int i = 0; i < kLatencies; ++i) {
      const Launcher::Latency latency = one.launcher->measure_one();
      launched.push_back(latency.launched_ms);
      exited.push_back(latency.exited_ms);
    }
    std::vector<double> crun_run;
    if (has_crun_) {
      crun_run = command_latencies_ms(kCrunLatencies, [&one] { return one.crun->command(); });
    }
    const std::vector<double> bare = bare_latencies(one.name);
    for (const auto& [name, part] : {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}}) {
      const std::string ours = named("containers", one.name);
      add_time(fmt::format("{}/running/{}", ours, name), launched, part, "", {});
      add_time(fmt::format("{}/latency/{}", ours, name), exited, part,
               fmt::format("{}/latency/{}", named("crun", one.name), name), crun_run);
      if (bare.empty()) continue;
      add_time(fmt::format("{}/latency/{}",
                           one.name == "open" ? "launch/posix_spawn" : "launch/clone3/root", name),
               bare, part, "", {});
    }
    // By the names that the goals have.
    if (one.name == "confined") add_time("launch/p99", launched, 0.99, "", {});
    if (one.name == "root") add_time("launch/root/p99", launched, 0.99, "", {});
  }

  std::vector<double> bare_latencies(const std::string& shape_name) {
    if (shape_name == "open") {
      return command_latencies_ms(kLatencies, [] { return std::vector<std::string>{kTrue}; });
    }
    std::vector<double> times;
    if (shape_name == "root") {
      for (int i = 0; i < kLatencies; ++i) times.push_back(bare_->measure_one_ms());
    }
    return times;
  }

  void add_time(const std::string& name, const std::vector<double>& ours, double part,
                const std::string& peer, const std::vector<double>& theirs) {
    Outcome outcome{.name = name,
                    .unit = "ms",
                    .better = Better::kLower,
                    .sample = single(percentile(ours, part), ours.size()),
                    .against = {}};
    if (!theirs.empty()) {
      outcome.against = {.name = peer, .sample = single(percentile(theirs, part), theirs.size())};
    }
    report_.add(std::move(outcome));
  }

  const fs::path directory_;
  CgroupPlace place_;
  std::unique_ptr<CgroupRoot> cgroups_;
  std::vector<Shape> shapes_;
  std::optional<BareRoot> bare_;
  bool has_crun_ = false;
  Report report_{"launch"};
};

int run(const fs::path& directory, std::span<char*> arguments) {
  Bench bench(directory);
  if (arguments.size() < 2) return bench.run();
  if (arguments[1] != std::string_view("--only") || arguments.size() < 3 ||
      !bench.has_shape(arguments[2])) {
    fmt::print(stderr, "usage: bench_launch [--only open|confined|root|root/read_only [ROUNDS]]\n");
    return 2;
  }
  return bench.run_only(arguments[2], arguments.size() > 3 ? std::atoi(arguments[3]) : 5);
}

}  // namespace
}  // namespace tepui::perf

int main(int count, char** arguments) {
  std::string pattern = (std::filesystem::temp_directory_path() / "tepui-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return 1;
  const int code = tepui::perf::run(pattern, {arguments, static_cast<size_t>(count)});
  umount2((pattern + "/run").c_str(), MNT_DETACH);
  std::filesystem::remove_all(pattern);
  return code;
}
