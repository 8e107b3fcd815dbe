// A custom executor: runs the data of each task as a shell command beside itself, and answers each
// message of its framework with the number of commands that run.
//
// A framework names it as the executor of its tasks:
//
//   ExecutorInfo{.id = {"shells"}, .command = {.value = "/path/to/shell-executor"}, …}

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "common/io/fd.h"
#include "sdk/executor_driver.h"

namespace {

using tepui::Executor;
using tepui::TaskId;
using tepui::TaskInfo;
using tepui::TaskState;

class ShellExecutor final : public tepui::ExecutorHandler {
 public:
  void use(tepui::ExecutorDriver& driver) { driver_ = &driver; }

  void on_launch(Executor& executor, const TaskInfo& task) override {
    auto command = std::make_unique<Command>(*this, task.id, task.spec->data);
    if (!command->start()) {
      executor.update({.task_id = task.id, .state = TaskState::kFailed, .message = "no fork"});
      return;
    }
    commands_[task.id] = std::move(command);
    executor.update({.task_id = task.id, .state = TaskState::kRunning});
  }

  void on_kill(Executor&, const TaskId& task, const std::optional<tepui::KillPolicy>&) override {
    if (const auto found = commands_.find(task); found != commands_.end()) found->second->kill();
  }

  void on_message(Executor& executor, std::string_view) override {
    executor.send_message(std::to_string(commands_.size()) + " run");
  }

  void on_shutdown(Executor& executor, std::string_view why) override {
    fprintf(stderr, "shutting down: %s\n", std::string(why).c_str());
    ending_ = true;
    for (const auto& [id, command] : commands_) command->kill();
    if (commands_.empty()) executor.end();
  }

 private:
  // A process, until it is reaped.
  class Command {
   public:
    Command(ShellExecutor& all, TaskId id, std::string text)
        : all_(all), id_(std::move(id)), text_(std::move(text)) {}

    bool start() {
      char shell[] = "/bin/sh";
      char option[] = "-c";
      char* arguments[] = {shell, option, text_.data(), nullptr};
      posix_spawnattr_t attributes;
      sigset_t none;
      sigemptyset(&none);
      posix_spawnattr_init(&attributes);
      posix_spawnattr_setsigmask(&attributes, &none);
      posix_spawnattr_setpgroup(&attributes, 0);
      posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
      const int failed = posix_spawn(&pid_, shell, nullptr, &attributes, arguments, environ);
      posix_spawnattr_destroy(&attributes);
      if (failed != 0) return false;
      pidfd_ = tepui::Fd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
      all_.driver_->reactor().poll(ended_, pidfd_.get(), POLLIN);
      return true;
    }
    void kill() {
      killed_ = true;
      ::kill(-pid_, SIGKILL);
    }

   private:
    void on_ended(const tepui::Completion&) {
      int status = 0;
      waitpid(pid_, &status, 0);
      tepui::TaskStatus update{.task_id = id_, .state = TaskState::kFailed};
      if (WIFEXITED(status)) update.exit_status = WEXITSTATUS(status);
      if (WIFSIGNALED(status)) update.signal = WTERMSIG(status);
      if (update.exit_status == 0) update.state = TaskState::kFinished;
      if (killed_) update.state = TaskState::kKilled;
      all_.on_ended(id_, std::move(update));
    }

    ShellExecutor& all_;
    const TaskId id_;
    std::string text_;
    pid_t pid_ = 0;
    bool killed_ = false;
    tepui::Fd pidfd_;
    tepui::Op<&Command::on_ended> ended_{*this};
  };

  void on_ended(const TaskId& id, tepui::TaskStatus update) {
    Executor& executor = driver_->executor();
    executor.update(std::move(update));
    const auto found = commands_.find(id);
    ended_ = std::move(found->second);  // its operation is still on the stack
    commands_.erase(found);
    if (ending_ && commands_.empty()) executor.end();
  }

  tepui::ExecutorDriver* driver_ = nullptr;
  bool ending_ = false;
  std::map<TaskId, std::unique_ptr<Command>> commands_;
  std::unique_ptr<Command> ended_;
};

}  // namespace

int main() {
  auto options = tepui::executor_options(getenv);
  if (!options) {
    fprintf(stderr, "%s\n", options.error().message.c_str());
    return 2;
  }
  ShellExecutor handler;
  auto driver = tepui::ExecutorDriver::create(*std::move(options), handler);
  if (!driver) {
    fprintf(stderr, "%s\n", driver.error().message.c_str());
    return 2;
  }
  handler.use(**driver);
  return (*driver)->run();
}
