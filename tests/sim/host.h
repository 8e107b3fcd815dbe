#pragma once
// SimHost is the machine under an agent: the containers it runs. They outlive the agent's process.
//
// Invariant: as agent/effects.h promises, a launch is answered once, after on_launched comes
// exactly one on_exit, and every destroy is answered, as long as somebody listens.

#include <cstdint>
#include <map>
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
  virtual void on_exit(const ContainerId& id, const ExitRecord& record) = 0;
  virtual void on_destroyed(const ContainerId& id) = 0;
};

class SimHost {
 public:
  SimHost(World& world, const Faults& faults) : world_(world), faults_(faults) {}
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;

  // Null while the agent's process is dead.
  void set_listener(HostListener* listener) { listener_ = listener; }

  void launch(const LaunchSpec& spec);
  void signal(const ContainerId& id, int signal_number);
  void kill(const ContainerId& id);
  void destroy(const ContainerId& id);
  // What a starting agent does with what an earlier life left behind.
  void kill_all();

  size_t containers() const { return containers_.size(); }  // launched and not destroyed
  size_t running() const;

 private:
  enum class Phase : uint8_t { kLaunching, kRunning, kExited };
  struct Container {
    uint64_t serial = 0;
    Phase phase = Phase::kLaunching;
    bool ignores_term = false;
    bool stubborn = false;  // it was asked to end, and will not but by SIGKILL
    bool destroying = false;
  };

  Container* find(const ContainerId& id, uint64_t serial);
  void finish_launch(const ContainerId& id, uint64_t serial);
  void exit_after(Duration delay, const ContainerId& id, uint64_t serial, ExitRecord record);
  void finish_destroy(const ContainerId& id, uint64_t serial);
  ExitRecord draw_exit();

  World& world_;
  const Faults& faults_;
  HostListener* listener_ = nullptr;
  std::map<ContainerId, Container> containers_;
  std::map<ContainerId, bool> used_;  // every id this machine has ever seen
  uint64_t serials_ = 0;
};

}  // namespace tepui::sim
