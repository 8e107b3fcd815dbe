#include "agent/linux/provisioner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "agent/image_launch.h"
#include "agent/isolators/disk.h"
#include "agent/linux/files.h"
#include "agent/linux/task_user.h"
#include "common/check.h"
#include "common/limits.h"

namespace tepui {
namespace {

constexpr Duration kProgressInterval = std::chrono::seconds(10);
constexpr size_t kJobsMax = 256;
// Mostly they wait for a helper: as many as the core launches at once, and one that releases what
// others had.
constexpr size_t kThreads = limits::kFetchesInFlightMax + 1;

}  // namespace

class Provisioner::Provision final : public Job {
 public:
  Provision(Provisioner& all, LaunchSpec spec, std::unique_ptr<Cancellation> cancellation)
      : spec(std::move(spec)), cancellation(std::move(cancellation)), all_(all) {}

  void run() override { done_ = provide(); }

  void on_done() override {
    all_.on_job_done();
    // A container that is not wanted any more has failed, however far it got.
    if (done_ && cancellation->cancelled()) done_ = fail("it was cancelled", ECANCELED);
    Provisioner& all = all_;
    const auto self = all.under_way_.extract(spec.id);  // until the end of this call
    if (done_) {
      all.owner_.on_provisioned(spec);
      return;
    }
    all.release(spec.id);
    all.owner_.on_provision_failed(spec.id, done_.error());
  }

  LaunchSpec spec;
  const std::unique_ptr<Cancellation> cancellation;
  std::atomic<uint64_t> bytes = 0;

 private:
  Result<Fd> make_sandbox(const std::optional<UserIds>& user) {
    // Before anything is in the sandbox: what is made there later inherits the bound.
    if (const auto size = image_size(spec.plan); size && all_.disk_images_ != nullptr) {
      TRY(all_.disk_images_->mount(spec.id.value, spec.sandbox, *size));
    } else if (const auto limit = disk_limit(spec.plan); limit && all_.disk_quota_ != nullptr) {
      TRY(all_.disk_quota_->bound(spec.sandbox, *limit));
    }
    spec.has_sandbox = true;
    Fd sandbox = TRY(make_directories_at(all_.work_.get(), spec.sandbox, 0755));
    if (user && fchown(sandbox.get(), user->uid, user->gid) != 0) {
      return std::unexpected(system_error(errno, "giving away the sandbox"));
    }
    return sandbox;
  }

  bool has_users() const { return has(spec.confinement.namespaces, Isolator::kUserNamespace); }
  Result<std::optional<IdRange>> take_ids() {
    if (!has_users() || all_.ids_ == nullptr) return std::nullopt;
    return TRY(all_.ids_->take(spec.id));
  }

  Result<void> provide() {
    if (cancellation->cancelled()) return fail("it was cancelled", ECANCELED);
    if (spec.image) {
      if (all_.images_ == nullptr) {
        return fail("this agent takes no images; its operator may permit some with --image-dir",
                    EPERM);
      }
      const ProvidedImage image = TRY(all_.images_->provide(spec.id, *spec.image, *cancellation));
      TRY(apply_image(image.config, spec));
      if (!spec.confinement.root) spec.confinement.root.emplace();
      spec.confinement.root->layers = image.layers;
    }
    if (spec.command.uris.empty()) return {};
    const TaskUser user = TRY(find_task_user(spec, "", TRY(take_ids())));
    const Fd sandbox = TRY(make_sandbox(user.outside));
    return all_.fetcher_->fetch({.command = spec.command,
                                 .user = user.outside,
                                 .is_mapped = has_users(),
                                 .sandbox = sandbox.get(),
                                 .cancellation = *cancellation,
                                 .bytes = bytes});
  }

  Provisioner& all_;
  Result<void> done_;
};

class Provisioner::Release final : public Job {
 public:
  Release(Provisioner& all, ContainerId id) : all_(all), id_(std::move(id)) {}
  void run() override {
    if (all_.images_ != nullptr) all_.images_->release(id_);
    if (all_.ids_ != nullptr) all_.ids_->release(id_);
    // What cannot be released now is released at the next start.
    if (all_.disk_images_ != nullptr) (void)all_.disk_images_->release(id_.value).has_value();
  }
  void on_done() override {
    all_.on_job_done();
    Provisioner& all = all_;
    const ContainerId id = id_;
    all.releases_.erase(id);  // the end of this
    // One that was found never to have begun, and begins after all.
    const auto waits = all.under_way_.find(id);
    if (waits != all.under_way_.end()) all.run(*waits->second);
  }

 private:
  Provisioner& all_;
  const ContainerId id_;
};

Result<std::unique_ptr<Provisioner>> Provisioner::create(Reactor& reactor, Options options,
                                                         ProvisionerOwner& owner) {
  std::unique_ptr<Provisioner> made(new Provisioner(reactor, owner));
  made->work_dir_ = std::move(options.work_dir);
  made->work_ = TRY(open_directory_at(AT_FDCWD, made->work_dir_));
  made->disk_quota_ = options.disk_quota;
  made->disk_images_ = options.disk_images;
  made->ids_ = options.ids;
  if (access(options.fetcher.program.c_str(), X_OK) != 0) {
    return std::unexpected(system_error(errno, "finding " + options.fetcher.program));
  }
  made->fetcher_ = TRY(Fetcher::create(std::move(options.fetcher)));
  if (!options.images.image_dirs.empty()) {
    made->images_ = TRY(ImageStore::create(std::move(options.images), options.containers));
  }
  for (const std::string& id : options.containers) made->holding_.insert({.value = id});
  made->worker_ = TRY(Worker::create(reactor, {.threads = kThreads, .queue_max = kJobsMax}));
  return made;
}

Provisioner::Provisioner(Reactor& reactor, ProvisionerOwner& owner)
    : reactor_(reactor), owner_(owner) {}

Provisioner::~Provisioner() {
  for (const auto& [id, provision] : under_way_) provision->cancellation->cancel();
  if (fetcher_ != nullptr) fetcher_->wake();
  if (images_ != nullptr) images_->wake();
}

bool Provisioner::needs(const LaunchSpec& spec) const {
  return spec.image.has_value() || !spec.command.uris.empty() || releases_.contains(spec.id);
}

void Provisioner::start(LaunchSpec spec) {
  const ContainerId id = spec.id;
  CHECK(!under_way_.contains(id));
  Result<std::unique_ptr<Cancellation>> cancellation = Cancellation::create();
  CHECK(cancellation.has_value());
  holding_.insert(id);
  auto provision = std::make_unique<Provision>(*this, std::move(spec), *std::move(cancellation));
  Job& job = *provision;
  under_way_.emplace(id, std::move(provision));
  if (!releases_.contains(id)) run(job);
  if (under_way_.size() == 1) {
    reactor_.set(progress_, later(reactor_.now().mono, kProgressInterval));
  }
}

bool Provisioner::cancel(const ContainerId& id) {
  const auto found = under_way_.find(id);
  if (found == under_way_.end()) return false;
  found->second->cancellation->cancel();
  fetcher_->wake();
  if (images_ != nullptr) images_->wake();
  return true;
}

void Provisioner::release(const ContainerId& id) {
  if (holding_.erase(id) == 0) return;
  auto release = std::make_unique<Release>(*this, id);
  Job& job = *release;
  if (releases_.emplace(id, std::move(release)).second) run(job);
}

void Provisioner::run(Job& job) {
  if (!waiting_.empty() || !worker_->submit(job)) waiting_.push_back(&job);
}

void Provisioner::on_job_done() {
  while (!waiting_.empty() && worker_->submit(*waiting_.front())) waiting_.pop_front();
}

void Provisioner::tell_progress() {
  for (const auto& [id, provision] : under_way_) {
    if (const uint64_t bytes = provision->bytes; bytes > 0) {
      owner_.on_provision_progress(id, bytes);
    }
  }
  if (!under_way_.empty()) {
    reactor_.set(progress_, later(reactor_.now().mono, kProgressInterval));
  }
}

}  // namespace tepui
