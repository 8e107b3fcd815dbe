#pragma once
// SchedulerNode is the process of one framework's scheduler: the real core, simulated effects, and
// the framework that outlives it.

#include <memory>

#include "sdk/scheduler.h"
#include "tests/sim/alarm.h"
#include "tests/sim/election.h"
#include "tests/sim/faults.h"
#include "tests/sim/finder.h"
#include "tests/sim/framework.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class SchedulerNode final : public End, public SchedulerEffects {
 public:
  struct Surroundings {
    World& world;
    const Faults& faults;
    Network& network;
    Election& election;
  };
  SchedulerNode(Surroundings around, NodeId node, SimFramework& framework);

  void start();
  void crash(std::string_view why);
  bool alive() const { return scheduler_ != nullptr; }
  NodeId node() const { return node_; }
  SimFramework& framework() const { return framework_; }

  void on_link_up(LinkNumber link) override;
  void on_payload(LinkNumber link, const Payload& payload) override;
  void on_link_down(LinkNumber link, std::string_view why) override;
  void on_link_congested(LinkNumber) override {}
  void on_link_ready(LinkNumber) override {}

  void send(const SchedulerToMaster& message) override;
  void reconnect(std::string_view why) override;
  void wake_at(Instant when) override;
  void on_event(const Event& event) override;

 private:
  void connect_later();
  void on_other_master();
  void after_input();
  void tick();

  Surroundings around_;
  World& world_;
  const NodeId node_;
  SimFramework& framework_;
  uint32_t life_ = 0;
  LinkNumber link_ = 0;
  bool link_up_ = false;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Finder> finder_;
  Alarm alarm_;
};

}  // namespace tepui::sim
