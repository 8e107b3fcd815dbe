#pragma once
// SimHost is the machine under an agent: the containers it runs. They outlive the agent's process,
// and a next one takes them up.
//
// Invariant: as agent/effects.h promises, a launch or an adoption is answered once, after
// on_launched comes exactly one on_exit, and every destroy is answered, to the agent's life that
// asked.
//
// In some lives a launch has the steps that it has on a real machine, each of which may fail or
// take long: what comes before the shim is done by the agent's process and dies with it, the shim
// and what it began go on, and what became of it is told late (host_launches.cc).
//
// Most commands only pass time. Executors of frameworks are processes that do something: their
// residence sees to them.
//
// Commands of checks are containers inside that of their task, and end with it.
//
// Checked: no command is started twice; how a task ended is said as it was, and not before.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/effects.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace tepui::sim {

// The inputs of an agent core that come from its machine.
class HostListener {
 public:
  virtual ~HostListener() = default;
  virtual void on_launched(const ContainerId& id, int64_t pid) = 0;
  virtual void on_launch_failed(const ContainerId& id, const Error& error) = 0;
  virtual void on_absent(const ContainerId& id) = 0;
  virtual void on_exit(const ContainerId& id, const ExitRecord& record) = 0;
  virtual void on_destroyed(const ContainerId& id) = 0;
  virtual void on_resize_failed(const ContainerId& id, const Error& error) = 0;
};

// Where the executors of a machine live, as long as their containers run.
class Residence {
 public:
  virtual ~Residence() = default;
  virtual void on_executor_began(const LaunchSpec& spec) = 0;
  virtual void on_executor_ended(const ContainerId& id) = 0;
};

// An executor is told where its agent listens.
bool is_of_executor(const LaunchSpec& spec);

class SimHost {
 public:
  SimHost(World& world, const Faults& faults, Residence& residence)
      : world_(world), faults_(faults), residence_(residence) {}
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;

  // The agent's process lives, until it dies.
  void set_listener(HostListener* listener) { listener_ = listener; }
  void on_agent_died();
  // Nothing outlives that.
  void reboot();

  void launch(const LaunchSpec& spec);
  void cancel_launch(const ContainerId& id);
  void adopt(const LaunchSpec& spec);
  void signal(const ContainerId& id, int signal_number);
  void kill(const ContainerId& id);
  void destroy(const ContainerId& id);
  // Only what began can be.
  void resize(const ContainerId& id);
  // An executor ends by itself.
  void exit(const ContainerId& id, ExitRecord record);
  // What a starting agent does with what an earlier life left behind and nobody remembers.
  // Checked: no command runs among them, unless the agent is somebody else now.
  void kill_unknown(const std::set<ContainerId>& known, bool is_same_agent);

  // The agent says that a task has ended.
  void check_end(const TaskStatus& status);
  bool is_executor(const ContainerId& id) const { return executors_.contains(id); }
  bool is_running(const ContainerId& id) const;

  size_t containers() const { return containers_.size(); }  // launched and not destroyed
  size_t running() const;

 private:
  enum class Phase : uint8_t {
    kPreparing,  // by the agent's process
    kLaunching,  // its shim begins
    kFailed,     // likewise, and its agent has not heard of it
    kRunning,
    kExited,
  };
  // What is to become of a launch with steps.
  enum class Step : uint8_t { kFetch, kCgroup, kLimits, kShim, kMuteShim, kBegins, kTold };
  struct Container {
    uint64_t serial = 0;
    Phase phase = Phase::kLaunching;
    bool cancelled = false;
    bool ignores_term = false;
    bool stubborn = false;  // it was asked to end, and will not but by SIGKILL
    bool destroying = false;
    bool watched = true;                         // by the life of the agent that listens
    bool is_refused = false;                     // the agent does not run it as it is asked for
    ContainerId parent;                          // its cgroup is inside this one's
    std::shared_ptr<const LaunchSpec> executor;  // of one; else null
    ContainerId looks_at;      // it runs the command of a check of the task in there; else empty
    Step step = Step::kFetch;  // that is done next
    Step fails_at = Step::kTold;
    Instant told{};  // the newest outcome reaches the agent then
    ExitRecord end;
  };

  Container* find(const ContainerId& id, uint64_t serial);
  void finish_launch(const ContainerId& id, uint64_t serial);
  void begin(const ContainerId& id, Container& container);
  void settle_end(const ContainerId& id, Container& container);
  bool has_place(const Container& container) const;
  void kill_all_in(const ContainerId& id);
  void finish_adoption(const LaunchSpec& spec, uint64_t life);
  bool adopt_at_all(const ContainerId& id, Container& container);
  void exit_after(Duration delay, const ContainerId& id, uint64_t serial, ExitRecord record);
  void finish_destroy(const ContainerId& id, uint64_t serial);
  ExitRecord draw_exit();

  // ---- launches with steps
  bool draws(uint64_t one_in);
  Step draw_failure();
  void do_later(Duration delay, const ContainerId& id, uint64_t serial, Step step);
  void do_step(const ContainerId& id, uint64_t serial, Step step);
  void fail_launch(const ContainerId& id, Container& container, std::string why);
  void end_unseen(const ContainerId& id, Container& container);
  // In the order of the calls for one container, and only to this life of the agent.
  void tell(Container& container, std::function<void(HostListener&)> outcome);

  World& world_;
  const Faults& faults_;
  Residence& residence_;
  HostListener* listener_ = nullptr;
  std::map<ContainerId, Container> containers_;
  std::set<ContainerId> used_;       // every id of which a command was started
  std::set<ContainerId> executors_;  // likewise, of executors
  std::map<ContainerId, ExitRecord> ends_;
  uint64_t serials_ = 0;
  uint64_t lives_ = 0;
};

}  // namespace tepui::sim
