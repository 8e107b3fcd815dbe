#pragma once
// Containers starts, watches, kills and removes the containers of one agent, for the loop: every
// verb returns at once, the work that may block runs on threads of its own, and outcomes come back
// on the loop's thread, never from inside a verb.
//
// For each launch() exactly one of on_launched and on_launch_failed, after on_launched exactly one
// on_exit, and for each destroy() exactly one on_destroyed, in this order; or on_exit alone if
// nobody knows whether the command began. A container that failed to launch is gone; destroying it
// again is answered all the same. adopt() takes up a container of an earlier life: the same
// follows, or on_absent.
//
// A kill that comes before the command was started hits it as soon as it is. Ends of containers are
// seen through pidfds of their shims.

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/effects.h"
#include "agent/linux/container_files.h"
#include "agent/linux/disk_image.h"
#include "agent/linux/disk_quota.h"
#include "agent/linux/freeze_duty.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"

namespace tepui {

class ContainersOwner {
 public:
  virtual ~ContainersOwner() = default;
  virtual void on_launched(const ContainerId& id, int64_t pid) = 0;
  virtual void on_launch_failed(const ContainerId& id, const Error& error) = 0;
  virtual void on_absent(const ContainerId& id) = 0;
  virtual void on_exit(const ContainerId& id, const ExitRecord& record) = 0;
  virtual void on_destroyed(const ContainerId& id) = 0;
  // A plan could not be written to a container that runs, or only a part of it.
  virtual void on_resize_failed(const ContainerId& id, const Error& error) = 0;
};

class Containers {
 public:
  struct Options {
    std::string work_dir;                     // sandboxes; must exist
    std::string runtime_dir;                  // this agent's alone; created if it is absent
    std::string shim;                         // the program tepui-shim
    const CgroupRoot* cgroups = nullptr;      // null: no cgroup can be had
    OutputLimit output;                       // of each container's stdout and stderr
    IdRanges* ids = nullptr;                  // null: there are no user namespaces
    DiskQuota* disk_quota = nullptr;          // null: plans say nothing of it
    const DiskImages* disk_images = nullptr;  // likewise
    size_t threads = 4;                       // launches and removals that run at once
  };
  static Result<std::unique_ptr<Containers>> create(Reactor& reactor, Options options,
                                                    ContainersOwner& owner);
  // Containers that run go on, each with its shim.
  ~Containers();
  Containers(const Containers&) = delete;
  Containers& operator=(const Containers&) = delete;

  // Ends all containers of an earlier life but these; may block for that, so before the loop. How
  // many there were.
  Result<int> end_unknown(const std::set<std::string>& known);

  void launch(const LaunchSpec& spec);
  void adopt(const LaunchSpec& spec);
  void signal(const ContainerId& id, int signal_number);
  void kill(const ContainerId& id);
  // Writes another plan to a container that runs, with what of corrections (agent/corrections.h) is
  // not in a control file.
  void resize(const ContainerId& id, const IsolationPlan& plan);
  void destroy(const ContainerId& id);

  // Launched and not yet destroyed.
  size_t size() const { return containers_.size(); }

 private:
  class Container;

  Containers(Reactor& reactor, ContainersOwner& owner);
  Container* find(const ContainerId& id);
  void run(Job& job);
  void on_job_done();
  void answer_unknown();

  Reactor& reactor_;
  ContainersOwner& owner_;
  ContainerPlaces places_;
  DiskQuota* disk_quota_ = nullptr;
  const DiskImages* disk_images_ = nullptr;
  FreezeDuties duties_;
  std::map<ContainerId, std::unique_ptr<Container>> containers_;
  // Bounded by the containers: each has at most three jobs.
  std::deque<Job*> waiting_;
  std::vector<ContainerId> unknown_;  // to be destroyed, but not there
  Later<&Containers::answer_unknown> answer_unknown_{*this};
  // Last, so that its threads end before what they work on.
  std::unique_ptr<Worker> worker_;
};

}  // namespace tepui
