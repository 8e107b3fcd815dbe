#pragma once
// Executors is an agent of a test with a custom executor, which speaks when the test says so.

#include "tests/agent/fake_effects.h"

namespace tepui {

inline constexpr uint32_t kAware = bit(FrameworkCapability::kPartitionAware);

inline std::shared_ptr<ExecutorInfo> executor_info() {
  auto info = std::make_shared<ExecutorInfo>();
  info->id = {"e"};
  info->command.value = "./executor";
  info->resources = Resources::scalars({{"cpus", 500}, {"mem", 64000}});
  return info;
}

struct Executors : Bench {
  SessionId session{70};
  uint64_t uuids = 0;

  void launch_on(const std::string& task, std::shared_ptr<const ExecutorInfo> info,
                 bool executor_runs = false, TaskSpec own = spec()) {
    own.command = {};
    own.executor = std::move(info);
    LaunchTasks message;
    message.frameworks.push_back(framework("f", kAware));
    message.tasks.push_back({.framework_id = {"f"},
                             .role = "eng",
                             .task = {.id = {task},
                                      .name = task,
                                      .spec = std::make_shared<const TaskSpec>(std::move(own))},
                             .executor_runs = executor_runs});
    receive(message);
  }
  ContainerId executor_container() const { return container("e"); }
  template <class Message>
  std::vector<Message> heard() {
    std::vector<Message> found;
    std::erase_if(effects.to_executors, [&found](auto& sent) {
      auto* wanted = std::get_if<Message>(&sent.second);
      if (wanted == nullptr) return false;
      found.push_back(std::move(*wanted));
      return true;
    });
    return found;
  }
  void say(ExecutorToAgent message) {
    turn([&](Now now) { agent.on_executor_message(now, session, message); });
  }
  void subscribe(std::vector<TaskStatus> updates = {}, std::vector<TaskId> tasks = {}) {
    say(Hello{});
    ASSERT_EQ(heard<HelloReply>().size(), 1u);
    say(SubscribeExecutor{.framework_id = {"f"},
                          .executor_id = {"e"},
                          .container_id = executor_container(),
                          .updates = std::move(updates),
                          .tasks = std::move(tasks)});
  }
  TaskStatus status(const std::string& task, TaskState state) {
    return {.task_id = {task}, .state = state, .uuid = {.high = 9, .low = ++uuids}};
  }
  // An executor with one task that runs.
  void run_one() {
    enlist();
    launch_on("a", executor_info());
    turn([this](Now now) { agent.on_launched(now, executor_container(), 4711); });
    subscribe();
    say(UpdateTask{status("a", TaskState::kRunning)});
  }
  void executor_exits(int32_t code) {
    const ContainerId id = executor_container();
    turn([&](Now now) {
      agent.on_exit(now, id, ExitRecord{.exit_status = code, .signal = {}, .stderr_tail = {}});
    });
  }
};

}  // namespace tepui
