// A framework that keeps its data: it runs a command beside a persistent volume of its role, which
// the command sees as the directory `data`. The first run reserves disk and makes the volume; later
// runs, of whatever process, find it in an offer again; so they do with one that an operator made.
// The commands `grow` and `shrink` change its size, `destroy` gives it back.
//
//   volume-framework 127.0.0.1:5050 eng 'date >> data/log; cat data/log'
//   volume-framework 127.0.0.1:5050 eng grow
//   volume-framework 127.0.0.1:5050 eng destroy
//
// The exit status is 0 if the command finished, or the volume is gone.

#include <cstdio>
#include <string>
#include <vector>

#include "sdk/driver.h"
#include "sdk/operations.h"

using tepui::Offer;
using tepui::Resources;
using tepui::Scheduler;

namespace {

constexpr const char* kPrincipal = "volume-framework";

class VolumeFramework final : public tepui::SchedulerHandler {
 public:
  VolumeFramework(std::string role, std::string command)
      : role_(std::move(role)), command_(std::move(command)) {}

  void use(tepui::SchedulerDriver& driver) { driver_ = &driver; }

  void on_subscribed(Scheduler&, const tepui::Subscribed& subscribed) override {
    std::printf("subscribed as %s\n", subscribed.framework_id.value.c_str());
  }

  void on_offers(Scheduler& scheduler, std::span<const Offer> offers) override {
    for (const Offer& offer : offers) {
      if (started_ || !use(scheduler, offer)) scheduler.decline(std::span(&offer.id, 1));
    }
  }

  void on_operation_update(Scheduler& scheduler, const tepui::OperationStatus& status) override {
    std::printf("%s is %s %s\n", status.operation_id.value.c_str(),
                std::string(to_text(status.state)).c_str(), status.message.c_str());
    const bool is_done = status.state == tepui::OperationState::kFinished;
    if (!is_done && is_terminal(status.state)) end(scheduler, 1);
    if (is_done && status.operation_id.value == last_operation_) {
      scheduler.acknowledge(status);  // before the framework ends
      end(scheduler, 0);
    }
  }

  void on_update(Scheduler& scheduler, const tepui::TaskStatus& status) override {
    std::printf("%s is %s %s\n", status.task_id.value.c_str(),
                std::string(to_text(status.state)).c_str(), status.message.c_str());
    if (is_terminal(status.state)) {
      end(scheduler, status.state == tepui::TaskState::kFinished ? 0 : 1);
    }
  }

  // Its data stays behind; the next run finds it when the machine is back.
  void on_inverse_offers(Scheduler& scheduler,
                         std::span<const tepui::InverseOfferBatch::Item> asked) override {
    for (const auto& one : asked) scheduler.accept_inverse(std::span(&one.id, 1));
  }

  void on_rescinded(Scheduler&, tepui::OfferId) override {}  // offers are used at once, or not
  void on_agent_lost(Scheduler&, const tepui::AgentId&) override {}
  void on_disconnected(Scheduler&, std::string_view why) override {
    std::fprintf(stderr, "waiting for the master: %s\n", std::string(why).c_str());
  }
  void on_error(Scheduler&, std::string_view message) override {
    std::fprintf(stderr, "the master ended this framework: %s\n", std::string(message).c_str());
    driver_->stop(1);
  }

 private:
  void end(Scheduler& scheduler, int status) {
    scheduler.teardown();
    driver_->stop(status);
  }

  // What the command says, in operations that build on each other.
  std::vector<tepui::OfferOperation> change(const Resources& volume, const Resources& disk) const {
    if (command_ == "grow") return {reserve(disk, "reserve"), grow_volume(volume, disk, "grow")};
    // What it gives back can be unreserved in a later offer.
    if (command_ == "shrink") {
      return {shrink_volume(volume, disk.total_milli("disk"), "shrink")};
    }
    return {destroy_volume(volume, "destroy"), unreserve(disk, "unreserve")};
  }

  // False: the offer is of no use.
  bool use(Scheduler& scheduler, const Offer& offer) {
    std::vector<tepui::OfferOperation> operations;
    Resources volume = offer.resources.filter([](const tepui::Resource& item) {
      return is_volume(item) && item.kind->disk->persistence_id == "kept";
    });
    const Resources disk = reserved(kDisk, role_, kPrincipal);
    if (command_ == "destroy" || command_ == "grow" || command_ == "shrink") {
      if (volume.empty()) return false;
      operations = change(volume, disk);
      last_operation_ = operations.back().operation.id.value;
    } else {
      if (volume.empty()) {
        if (!offer.resources.contains(kDisk)) return false;
        volume = volume_on(disk, {.id = "kept", .path = "data", .principal = kPrincipal});
        operations = {reserve(disk, "reserve"), create_volume(volume, "create")};
      } else {
        std::printf("found the volume again\n");
      }
      const auto spec = std::make_shared<const tepui::TaskSpec>(tepui::TaskSpec{
          .resources = volume + Resources::scalars({{"cpus", 500}, {"mem", 64'000}}),
          .command = {.value = command_}});
      operations.push_back(
          tepui::launch_tasks({{.id = {"keeper"}, .name = "keeper", .spec = spec}}));
    }
    started_ = true;
    scheduler.accept(std::span(&offer.id, 1), std::move(operations));
    return true;
  }

  const Resources kDisk = Resources::scalars({{"disk", 64'000}});
  const std::string role_;
  const std::string command_;
  tepui::SchedulerDriver* driver_ = nullptr;
  bool started_ = false;
  std::string last_operation_;  // it ends with this one
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s MASTER-ADDRESS ROLE COMMAND\n", argv[0]);
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  VolumeFramework keeper(argv[2], argv[3]);
  tepui::FrameworkInfo info{.name = "volume", .principal = kPrincipal, .roles = {argv[2]}};
  info.capabilities = bit(tepui::FrameworkCapability::kReservationRefinement) |
                      bit(tepui::FrameworkCapability::kSharedResources);
  auto driver =
      tepui::SchedulerDriver::create({.master = argv[1], .scheduler = {.info = info}}, keeper);
  if (!driver) {
    std::fprintf(stderr, "%s\n", driver.error().message.c_str());
    return 2;
  }
  keeper.use(**driver);
  return (*driver)->run();
}
