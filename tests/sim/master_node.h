#pragma once
// MasterNode is the process of one master: the real core and the real allocator, simulated effects.
//
// The registry is on a disk whose lock elects, or on an ensemble, as the Election says; then a
// deposed master goes on as a follower, in the same life.
//
// Some lives keep a journal. When they end it is replayed, and must give the same outputs.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "master/allocator/drf_allocator.h"
#include "master/recorded_master.h"
#include "tests/sim/alarm.h"
#include "tests/sim/election.h"
#include "tests/sim/fates.h"
#include "tests/sim/faults.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/seat.h"
#include "tests/sim/store.h"
#include "tests/sim/witness.h"
#include "tests/sim/world.h"

namespace tepui::sim {

class MasterNode final : public End,
                         public MasterEffects,
                         private JournalSink,
                         private StoreClient,
                         private CoordinatorClient {
 public:
  struct Surroundings {
    World& world;
    const Faults& faults;
    Network& network;
    SimStore& store;
    Witness& witness;
    Election& election;
    Fates& fates;
  };
  MasterNode(Surroundings around, NodeId node);

  void start();
  // The process dies; it starts again after a while.
  void crash(std::string_view why);
  bool alive() const { return master_ != nullptr; }
  bool leads() const { return leads_; }
  NodeId node() const { return node_; }
  void lead();
  // Another was elected; this one is told late.
  void lose_election();
  void set_tunables(const MasterTunables& tunables);
  void kill_as_operator(const FrameworkId& framework, const TaskId& task);
  void command(const OperatorRequest& request);
  // A task that is active now, for an operator to kill; empty ids: none.
  Task any_task();

  const Master* master() const { return master_ == nullptr ? nullptr : &master_->master(); }
  // Of the life so far; nothing if none is kept.
  void replay_journal();
  const Ledger* ledger() const { return ledger_.get(); }
  const Allocator* allocator() const { return allocator_.get(); }

  // End
  void on_link_up(LinkNumber) override {}
  void on_payload(LinkNumber link, const Payload& payload) override;
  void on_link_down(LinkNumber link, std::string_view why) override;
  void on_link_congested(LinkNumber link) override;
  void on_link_ready(LinkNumber link) override;

  // MasterEffects
  void send(SessionId to, const MasterToScheduler& message) override;
  void send(SessionId to, const MasterToAgent& message) override;
  void send(SessionId, const RequestDone&) override {}
  void send(SessionId, const Explanation&) override {}
  void close(SessionId session, std::string_view why) override;
  void persist(uint64_t token, std::vector<StoreWrite> batch) override;
  void wake_at(Instant when) override;
  void resign(std::string_view why) override;
  void on_event(const Event& event) override;

 private:
  // JournalSink
  bool append(const JournalRecord& record) override;

  // StoreClient and CoordinatorClient, of the seat
  void on_persisted(uint64_t token) override;
  void on_persist_failed(uint64_t token, Error error) override;
  void on_elected(uint64_t epoch, StoreContents contents) override;
  void on_deposed(std::string_view why) override;

  void begin_turn();
  // Nothing that a leader says after its lease may leave.
  bool may_speak() const { return seat_ == nullptr || !leads_ || seat_->may_lead(); }
  uint64_t registry_epoch() const;
  bool registry_holds(std::string_view suffix) const;
  void begin_epoch(uint64_t epoch, const StoreContents& contents);
  void die(std::string_view why);
  void persisted(uint64_t token, const Result<void>& result);
  void after_input();
  void work();
  void audit();
  void check_durable(const Event& event);

  Surroundings around_;
  World& world_;
  const NodeId node_;
  uint32_t life_ = 0;
  uint32_t terms_ = 0;  // as leader, in this life
  bool leads_ = false;
  bool work_due_ = false;
  bool dying_ = false;
  uint64_t epoch_ = 0;
  uint64_t inputs_ = 0;
  uint64_t audit_at_ = 0;  // the input after which all is summed again
  AllowAll authorizer_;
  std::optional<AgentId> updated_;  // by the message that is being heard
  std::unique_ptr<DrfAllocator> allocator_;
  std::unique_ptr<Ledger> ledger_;
  std::vector<std::byte> journal_;
  std::unique_ptr<RecordedMaster> master_;
  std::unique_ptr<Seat> seat_;  // on an ensemble
  Alarm alarm_;
};

}  // namespace tepui::sim
