// A framework for trying executors out by hand and in tests:
//
//   pod-framework MASTER group COMMAND...            one group of these commands
//   pod-framework MASTER executor PROGRAM COMMAND... these commands as the data of tasks that share
//                                                    one executor
//   pod-framework MASTER executor-in ROOT PROGRAM COMMAND...
//                                                    the same with this directory of the agent as
//                                                    the executor's root file system
//   pod-framework MASTER mapped-executor-in ROOT PROGRAM COMMAND...
//                                                    and with a user namespace
//
// Prints each status and message as a line, ends when all tasks have ended: 0 if all finished.

#include <stdio.h>
#include <string.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/executors.h"
#include "sdk/driver.h"

namespace {

using tepui::Offer;
using tepui::Scheduler;

class PodFramework final : public tepui::SchedulerHandler {
 public:
  PodFramework(std::string program, std::optional<tepui::ContainerInfo> container,
               std::vector<std::string> commands)
      : program_(std::move(program)), commands_(std::move(commands)), open_(commands_.size()) {
    executor_.id = {"pod"};
    executor_.resources = tepui::Resources::parse("cpus:0.1;mem:32;disk:1").value();
    if (program_.empty()) executor_.type = tepui::ExecutorInfo::Type::kDefault;
    executor_.command.value = program_;
    executor_.container = std::move(container);
  }
  void use(tepui::SchedulerDriver& driver) { driver_ = &driver; }

  void on_subscribed(Scheduler& scheduler, const tepui::Subscribed&) override {
    if (launched_) scheduler.reconcile();
  }

  void on_offers(Scheduler& scheduler, std::span<const Offer> offers) override {
    for (const Offer& offer : offers) {
      const tepui::Resources each = tepui::Resources::parse("cpus:0.1;mem:32").value();
      tepui::Resources needed = executor_.resources;
      for (size_t i = 0; i < commands_.size(); ++i) needed += each;
      if (launched_ || !offer.resources.contains(needed)) {
        scheduler.decline(std::span(&offer.id, 1));
        continue;
      }
      launched_ = true;
      agent_ = offer.agent->id;
      launch(scheduler, offer, each);
    }
  }

  void on_update(Scheduler& scheduler, const tepui::TaskStatus& status) override {
    printf("%s %s %s %s\n", status.task_id.value.c_str(),
           std::string(to_text(status.state)).c_str(), std::string(to_text(status.reason)).c_str(),
           status.message.c_str());
    fflush(stdout);
    if (status.state == tepui::TaskState::kRunning && !program_.empty()) {
      scheduler.send_message(agent_, executor_.id, "how many?");
    }
    if (!is_terminal(status.state)) return;
    if (status.state != tepui::TaskState::kFinished) ++failed_;
    if (--open_ > 0) return;
    scheduler.teardown();
    driver_->stop(failed_ > 0 ? 1 : 0);
  }

  void on_executor_message(Scheduler&, const tepui::ExecutorMessage& message) override {
    printf("message %s\n", message.data.c_str());
    fflush(stdout);
  }
  void on_executor_lost(Scheduler&, const tepui::Failure& failure) override {
    printf("executor %s is gone\n", failure.executor_id.value.c_str());
    fflush(stdout);
  }
  void on_rescinded(Scheduler&, tepui::OfferId) override {}
  void on_agent_lost(Scheduler&, const tepui::AgentId&) override {}
  void on_disconnected(Scheduler&, std::string_view) override {}
  void on_error(Scheduler&, std::string_view message) override {
    fprintf(stderr, "the master ended this framework: %s\n", std::string(message).c_str());
    driver_->stop(1);
  }

 private:
  void launch(Scheduler& scheduler, const Offer& offer, const tepui::Resources& each) {
    std::vector<tepui::TaskInfo> tasks;
    const auto executor = std::make_shared<const tepui::ExecutorInfo>(executor_);
    for (size_t i = 0; i < commands_.size(); ++i) {
      auto spec = std::make_shared<tepui::TaskSpec>();
      spec->resources = each;
      if (program_.empty()) {
        spec->command.value = commands_[i];
      } else {
        spec->data = commands_[i];
        spec->executor = executor;
      }
      const std::string name = "pod-" + std::to_string(i);
      tasks.push_back({.id = {name}, .name = name, .spec = std::move(spec)});
    }
    if (program_.empty()) {
      scheduler.launch_group(std::span(&offer.id, 1), executor_, std::move(tasks));
    } else {
      scheduler.launch(std::span(&offer.id, 1), std::move(tasks));
    }
    scheduler.suppress();
  }

  const std::string program_;
  const std::vector<std::string> commands_;
  tepui::ExecutorInfo executor_;
  tepui::SchedulerDriver* driver_ = nullptr;
  tepui::AgentId agent_;
  bool launched_ = false;
  size_t open_;
  int failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[2] : "";
  const bool in_root = mode == "executor-in" || mode == "mapped-executor-in";
  const bool has_program = in_root || mode == "executor";
  const int first = in_root ? 5 : has_program ? 4 : 3;
  if ((mode != "group" && !has_program) || argc <= first) {
    fprintf(stderr,
            "usage: %s MASTER-ADDRESS group COMMAND... | executor PROGRAM COMMAND... | "
            "[mapped-]executor-in ROOT PROGRAM COMMAND...\n",
            argv[0]);
    return 2;
  }
  std::optional<tepui::ContainerInfo> container;
  if (in_root) {
    container.emplace();
    container->rootfs = tepui::RootFilesystem{.path = argv[3]};
    container->user_namespace = mode == "mapped-executor-in";
  }
  PodFramework pod(has_program ? argv[first - 1] : "", std::move(container),
                   {argv + first, argv + argc});
  const uint32_t aware = bit(tepui::FrameworkCapability::kPartitionAware);
  auto driver = tepui::SchedulerDriver::create(
      {.master = argv[1],
       .scheduler = {.info = {.name = "pod",
                              .roles = {"*"},
                              .capabilities = aware,
                              .failover_timeout = std::chrono::minutes(1)}}},
      pod);
  if (!driver) {
    fprintf(stderr, "%s\n", driver.error().message.c_str());
    return 2;
  }
  pod.use(**driver);
  return (*driver)->run();
}
