#include "tests/sim/master_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "master/journal_replay.h"
#include "tests/sim/describe.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
// The full audit sums everything from scratch, which takes as long as there are agents, and inputs
// come as often as there are agents; the ledger looks after every turn.
constexpr uint64_t kInputsPerAudit = 16;
constexpr uint64_t kInputsPerAgentAndAudit = 8;
// A replay costs as much as the life did, so one in so many keeps a journal, up to so much.
constexpr uint64_t kLivesPerJournal = 8;
constexpr size_t kJournalBytesMax = size_t{16} << 20;

struct NoEvents final : EventSink {
  void on_event(const Event&) override {}
};
}  // namespace

MasterNode::MasterNode(Surroundings around, NodeId node)
    : around_(around), world_(around.world), node_(node), alarm_(around.world, [this] {
        if (master_ == nullptr) return;
        begin_turn();
        master_->on_time(world_.now());
        after_input();
      }) {}

void MasterNode::start() {
  ++life_;
  dying_ = false;
  leads_ = false;
  work_due_ = false;
  epoch_ = 0;
  terms_ = 0;
  MasterConfig config;
  config.build = "sim";
  config.hostname = fmt::format("master{}", node_);
  config.weights = {{"role1", 2000}};
  config.tunables = around_.faults.master;
  ledger_ = std::make_unique<Ledger>(world_);
  MasterMakeup makeup{.config = std::move(config),
                      .allocator = {},
                      .seed = world_.rng().next(),
                      .allocator_seed = world_.rng().next()};
  allocator_ = std::make_unique<DrfAllocator>(makeup.allocator, makeup.allocator_seed);
  master_ = std::make_unique<RecordedMaster>(std::move(makeup), *allocator_, authorizer_, *this);
  journal_.clear();
  if (world_.rng().chance(1, kLivesPerJournal)) master_->record_to(*this, world_.now());
  around_.network.set_end(node_, this);
  if (SimEnsemble* ensemble = around_.election.ensemble()) {
    seat_ = std::make_unique<Seat>(world_, *ensemble, node_, fmt::format("{}", node_),
                                   static_cast<StoreClient&>(*this),
                                   static_cast<CoordinatorClient&>(*this));
    around_.election.set_lease(node_, [this] { return leads_ && seat_->may_lead(); });
    return seat_->contend();
  }
  if (around_.election.leader() == 0) lead();
}

void MasterNode::lead() {
  if (master_ == nullptr || leads_) return;
  const SimStore::Opened opened = around_.store.open();
  begin_epoch(opened.epoch, opened.contents);
}

void MasterNode::begin_epoch(uint64_t epoch, const StoreContents& contents) {
  if (around_.election.leader() != 0 && around_.election.leader() != node_) {
    world_.reached("master.two_lead");
  }
  leads_ = true;
  epoch_ = epoch;
  if (epoch == registry_epoch()) around_.election.elect(node_);
  world_.reached("master.elected");
  if (++terms_ > 1) world_.reached("master.elected_again");
  if (world_.tracing()) world_.trace(fmt::format("master {} leads epoch {}", node_, epoch_));
  master_->on_elected(world_.now(), epoch_, contents);
  after_input();
}

// ------------------------------------------------------------------------------------------ seat

void MasterNode::on_elected(uint64_t epoch, StoreContents contents) {
  around_.witness.on_opened(epoch, contents);
  if (epoch == around_.witness.epoch()) around_.election.check_leases(node_);
  begin_epoch(epoch, contents);
}

void MasterNode::on_deposed(std::string_view why) {
  world_.reached("master.deposed");
  if (world_.tracing()) world_.trace(fmt::format("master {} is deposed: {}", node_, why));
  leads_ = false;
  master_->on_deposed(world_.now(), why);
  ledger_ = std::make_unique<Ledger>(world_);
  if (around_.election.leader() == node_) around_.election.vacate();
  after_input();
}

void MasterNode::on_persisted(uint64_t token) {
  around_.witness.on_persisted(epoch_, token);
  persisted(token, {});
}

void MasterNode::on_persist_failed(uint64_t token, Error error) {
  around_.witness.on_failed(epoch_, token);
  persisted(token, std::unexpected(std::move(error)));
}

void MasterNode::begin_turn() {
  if (seat_ != nullptr) seat_->begin_turn();
}

uint64_t MasterNode::registry_epoch() const {
  return seat_ == nullptr ? around_.store.epoch() : around_.witness.epoch();
}

bool MasterNode::registry_holds(std::string_view suffix) const {
  return seat_ == nullptr ? around_.store.holds(suffix) : around_.witness.holds(suffix);
}

// ----------------------------------------------------------------------------------------- chaos

void MasterNode::lose_election() {
  if (!leads_) return;
  world_.reached("master.deposed");
  const Duration late = world_.rng().chance(1, 2) ? world_.up_to(100ms) : world_.up_to(60s);
  world_.after(late, [this, life = life_] {
    if (life != life_ || master_ == nullptr) return;
    leads_ = false;
    master_->on_deposed(world_.now(), "another master was elected");
    after_input();
    if (master_ != nullptr && !dying_) crash("deposed");
  });
}

void MasterNode::crash(std::string_view why) {
  if (master_ == nullptr) return;
  if (world_.tracing()) world_.trace(fmt::format("master {} dies: {}", node_, why));
  const bool held_lock = around_.election.leader() == node_;
  if (held_lock && seat_ == nullptr) around_.store.crash();
  replay_journal();
  ++life_;
  around_.election.set_lease(node_, {});
  seat_.reset();
  leads_ = false;
  alarm_.cancel();
  around_.network.set_end(node_, nullptr);
  master_.reset();
  allocator_.reset();
  ledger_.reset();
  if (held_lock) around_.election.vacate();
  world_.after(world_.up_to(2s), [this] { start(); });
}

bool MasterNode::append(const JournalRecord& record) {
  if (journal_.size() > kJournalBytesMax) return false;
  append_record(journal_, journal_.size(), record);
  return true;
}

void MasterNode::replay_journal() {
  if (journal_.empty()) return;
  world_.reached("master.replayed");
  NoEvents events;
  JournalReplay replay(journal_, events);
  Result<bool> more = true;
  while (more && *more) more = replay.step();
  if (!more) world_.violated("replay", more.error().message);
  journal_.clear();
}

void MasterNode::die(std::string_view why) {
  if (dying_) return;
  dying_ = true;
  world_.after(0ns, [this, life = life_, why = std::string(why)] {
    if (life == life_) crash(why);
  });
}

void MasterNode::set_tunables(const MasterTunables& tunables) {
  if (master_ == nullptr) return;
  begin_turn();
  master_->on_tunables(world_.now(), tunables);
  after_input();
}

namespace {
// Picks a task out of the state as a reader sees it.
struct TaskPicker final : EventSink {
  std::vector<Task> tasks;
  void on_event(const Event& event) override {
    if (const auto* added = std::get_if<event::TaskAdded>(&event)) tasks.push_back(*added->task);
  }
};
}  // namespace

Task MasterNode::any_task() {
  if (master_ == nullptr) return {};
  TaskPicker picker;
  ReplayCursor cursor;
  while (!master_->master().replay_state(picker, cursor, 3)) {
  }
  if (picker.tasks.empty()) return {};
  return picker.tasks[world_.rng().below(picker.tasks.size())];
}

void MasterNode::kill_as_operator(const FrameworkId& framework, const TaskId& task) {
  if (master_ == nullptr) return;
  world_.reached("operator.kill");
  begin_turn();
  master_->on_message(world_.now(), SessionId{}, "operator",
                      OperatorKill{.framework_id = framework, .task_id = task, .kill_policy = {}});
  after_input();
}

void MasterNode::command(const OperatorRequest& request) {
  if (master_ == nullptr) return;
  begin_turn();
  master_->on_message(world_.now(), SessionId{}, "operator", request);
  after_input();
}

// -------------------------------------------------------------------------------------- inputs

void MasterNode::on_payload(LinkNumber link, const Payload& payload) {
  begin_turn();
  if (const auto* message = std::get_if<SchedulerToMaster>(&payload)) {
    master_->on_message(world_.now(), SessionId{link}, *message);
  } else if (const auto* other = std::get_if<AgentToMaster>(&payload)) {
    updated_.reset();
    master_->on_message(world_.now(), SessionId{link}, *other);
    if (std::holds_alternative<UpdateAgent>(*other) && updated_) {
      ledger_->check_rescinded(*updated_);
    }
  }
  after_input();
}

void MasterNode::on_link_down(LinkNumber link, std::string_view why) {
  begin_turn();
  master_->on_peer_lost(world_.now(), SessionId{link}, why);
  after_input();
}

void MasterNode::on_link_congested(LinkNumber link) {
  begin_turn();
  master_->on_peer_congested(world_.now(), SessionId{link});
  after_input();
}

void MasterNode::on_link_ready(LinkNumber link) {
  begin_turn();
  master_->on_peer_ready(world_.now(), SessionId{link});
  after_input();
}

void MasterNode::persisted(uint64_t token, const Result<void>& result) {
  if (result) {
    master_->on_persisted(world_.now(), token);
  } else {
    master_->on_persist_failed(world_.now(), token, result.error());
  }
  after_input();
}

// Several inputs may come in one turn before its batched work is done.
void MasterNode::after_input() {
  if (master_ == nullptr) return;
  if (++inputs_ >= audit_at_) audit();
  ledger_->check();
  if (work_due_) return;
  work_due_ = true;
  world_.after(world_.up_to(100us), [this, life = life_] {
    if (life == life_ && master_ != nullptr) work();
  });
}

void MasterNode::work() {
  work_due_ = false;
  begin_turn();
  const AllocatorStats before = allocator_->stats();
  const bool more = master_->work(world_.now());
  if (allocator_->stats().loans > before.loans) world_.reached("allocator.loan");
  if (allocator_->stats().recalls > before.recalls) world_.reached("allocator.recall");
  ledger_->check();
  if (!more || work_due_) return;
  world_.reached("master.sliced_round");
  work_due_ = true;
  world_.after(world_.up_to(100us), [this, life = life_] {
    if (life == life_ && master_ != nullptr) work();
  });
}

void MasterNode::audit() {
  audit_at_ = inputs_ + std::max(kInputsPerAudit, master_->master().totals().agents_active *
                                                      kInputsPerAgentAndAudit);
  if (const Result<void> books = master_->master().audit(); !books) {
    world_.violated("books", books.error().message);
  }
  if (const Result<void> shares = allocator_->audit(); !shares) {
    world_.violated("allocator", shares.error().message);
  }
}

// ------------------------------------------------------------------------------------- effects

void MasterNode::send(SessionId to, const MasterToScheduler& message) {
  if (!may_speak()) return world_.reached("master.held_back");
  around_.network.send(to.value, node_, message);
}

void MasterNode::send(SessionId to, const MasterToAgent& message) {
  if (!may_speak()) return world_.reached("master.held_back");
  if (const auto* registered = std::get_if<Registered>(&message)) {
    // Epochs are fenced: a deposed master may say what was durable in its own time.
    if (epoch_ == registry_epoch() && !registry_holds("agents/" + registered->agent_id.value)) {
      world_.violated("durability", fmt::format("agent {} is told that it is registered before the "
                                                "registry is durable",
                                                registered->agent_id.value));
    }
  }
  around_.network.send(to.value, node_, message);
}

void MasterNode::close(SessionId session, std::string_view why) {
  if (world_.tracing()) {
    world_.trace(fmt::format("master {} closes {}: {}", node_, session.value, why));
  }
  around_.network.close(session.value, node_, why);
}

void MasterNode::persist(uint64_t token, std::vector<StoreWrite> batch) {
  const uint64_t crash_one_in = around_.faults.disk.crash_one_in;
  if (crash_one_in != 0 && world_.rng().chance(1, crash_one_in)) {
    world_.reached("master.crash_at_write");
    world_.after(world_.up_to(around_.faults.disk.sync_max * 2), [this, life = life_] {
      if (life == life_) crash("at a write");
    });
  }
  if (seat_ != nullptr) {
    around_.witness.on_write(epoch_, token, batch);
    return seat_->write(epoch_, token, std::move(batch));
  }
  around_.store.write(epoch_, std::move(batch), [this, token, life = life_](Result<void> result) {
    if (life == life_ && master_ != nullptr) persisted(token, result);
  });
}

void MasterNode::wake_at(Instant when) { alarm_.set(when); }

void MasterNode::resign(std::string_view why) {
  world_.reached("master.resigned");
  if (seat_ != nullptr) return seat_->resign(why);
  die(why);
}

// What an operator commanded counts only once it is durable.
void MasterNode::check_durable(const Event& event) {
  if (epoch_ != registry_epoch()) return;
  std::string key;
  if (const auto* quota = std::get_if<event::QuotaChanged>(&event)) {
    if (!quota->quota->is_default()) key = "quota/" + std::string(quota->role);
  } else if (const auto* standing = std::get_if<event::AgentStanding>(&event)) {
    if (standing->deactivated) key = "drain/" + standing->id->value;
  }
  if (key.empty() || registry_holds(key)) return;
  world_.violated("durability", fmt::format("'{}' counts before it is durable", key));
}

void MasterNode::on_event(const Event& event) {
  world_.note(0x6d00 + event.index());
  if (world_.tracing() && !std::holds_alternative<event::AllocationRan>(event)) {
    world_.trace(fmt::format("master {}: {}", node_, to_line(event)));
  }
  if (const auto* removed = std::get_if<event::FrameworkRemoved>(&event)) {
    around_.fates.on_framework_removed(*removed->id);
  }
  if (const auto* updated = std::get_if<event::AgentUpdated>(&event)) updated_ = updated->info->id;
  check_durable(event);
  if (ledger_ != nullptr) ledger_->on_event(event);
}

}  // namespace tepui::sim
