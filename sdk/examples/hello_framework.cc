// A whole framework in under 100 lines: it runs a command a given number of times, wherever the
// cluster has room, and ends when all have ended.
//
//   hello-framework 127.0.0.1:5050 10 'echo hello from $MESOS_SANDBOX'
//
// The exit status is the number of tasks that did not finish.

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "sdk/driver.h"

using tepui::Offer;
using tepui::Scheduler;

namespace {

class HelloFramework final : public tepui::SchedulerHandler {
 public:
  HelloFramework(int count, std::string command) : waiting_(count), open_(count) {
    spec_ = std::make_shared<const tepui::TaskSpec>(
        tepui::TaskSpec{.resources = tepui::Resources::scalars({{"cpus", 500}, {"mem", 64'000}}),
                        .command = {.value = std::move(command)}});
  }

  void use(tepui::SchedulerDriver& driver) { driver_ = &driver; }

  void on_subscribed(Scheduler&, const tepui::Subscribed& subscribed) override {
    std::printf("subscribed as %s\n", subscribed.framework_id.value.c_str());
  }

  void on_offers(Scheduler& scheduler, std::span<const Offer> offers) override {
    for (const Offer& offer : offers) {
      std::vector<tepui::TaskInfo> tasks;
      tepui::Resources left = offer.resources;
      while (waiting_ > 0 && left.contains(spec_->resources)) {
        left -= spec_->resources;
        const std::string name = "hello-" + std::to_string(waiting_--);
        tasks.push_back({.id = {name}, .name = name, .spec = spec_});
      }
      scheduler.launch(std::span(&offer.id, 1), std::move(tasks));  // none: declines
    }
    if (waiting_ == 0) scheduler.suppress();
  }

  void on_update(Scheduler& scheduler, const tepui::TaskStatus& status) override {
    std::printf("%s is %s %s\n", status.task_id.value.c_str(),
                std::string(to_text(status.state)).c_str(), status.message.c_str());
    if (!is_terminal(status.state)) return;
    if (status.state != tepui::TaskState::kFinished) ++failed_;
    if (--open_ > 0) return;
    scheduler.teardown();
    driver_->stop(failed_);
  }

  void on_rescinded(Scheduler&, tepui::OfferId) override {}  // offers are used at once, or not
  void on_agent_lost(Scheduler&, const tepui::AgentId&) override {}  // its tasks get updates
  void on_disconnected(Scheduler&, std::string_view why) override {
    std::fprintf(stderr, "waiting for the master: %s\n", std::string(why).c_str());
  }
  void on_error(Scheduler&, std::string_view message) override {
    std::fprintf(stderr, "the master ended this framework: %s\n", std::string(message).c_str());
    driver_->stop(1);
  }

 private:
  std::shared_ptr<const tepui::TaskSpec> spec_;
  tepui::SchedulerDriver* driver_ = nullptr;
  int waiting_;
  int open_;
  int failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  if (argc == 4) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), count);
  if (count < 1) {
    std::fprintf(stderr, "usage: %s MASTER-ADDRESS COUNT COMMAND\n", argv[0]);
    return 2;
  }
  HelloFramework hello(count, argv[3]);
  auto driver = tepui::SchedulerDriver::create(
      {.master = argv[1], .scheduler = {.info = {.name = "hello", .roles = {"*"}}}}, hello);
  if (!driver) {
    std::fprintf(stderr, "%s\n", driver.error().message.c_str());
    return 2;
  }
  hello.use(**driver);
  return (*driver)->run();
}
