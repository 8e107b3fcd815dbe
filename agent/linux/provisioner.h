#pragma once
// Provisioner makes ready what a container needs before it is launched: its sandbox with what its
// command's URIs name, and the layers of its image. For the loop: start() returns at once, threads
// and helper processes do the work, and for each start() exactly one of on_provisioned and
// on_provision_failed follows on the loop's thread, never from inside a verb.
//
// Nothing of an unfinished provisioning outlives the agent but files in the sandbox, which the next
// attempt replaces.

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/effects.h"
#include "agent/linux/disk_image.h"
#include "agent/linux/disk_quota.h"
#include "agent/linux/fetcher.h"
#include "agent/linux/id_ranges.h"
#include "agent/linux/image_store.h"
#include "common/io/alarm.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"

namespace tepui {

class ProvisionerOwner {
 public:
  virtual ~ProvisionerOwner() = default;
  // With what the image says.
  virtual void on_provisioned(const LaunchSpec& spec) = 0;
  virtual void on_provision_failed(const ContainerId& id, const Error& error) = 0;
  // Now and then, while something is fetched.
  virtual void on_provision_progress(const ContainerId& id, uint64_t bytes) = 0;
};

class Provisioner {
 public:
  struct Options {
    std::string work_dir;                     // absolute
    DiskQuota* disk_quota = nullptr;          // null: plans say nothing of it
    const DiskImages* disk_images = nullptr;  // likewise
    IdRanges* ids = nullptr;                  // null: there are no user namespaces
    FetcherOptions fetcher;
    ImageStoreOptions images;
    // That may use images of an earlier life.
    std::set<std::string> containers;
  };
  static Result<std::unique_ptr<Provisioner>> create(Reactor& reactor, Options options,
                                                     ProvisionerOwner& owner);
  // What is under way is given up, without a word to the owner.
  ~Provisioner();
  Provisioner(const Provisioner&) = delete;
  Provisioner& operator=(const Provisioner&) = delete;

  // It must be start()ed before it is launched: something is to be made ready for it, or what it
  // held in an earlier attempt is just being given back.
  bool needs(const LaunchSpec& spec) const;
  void start(LaunchSpec spec);
  // Gives it up: on_provision_failed follows. False: it is not under way.
  bool cancel(const ContainerId& id);
  Fetcher::Counts fetches() const { return fetcher_->counts(); }
  // The container is gone, or never was or will be, and needs its images no longer.
  void release(const ContainerId& id);

 private:
  class Provision;
  class Release;

  Provisioner(Reactor& reactor, ProvisionerOwner& owner);
  void run(Job& job);
  void on_job_done();
  void tell_progress();

  Reactor& reactor_;
  ProvisionerOwner& owner_;
  std::string work_dir_;
  Fd work_;
  DiskQuota* disk_quota_ = nullptr;
  const DiskImages* disk_images_ = nullptr;
  IdRanges* ids_ = nullptr;
  std::unique_ptr<Fetcher> fetcher_;
  std::unique_ptr<ImageStore> images_;
  std::set<ContainerId> holding_;  // something that release() gives back
  std::map<ContainerId, std::unique_ptr<Provision>> under_way_;
  std::map<ContainerId, std::unique_ptr<Release>> releases_;
  // Bounded by the containers.
  std::deque<Job*> waiting_;
  Timer<&Provisioner::tell_progress> progress_{*this};
  // Last, so that its threads end before what they work on.
  std::unique_ptr<Worker> worker_;
};

}  // namespace tepui
