#include "agent/linux/containers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "agent/corrections.h"
#include "agent/isolators/disk.h"
#include "agent/linux/files.h"
#include "agent/linux/shim_protocol.h"
#include "common/check.h"

namespace tepui {
namespace {

constexpr Duration kEarlierShimsPatience = std::chrono::seconds(10);
// For a shim that was cloned just before its agent died: it reports within a few milliseconds.
constexpr Duration kReportPatience = std::chrono::seconds(10);
// How long a thread waits for the processes of a container to be gone, before it serves others and
// comes back later. Killed processes mostly need a millisecond or two.
constexpr Duration kRemovePatience = std::chrono::milliseconds(50);
constexpr Duration kRemoveAgainMin = std::chrono::milliseconds(20);
constexpr Duration kRemoveAgainMax = std::chrono::seconds(5);
constexpr size_t kJobsMax = 256;

// One step of an owner on a worker's thread, and what follows it on the loop's.
template <auto Run, auto Done>
class Step;

template <class Owner, void (Owner::*Run)(), void (Owner::*Done)()>
class Step<Run, Done> final : public Job {
 public:
  explicit Step(Owner& owner) : owner_(owner) {}
  void run() override { (owner_.*Run)(); }
  void on_done() override { (owner_.*Done)(); }

 private:
  Owner& owner_;
};

}  // namespace

class Containers::Container {
 public:
  enum class Origin { kLaunched, kAdopted };
  Container(Containers& all, LaunchSpec spec, Origin origin) : all_(all), spec_(std::move(spec)) {
    if (origin == Origin::kLaunched) {
      all_.run(start_);
    } else {
      all_.run(find_);
    }
  }

  void signal(int signal_number) const {
    // The shim keeps the command's pid from being reused while it lives.
    if (state_ == State::kRunning && pid_ > 0) ::kill(-pid_, signal_number);
  }

  void kill() {
    if (state_ == State::kStarting || state_ == State::kReporting) kill_wanted_ = true;
    if (state_ != State::kRunning || killing_) return;
    killing_ = true;
    all_.run(kill_);
  }

  // The newest plan counts; one that waits while another is written replaces those before it.
  void resize(const IsolationPlan& plan) {
    if (all_.places_.cgroups == nullptr || state_ != State::kRunning) return;
    next_plan_ = plan;
    set_duty(plan);
    write_plan();
  }

  void destroy() {
    if (destroy_wanted_) return;
    destroy_wanted_ = true;
    if (state_ == State::kEnded) {
      remove();
    } else {
      kill();
    }
  }

 private:
  enum class State {
    kStarting,   // a thread makes its directories and starts the shim, or looks for them
    kReporting,  // the shim has not yet said how the launch went
    kRunning,    // until the shim ends
    kEnding,     // a thread reads the exit record
    kEnded,      // reported, waits to be destroyed
    kRemoving,   // a thread removes it, or will try again soon
  };

  // On a thread of the worker, while the loop leaves alone what they write.
  void start_now() {
    if (!spec_.refusal.empty()) {
      started_ = fail(spec_.refusal);
      return;
    }
    if (Result<void> bounded = bound_sandbox(); !bounded) {
      started_ = std::unexpected(std::move(bounded).error());
      return;
    }
    started_ = start_container(all_.places_, spec_);
    // If that fails, the next start of the agent tries again.
    if (!started_) (void)release_image().has_value();
  }
  // Before anything is in the sandbox: what is made there later inherits the bound.
  Result<void> bound_sandbox() {
    if (const auto size = image_size(spec_.plan); size && all_.disk_images_ != nullptr) {
      if (spec_.has_sandbox) return {};
      return all_.disk_images_->mount(spec_.id.value, spec_.sandbox, *size);
    }
    if (const auto limit = disk_limit(spec_.plan); limit && all_.disk_quota_ != nullptr) {
      TRY(all_.disk_quota_->bound(spec_.sandbox, *limit));
      return count_root();
    }
    return {};
  }
  Result<void> release_image() const {
    return all_.disk_images_ == nullptr ? Result<void>()
                                        : all_.disk_images_->release(spec_.id.value);
  }
  // What is written to its root counts as what is written to its sandbox.
  Result<void> count_root() const {
    const std::optional<ContainerRoot>& root = spec_.confinement.root;
    if (!root || root->upper.empty()) return {};
    return all_.disk_quota_->count(fmt::format("{}/{}", kRootsFolder, spec_.id.value),
                                   spec_.sandbox);
  }
  void find_now() {
    found_ = find_container(all_.places_, spec_, kReportPatience);
    if (!found_) abandon_container(all_.places_, spec_, kReportPatience);
  }
  void kill_now() {
    if (all_.places_.cgroups != nullptr) {
      // Fails only if the cgroup is gone, and with it all that was to be killed.
      (void)all_.places_.cgroups->kill_container(cgroup_of(spec_)).has_value();
    } else {
      syscall(SYS_pidfd_send_signal, started_->pidfd.get(), SIGTERM, nullptr, 0);
    }
  }
  void resize_now() { resized_ = all_.places_.cgroups->update_container(cgroup_of(spec_), plan_); }
  void end_now() {
    record_ = end_container(all_.places_, spec_, *started_);
    // Without a report nobody knows how far the shim came. To call that a failed launch would
    // remove the container, and an agent that dies just then would run the command a second time.
    if (!reported_ && may_have_begun(all_.places_, spec_.id)) launch_error_.reset();
  }
  void remove_now() {
    Result<bool> removed = remove_container(all_.places_, spec_, kRemovePatience);
    removed_ = removed.has_value() && *removed && release_image().has_value();
  }

  void set_duty(const IsolationPlan& plan) {
    const auto value_of = [&plan](std::string_view controller, std::string_view file) {
      const auto found = std::ranges::find_if(plan, [&](const ControlWrite& write) {
        return write.controller == controller && write.file == file;
      });
      return found == plan.end() ? std::string_view() : std::string_view(found->value);
    };
    const bool frozen = value_of("", kFreezeFile) == "1";
    const std::string_view text = value_of(kFreezeDuty, "");
    int64_t permille = 1000;
    std::from_chars(text.data(), text.data() + text.size(), permille);
    if (frozen || permille >= 1000) return all_.duties_.stop(spec_.id, frozen);
    if (all_.duties_.has(spec_.id)) return all_.duties_.change(spec_.id, permille);
    // Fails where it has just ended.
    Result<Fd> file = all_.places_.cgroups->open_control(cgroup_of(spec_), kFreezeFile);
    if (file) all_.duties_.start(spec_.id, *std::move(file), permille);
  }
  void write_plan() {
    if (resizing_ || !next_plan_) return;
    resizing_ = true;
    plan_ = *std::exchange(next_plan_, std::nullopt);
    all_.run(resize_);
  }

  void on_resized() {
    all_.on_job_done();
    resizing_ = false;
    if (state_ == State::kRunning) {
      write_plan();
      // Of one that is being killed it does not matter.
      if (!resized_ && !killing_) all_.owner_.on_resize_failed(spec_.id, resized_.error());
      return;
    }
    next_plan_.reset();
    if (state_ == State::kEnding && !killing_) all_.run(end_);
  }

  void on_started() {
    all_.on_job_done();
    if (!started_.has_value()) {
      fail_launch(std::move(started_).error());
      return;
    }
    state_ = State::kReporting;
    report_.resize(sizeof(ShimReport));
    all_.reactor_.read(read_report_, started_->report.get(), report_, -1);
  }

  void on_found() {
    all_.on_job_done();
    if (!found_) {
      // It could not be watched and was ended; nobody knows how it would have.
      state_ = State::kEnded;
      all_.owner_.on_exit(spec_.id, record_);
      return;
    }
    started_ = std::move(found_->shim);
    switch (found_->state) {
      case FoundContainer::State::kAbsent:
        leave_absent();
        return;
      case FoundContainer::State::kFailed:
        launch_error_ = launch_error(spec_, found_->stage, found_->code);
        remove();
        return;
      case FoundContainer::State::kRunning:
        on_running(found_->pid);
        return;
      case FoundContainer::State::kEnded:
        state_ = State::kEnding;
        all_.run(end_);
        if (found_->pid > 0) all_.owner_.on_launched(spec_.id, found_->pid);
        return;
    }
  }

  void on_report(const Completion& completion) {
    ShimReport report;
    std::memcpy(&report, report_.data(), sizeof report);
    std::vector<std::byte>().swap(report_);
    const bool whole = completion.result == static_cast<int32_t>(sizeof report) &&
                       report.magic == kShimReportMagic;
    if (whole && report.stage == static_cast<uint32_t>(ShimStage::kStarted)) {
      on_running(report.pid);
      return;
    }
    reported_ = whole;
    launch_error_ = whole ? launch_error(spec_, report.stage, report.code)
                          : Error{.message = "the shim ended before it could say anything"};
    all_.reactor_.poll(wait_for_end_, started_->pidfd.get(), POLLIN);
  }

  void on_running(pid_t pid) {
    state_ = State::kRunning;
    pid_ = pid;
    started_->report.reset();
    forget_launch();
    all_.reactor_.poll(wait_for_end_, started_->pidfd.get(), POLLIN);
    if (kill_wanted_) kill();
    all_.owner_.on_launched(spec_.id, pid);
  }

  // What only a launch needs, with the memory of its vectors (which assigning {} to them would
  // keep): some 13 kB for each that runs.
  void forget_launch() {
    LaunchSpec kept;
    kept.id = std::move(spec_.id);
    kept.parent = std::move(spec_.parent);
    kept.makes_parent = spec_.makes_parent;
    kept.sandbox = std::move(spec_.sandbox);
    spec_ = std::move(kept);
  }

  void on_shim_ended(const Completion&) {
    state_ = State::kEnding;
    all_.duties_.stop(spec_.id, false);
    // A kill that is under way uses what the next step does too: it comes first.
    if (!killing_ && !resizing_) all_.run(end_);
  }

  void on_killed() {
    all_.on_job_done();
    killing_ = false;
    if (state_ == State::kEnding && !resizing_) all_.run(end_);
  }

  void on_ended() {
    all_.on_job_done();
    started_->pidfd.reset();
    if (launch_error_.has_value()) {
      remove();
      return;
    }
    state_ = State::kEnded;
    if (destroy_wanted_) remove();
    // Last: the owner may ask for the end of this container.
    all_.owner_.on_exit(spec_.id, record_);
  }

  void remove() {
    state_ = State::kRemoving;
    all_.run(remove_);
  }

  void on_removed() {
    all_.on_job_done();
    if (removed_) {
      if (launch_error_.has_value()) {
        fail_launch(*std::move(launch_error_));
      } else {
        leave();
      }
      return;
    }
    all_.reactor_.set(remove_again_, later(all_.reactor_.now().mono, remove_wait_));
    remove_wait_ = std::min(remove_wait_ * 2, kRemoveAgainMax);
  }

  // These end this object.
  void leave_absent() {
    const bool destroy_wanted = destroy_wanted_;
    Containers& all = all_;
    const ContainerId id = spec_.id;
    all.containers_.erase(id);
    all.owner_.on_absent(id);
    if (destroy_wanted) all.owner_.on_destroyed(id);
  }
  void fail_launch(Error cause) {
    const Error error = std::move(cause);
    const bool destroy_wanted = destroy_wanted_;
    Containers& all = all_;
    const ContainerId id = spec_.id;
    all.containers_.erase(id);
    all.owner_.on_launch_failed(id, error);
    if (destroy_wanted) all.owner_.on_destroyed(id);
  }
  void leave() {
    Containers& all = all_;
    const ContainerId id = spec_.id;
    all.containers_.erase(id);
    all.owner_.on_destroyed(id);
  }

  Containers& all_;
  LaunchSpec spec_;
  State state_ = State::kStarting;
  bool kill_wanted_ = false;
  bool killing_ = false;
  bool resizing_ = false;
  bool reported_ = true;  // the shim said how the launch went
  Result<void> resized_;
  IsolationPlan plan_;  // that is being written
  std::optional<IsolationPlan> next_plan_;
  bool destroy_wanted_ = false;
  bool removed_ = false;
  pid_t pid_ = 0;
  Duration remove_wait_ = kRemoveAgainMin;
  Result<StartedShim> started_ = fail("not started");
  Result<FoundContainer> found_ = fail("not looked for");
  std::optional<Error> launch_error_;
  ExitRecord record_;

  Step<&Container::start_now, &Container::on_started> start_{*this};
  Step<&Container::find_now, &Container::on_found> find_{*this};
  Step<&Container::kill_now, &Container::on_killed> kill_{*this};
  Step<&Container::resize_now, &Container::on_resized> resize_{*this};
  Step<&Container::end_now, &Container::on_ended> end_{*this};
  Step<&Container::remove_now, &Container::on_removed> remove_{*this};
  Timer<&Container::remove> remove_again_{*this};
  std::vector<std::byte> report_;  // while it is awaited: there may be a thousand of us
  Op<&Container::on_report> read_report_{*this};
  Op<&Container::on_shim_ended> wait_for_end_{*this};
};

Result<std::unique_ptr<Containers>> Containers::create(Reactor& reactor, Options options,
                                                       ContainersOwner& owner) {
  std::unique_ptr<Containers> containers(new Containers(reactor, owner));
  ContainerPlaces& places = containers->places_;
  // The shim enters sandboxes by their absolute path.
  std::unique_ptr<char, decltype(&free)> absolute(realpath(options.work_dir.c_str(), nullptr),
                                                  &free);
  if (absolute == nullptr) {
    return std::unexpected(system_error(errno, "finding the work directory " + options.work_dir));
  }
  places.work_dir = absolute.get();
  places.work = TRY(open_directory_at(AT_FDCWD, places.work_dir));
  const std::string roots(kRootsFolder);
  if (mkdirat(places.work.get(), roots.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(system_error(errno, "creating the directory " + roots));
  }
  places.roots = TRY(open_directory_at(places.work.get(), roots));
  if (mkdir(options.runtime_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(
        system_error(errno, "creating the runtime directory " + options.runtime_dir));
  }
  places.runtime = TRY(open_directory_at(AT_FDCWD, options.runtime_dir));
  if (access(options.shim.c_str(), X_OK) != 0) {
    return std::unexpected(system_error(errno, "finding the shim " + options.shim));
  }
  places.shim = std::move(options.shim);
  places.cgroups = options.cgroups;
  places.output = options.output;
  places.ids = options.ids;
  containers->disk_quota_ = options.disk_quota;
  containers->disk_images_ = options.disk_images;
  containers->worker_ =
      TRY(Worker::create(reactor, {.threads = options.threads, .queue_max = kJobsMax}));
  return containers;
}

Containers::Containers(Reactor& reactor, ContainersOwner& owner)
    : reactor_(reactor), owner_(owner), duties_(reactor) {}

Containers::~Containers() = default;

Containers::Container* Containers::find(const ContainerId& id) {
  auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : found->second.get();
}

void Containers::launch(const LaunchSpec& spec) {
  CHECK(find(spec.id) == nullptr);
  containers_.emplace(spec.id,
                      std::make_unique<Container>(*this, spec, Container::Origin::kLaunched));
}

void Containers::adopt(const LaunchSpec& spec) {
  CHECK(find(spec.id) == nullptr);
  containers_.emplace(spec.id,
                      std::make_unique<Container>(*this, spec, Container::Origin::kAdopted));
}

Result<int> Containers::end_unknown(const std::set<std::string>& known) {
  const int ended = TRY(end_unknown_containers(places_, known, kEarlierShimsPatience));
  if (disk_images_ != nullptr) TRY(disk_images_->release_unknown(known));
  return ended;
}

void Containers::signal(const ContainerId& id, int signal_number) {
  if (const Container* container = find(id)) container->signal(signal_number);
}

void Containers::kill(const ContainerId& id) {
  if (Container* container = find(id)) container->kill();
}

void Containers::resize(const ContainerId& id, const IsolationPlan& plan) {
  if (Container* container = find(id)) container->resize(plan);
}

void Containers::destroy(const ContainerId& id) {
  if (Container* container = find(id)) {
    container->destroy();
    return;
  }
  unknown_.push_back(id);
  reactor_.next_turn(answer_unknown_);
}

void Containers::answer_unknown() {
  std::vector<ContainerId> ids = std::exchange(unknown_, {});
  for (const ContainerId& id : ids) owner_.on_destroyed(id);
}

void Containers::run(Job& job) {
  if (!waiting_.empty() || !worker_->submit(job)) waiting_.push_back(&job);
}

void Containers::on_job_done() {
  while (!waiting_.empty() && worker_->submit(*waiting_.front())) waiting_.pop_front();
}

}  // namespace tepui
