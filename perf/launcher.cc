#include "perf/launcher.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "agent/linux/shim_path.h"
#include "common/check.h"
#include "common/io/clock.h"

namespace tepui::perf {

Launcher::Launcher(std::filesystem::path directory, const std::filesystem::path& runtime,
                   const CgroupRoot* cgroups, LaunchShape shape)
    : directory_(std::move(directory)), shape_(std::move(shape)), asked_{.rootfs = shape_.root} {
  std::filesystem::create_directories(directory_);
  reactor_ = *Reactor::create();
  ContainersOwner& owner = *this;
  Result<std::unique_ptr<Containers>> made = Containers::create(
      *reactor_,
      {.work_dir = directory_, .runtime_dir = runtime, .shim = kShimPath, .cgroups = cgroups},
      owner);
  if (!made.has_value()) fmt::print(stderr, "{}\n", made.error().message);
  CHECK(made.has_value());
  containers_ = *std::move(made);
}

double Launcher::launches_per_second(int count, int in_flight) {
  const Instant start = now().mono;
  wanted_ = count;
  destroyed_ = 0;
  for (int i = 0; i < in_flight; ++i) launch();
  while (destroyed_ < count) reactor_->run_once(kNever);
  return count / to_secs(now().mono - start);
}

Launcher::Latency Launcher::measure_one() {
  const Instant start = now().mono;
  wanted_ = 1;
  destroyed_ = 0;
  launch();
  while (destroyed_ < 1) reactor_->run_once(kNever);
  return {.launched_ms = to_millis(launched_at_ - start),
          .exited_ms = to_millis(exited_at_ - start)};
}

double Launcher::shim_private_kb() {
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

LaunchSpec Launcher::make_spec() {
  LaunchSpec spec;
  spec.id.value = fmt::format("c{}", ++count_);
  spec.sandbox = fmt::format("runs/{}", spec.id.value);
  spec.command = {.shell = false, .value = shape_.command};
  spec.environment = {{"PATH", "/usr/bin:/bin"}};
  if (shape_.root) spec.command.working_directory = std::string(kSandboxInside);
  if (shape_.confinement) {
    spec.confinement =
        plan_confinement({.config = *shape_.confinement,
                          .sandbox = directory_ / spec.sandbox,
                          .volumes = {},
                          .shared_directory = "",
                          .container = &asked_,
                          .memory_bytes = 0,
                          .upper = directory_ / std::string(kRootsFolder) / spec.id.value});
  }
  return spec;
}

void Launcher::launch() {
  if (wanted_ == 0) return;
  --wanted_;
  containers_->launch(make_spec());
}

void Launcher::on_launched(const ContainerId&, int64_t pid) {
  launched_at_ = now().mono;
  if (kept_) pid_ = pid;
}

void Launcher::on_launch_failed(const ContainerId&, const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  CHECK(!"a launch failed");
}

void Launcher::on_absent(const ContainerId&) {}

void Launcher::on_exit(const ContainerId& id, const ExitRecord& record) {
  exited_at_ = now().mono;
  CHECK(kept_ || record.exit_status == 0);
  if (!kept_) containers_->destroy(id);
}

void Launcher::on_destroyed(const ContainerId&) {
  ++destroyed_;
  launch();
}

}  // namespace tepui::perf
