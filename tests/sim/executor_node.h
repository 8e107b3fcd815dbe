#pragma once
// ExecutorNode is one process of a framework's own executor: the real core of the SDK over a socket
// of its machine, and an author's code that runs tasks for a while. It is born with its container
// and destroyed with it, outlives its agent's process, and connects to the next one. Some hang and
// never subscribe, some die, some say what no executor should.
//
// Checked: it does not live on without an agent longer than the recovery timeout and its grace
// allow; what else is promised to executors and of them is checked in tests/sim/runners.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/effects.h"
#include "sdk/executor.h"
#include "tests/sim/alarm.h"
#include "tests/sim/faults.h"
#include "tests/sim/network.h"
#include "tests/sim/runners.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class ExecutorNode final : public End, private ExecutorHandler, private ExecutorEffects {
 public:
  struct Surroundings {
    World& world;
    const Faults& faults;
    Network& network;
    Runners& runners;
  };
  struct Place {
    NodeId node = 0;
    NodeId agent = 0;
    std::function<void(ExitRecord)> exit;  // its container ends; not called from inside a call
  };
  ExecutorNode(Surroundings around, Place place, const LaunchSpec& spec);
  // Whatever it was doing is over.
  ~ExecutorNode() override;
  ExecutorNode(const ExecutorNode&) = delete;
  ExecutorNode& operator=(const ExecutorNode&) = delete;

  // End
  void on_link_up(LinkNumber link) override;
  void on_payload(LinkNumber link, const Payload& payload) override;
  void on_link_down(LinkNumber link, std::string_view why) override;
  void on_link_congested(LinkNumber) override {}
  void on_link_ready(LinkNumber) override {}

 private:
  enum class Hang : uint8_t { kNo, kSilent, kMute };  // never connects; never says anything

  // ExecutorHandler
  void on_subscribed(Executor& executor, const ExecutorSubscribed& message) override;
  void on_launch(Executor& executor, const TaskInfo& task) override;
  void on_kill(Executor& executor, const TaskId& task,
               const std::optional<KillPolicy>& policy) override;
  void on_message(Executor& executor, std::string_view data) override;
  void on_shutdown(Executor& executor, std::string_view why) override;

  // ExecutorEffects
  void send(const ExecutorToAgent& message) override;
  void reconnect(std::string_view why) override;
  void wake_at(Instant when) override { alarm_.set(when); }
  void exit(std::string_view why) override;
  void on_event(const Event& event) override;

  ExecutorOptions options_of(const LaunchSpec& spec);
  void trace(std::string_view line);
  void after(Duration delay, std::function<void()> action);
  void connect_later();
  void lose(std::string_view why);
  void begin_to_be_alone();
  void say(const TaskId& task, TaskState state);
  void finish(const TaskId& task, TaskState state);
  void run(const TaskId& task);
  void rest();
  void plan_crash();
  void misbehave();
  ExecutorToAgent strange_word();
  TaskStatus strange_status(const TaskId& task, TaskState state);
  bool draws(uint64_t one_in);

  World& world_;
  const Faults& faults_;
  Network& network_;
  Runners& runners_;
  const Place place_;
  const FrameworkId framework_;
  const ContainerId container_;
  const ExecutorOptions options_;
  Alarm alarm_;
  std::shared_ptr<char> life_ = std::make_shared<char>();  // what waits in the queue looks at it
  Hang hang_ = Hang::kNo;
  bool never_ends_ = false;
  bool reports_killing_ = false;
  bool ending_ = false;  // begins nothing any more
  bool exited_ = false;
  LinkNumber link_ = 0;  // 0: none
  bool link_up_ = false;
  bool alone_ = false;
  uint64_t times_alone_ = 0;
  uint64_t rests_ = 0;
  std::map<TaskId, bool> running_;  // received and not ended; whether it is to end
  std::optional<TaskStatus> last_said_;
  std::optional<TaskId> last_ended_;
  Executor executor_;
};

}  // namespace tepui::sim
