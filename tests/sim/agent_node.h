#pragma once
// AgentNode is one machine with its agent: the real core, simulated effects, and a host whose
// containers outlive the process, as what it remembers and the processes of executors do. Some
// lives keep a journal. When they end it is replayed, and must give the same outputs.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/recorded_agent.h"
#include "tests/sim/alarm.h"
#include "tests/sim/disks.h"
#include "tests/sim/election.h"
#include "tests/sim/executor_node.h"
#include "tests/sim/fates.h"
#include "tests/sim/faults.h"
#include "tests/sim/finder.h"
#include "tests/sim/host.h"
#include "tests/sim/launches.h"
#include "tests/sim/network.h"
#include "tests/sim/store.h"
#include "tests/sim/world.h"
#include "tests/sim/write_ahead.h"

namespace tepui::sim {

class AgentNode final : public End,
                        public AgentEffects,
                        public HostListener,
                        private Residence,
                        private JournalSink {
 public:
  struct Surroundings {
    World& world;
    const Faults& faults;
    Network& network;
    Election& election;
    Fates& fates;
  };
  AgentNode(Surroundings around, NodeId node, Resources resources);

  void start();
  void crash(std::string_view why);
  // It is started again, if it is down.
  void come_back();
  void shutdown();
  void leave();
  void set_tunables(const AgentTunables& tunables);
  // The machine has other revocable resources from now on.
  void change_revocable(const Resources& revocable);
  const Agent* agent() const { return agent_ == nullptr ? nullptr : &agent_->agent(); }
  const SimHost& host() const { return host_; }
  NodeId node() const { return node_; }
  void replay_journal();
  // Empty when nothing is left to do.
  std::string what_is_left() const;

  // End
  void on_link_up(LinkNumber link) override;
  void on_payload(LinkNumber link, const Payload& payload) override;
  void on_link_down(LinkNumber link, std::string_view why) override;
  void on_link_congested(LinkNumber) override {}
  void on_link_ready(LinkNumber) override {}

  // HostListener
  void on_launched(const ContainerId& id, int64_t pid) override;
  void on_launch_failed(const ContainerId& id, const Error& error) override;
  void on_absent(const ContainerId& id) override;
  void on_exit(const ContainerId& id, const ExitRecord& record) override;
  void on_destroyed(const ContainerId& id) override;
  void on_resize_failed(const ContainerId& id, const Error& error) override;

  // Residence
  void on_executor_began(const LaunchSpec& spec) override;
  void on_executor_ended(const ContainerId& id) override;

  // JournalSink
  bool append(const JournalRecord& record) override;

  // AgentEffects
  void send(const AgentToMaster& message) override;
  void reconnect(std::string_view why) override;
  void launch(const LaunchSpec& spec) override;
  void adopt(const LaunchSpec& spec) override;
  void append(uint64_t serial, AgentRecord record) override;
  void cancel_launch(const ContainerId& id) override;
  void signal(const ContainerId& id, int signal_number) override;
  void kill(const ContainerId& id) override;
  void destroy(const ContainerId& id) override;
  void resize(const ContainerId& id, const IsolationPlan& plan) override;
  void send_executor(SessionId to, const AgentToExecutor& message) override;
  void close_executor(SessionId session, std::string_view why) override;
  void probe(uint64_t number, const CheckInfo& check) override;
  void end_probe(uint64_t) override {}  // the core no longer knows its number
  void checkpoint(const AgentCheckpoint& checkpoint) override;
  void wake_at(Instant when) override;
  void exit(std::string_view why) override;
  void on_event(const Event& event) override;

 private:
  AgentConfig configure();
  bool is_old() const;
  bool draws(uint64_t one_in);
  // Sometimes it dies in the middle of what it does with a container.
  void die_sometimes();
  // Fills in the containers that are remembered.
  RecoveryKind prepare_host(const RecoveredAgent& memory, const AgentConfig& config,
                            std::set<ContainerId>& known);
  void on_written(uint64_t serial, const AgentRecord& record, const Result<void>& durable);
  void on_status(const FrameworkId& framework, const TaskStatus& status);
  void on_container_ended(const ContainerId& id);
  Resources machine() const;
  void connect_later();
  void on_other_master();
  void after_input();
  Fates::AgentLife life() const { return {.agent = node_, .life = identity_}; }

  Surroundings around_;
  World& world_;
  const NodeId node_;
  Resources resources_;
  Resources most_revocable_;  // since no task ran: they keep what they were given
  SimDisks disks_;
  SimStore memory_;
  WriteAhead write_ahead_;
  Launches launches_;
  SimHost host_;
  uint32_t life_ = 0;
  uint32_t identity_ = 0;  // how often it has been somebody new
  uint32_t boots_ = 1;
  LinkNumber link_ = 0;  // 0: none
  bool link_up_ = false;
  bool work_due_ = false;
  bool dying_ = false;
  uint64_t epoch_seen_ = 0;
  uint64_t inputs_ = 0;
  struct ExecutorLink {
    FrameworkId framework;  // once it has subscribed, like the next
    ContainerId container;
  };
  std::map<LinkNumber, ExecutorLink> executor_links_;
  std::map<ContainerId, std::unique_ptr<ExecutorNode>> executors_;  // processes that run
  NodeId executors_born_ = 0;
  std::map<Uuid, FrameworkId> made_for_;  // statuses of this process
  std::vector<std::byte> journal_;
  std::unique_ptr<RecordedAgent> agent_;
  std::unique_ptr<Finder> finder_;
  Alarm alarm_;
};

}  // namespace tepui::sim
