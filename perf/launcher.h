#pragma once
// Launcher takes one command through the whole life of a container, again and again, as an agent
// does: cgroup, shim, sandbox, exit record, removal.
//
// For benchmarks only: what goes wrong ends the program.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "agent/confinement.h"
#include "agent/linux/containers.h"
#include "common/container_info.h"
#include "common/io/reactor.h"

namespace tepui::perf {

// What is launched, and how apart from the machine.
struct LaunchShape {
  std::string command;                             // a program that ends well at once
  std::optional<ConfinementSettings> confinement;  // absent: in the namespaces of the machine
  std::optional<RootFilesystem> root;              // absent: the machine's
};

class Launcher final : private ContainersOwner {
 public:
  // Sandboxes and the like are below `directory`, what lasts as long as the machine runs is in
  // `runtime`.
  Launcher(std::filesystem::path directory, const std::filesystem::path& runtime,
           const CgroupRoot* cgroups, LaunchShape shape);

  // So many lives, `in_flight` of them at a time.
  double launches_per_second(int count, int in_flight);

  struct Latency {
    double launched_ms = 0;
    double exited_ms = 0;
  };
  // One at a time on a loop that is otherwise idle.
  Latency measure_one();

  // Of the shim that holds a sleeping command.
  double shim_private_kb();

 private:
  LaunchSpec make_spec();
  void launch();

  void on_launched(const ContainerId& id, int64_t pid) override;
  void on_launch_failed(const ContainerId& id, const Error& error) override;
  void on_absent(const ContainerId& id) override;
  void on_exit(const ContainerId& id, const ExitRecord& record) override;
  void on_destroyed(const ContainerId& id) override;

  const std::filesystem::path directory_;
  const LaunchShape shape_;
  const ContainerInfo asked_;
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

}  // namespace tepui::perf
