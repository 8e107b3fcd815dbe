#pragma once
// What the agent core may do to the world, and the plain structs in which it says so. Each verb
// starts something and returns at once; outcomes come back as calls to Agent's on_ methods.
//
// Three implementations: the recording fake of the unit tests, the simulation, agent/shell.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/confinement.h"
#include "agent/isolation_plan.h"
#include "agent/records.h"
#include "agent/volumes.h"
#include "common/container_info.h"
#include "common/events.h"
#include "common/executor_messages.h"
#include "common/ids.h"
#include "common/messages.h"
#include "common/tasks.h"
#include "common/time.h"

namespace tepui {

// One container to start: its cgroup, its sandbox and the command that the shim runs in them.
struct LaunchSpec {
  ContainerId id;
  ContainerId parent;  // its cgroup is inside this one's; empty: by itself
  // The parent has no process and no end of its own: it is made for the first of those inside it,
  // and removed with the last.
  bool makes_parent = false;
  FrameworkId framework_id;
  ExecutorId executor_id;  // the task id, for a command task
  TaskId task_id;
  // Below the work directory: `agents/<agent>/frameworks/<f>/executors/<e>/runs/<c>`.
  std::string sandbox;
  CommandInfo command;                           // working_directory and user resolved
  std::vector<EnvironmentVariable> environment;  // complete: nothing is inherited
  IsolationPlan plan;
  // Shown in the sandbox: by the confinement where it has files of its own, else by links.
  std::vector<VolumeMount> volumes;
  Confinement confinement;
  // It is made and bounded, and something is in it already.
  bool has_sandbox = false;
  // Why the agent does not run it as it is asked for: the launch fails with that. Empty: it does.
  std::string refusal;
  // Whose layers are its root, and what it says of the command; until it is unpacked, neither is in
  // here. Absent: there is none.
  std::optional<RootFilesystem> image;
};

// How a container's command ended, as its shim recorded it.
struct ExitRecord {
  // Exactly one of the two is set, unless the shim itself died and nobody knows (both empty).
  std::optional<int32_t> exit_status;
  std::optional<int32_t> signal;
  bool oom_killed = false;
  int64_t memory_peak_bytes = 0;  // 0: not known
  // What was still charged to its cgroup at its end: files in memory, and what others hold.
  int64_t memory_usage_bytes = 0;
  std::string stderr_tail;  // the last lines, valid UTF-8, bounded
};

// What must be durable before an operation is confirmed: all of it together, or nothing.
struct AgentCheckpoint {
  uint64_t serial = 0;
  Resources total;
  std::vector<AgentOperation> operations;  // applied, their statuses not acknowledged
  // Of volumes. They are made before the rest is durable, and destroyed after it, also if the agent
  // is restarted in between.
  std::vector<VolumePlace> make;
  std::vector<VolumePlace> destroy;
};

class AgentEffects : public EventSink {
 public:
  virtual void send(const AgentToMaster& message) = 0;  // to the connected master; may be lost
  // Drops the connection to the master and connects again (with back-off). The core holds itself
  // for disconnected from here on; on_connected comes again.
  virtual void reconnect(std::string_view why) = 0;
  // -> on_launched and then exactly one on_exit; or on_launch_failed, and nothing is left of it:
  // there is nothing to destroy; or on_exit alone: it ended, and nobody knows whether the command
  // ever ran.
  virtual void launch(const LaunchSpec& spec) = 0;
  // The launch need not go on: what it still fetches is not wanted. -> on_launch_failed, if it can
  // still be stopped; else as without.
  virtual void cancel_launch(const ContainerId& id) = 0;
  // Takes up a container that an earlier life launched, or was about to. -> on_launched,
  // on_launch_failed, or on_exit (nobody knows whether the command ever ran); after on_launched
  // exactly one on_exit, also if it has ended meanwhile; or on_absent, if it never was there.
  virtual void adopt(const LaunchSpec& spec) = 0;
  // To the process group of the container's command. Ignored if it has ended.
  virtual void signal(const ContainerId& id, int signal_number) = 0;
  // cgroup.kill of the whole tree. -> on_exit
  virtual void kill(const ContainerId& id) = 0;
  // Removes the cgroup (killing what is left in it) and the runtime files, keeps the sandbox.
  // -> on_destroyed
  virtual void destroy(const ContainerId& id) = 0;
  // Remembers, in the order of the calls. -> on_appended, with this serial or a later one, or
  // on_append_failed.
  virtual void append(uint64_t serial, AgentRecord record) = 0;
  // What a running container may use changes. -> on_resize_failed, if that cannot be: then it may
  // use some of what it could before. Of several that wait the newest counts.
  virtual void resize(const ContainerId& id, const IsolationPlan& plan) = 0;
  // To an executor that connected; may be lost.
  virtual void send_executor(SessionId to, const AgentToExecutor& message) = 0;
  // Ends the session after what was sent; on_executor_lost does not follow.
  virtual void close_executor(SessionId session, std::string_view why) = 0;
  // Looks at a port of the machine for a check. -> on_probed, unless it is ended before.
  virtual void probe(uint64_t number, const CheckInfo& check) = 0;
  virtual void end_probe(uint64_t number) = 0;
  // -> on_checkpointed or on_checkpoint_failed, with its serial; one is under way at a time.
  virtual void checkpoint(const AgentCheckpoint& checkpoint) = 0;
  // on_time is due then; replaces what was asked before.
  virtual void wake_at(Instant when) = 0;
  // The agent must end: the master refused it for good, or it was told to.
  virtual void exit(std::string_view why) = 0;
};

}  // namespace tepui
