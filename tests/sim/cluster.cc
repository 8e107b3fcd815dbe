#include "tests/sim/cluster.h"

#include <fmt/format.h>

#include <utility>

#include "common/loans.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr uint32_t kMastersOfALock = 2;
constexpr uint32_t kMastersOfAnEnsemble = 3;

Faults draw_faults(World& world, const Size& size) {
  Faults faults = Faults::draw(world.rng());
  // Of their own, so that all else is drawn as it was before there were ensembles.
  Rng rng(world.seed() ^ 0x7a6b);
  faults.ensemble = EnsembleFaults::draw(rng);
  faults.upgrades = rng.chance(1, 8);
  if (faults.upgrades) {
    // The first release had no commands of operators and no revocable resources.
    faults.chaos.operator_command = faults.chaos.revocable = {};
  }
  faults.executors = ExecutorFaults::draw(rng);
  faults.executors.are_used = faults.executors.are_used && !faults.upgrades;
  faults.launches = LaunchFaults::draw(rng);
  if (size.is_tuned_by_default) {
    faults.master = {};
    faults.agent = {};
    faults.chaos.tunables = {};
  }
  if (faults.executors.are_used) faults.executors.tune(faults.agent);
  return faults;
}
}  // namespace

Cluster::Cluster(World& world, const Size& size)
    : world_(world),
      faults_(draw_faults(world, size)),
      network_(world, faults_),
      store_(world, faults_.disk),
      witness_(world),
      ensemble_(world, faults_.ensemble),
      election_(world, faults_, faults_.ensemble.is_used ? &ensemble_ : nullptr),
      fates_(world),
      operator_(world, [this](const OperatorRequest& request) {
        MasterNode* master = leader();
        if (master != nullptr) master->command(request);
      }) {
  Rng& rng = world.rng();
  const uint32_t agents = size.agents != 0 ? size.agents : static_cast<uint32_t>(rng.between(1, 6));
  const uint32_t frameworks =
      size.frameworks != 0 ? size.frameworks : static_cast<uint32_t>(rng.between(1, 4));
  const uint32_t tasks = size.tasks != 0 ? size.tasks : static_cast<uint32_t>(rng.between(1, 25));
  NodeId next = 1;
  const uint32_t masters = faults_.ensemble.is_used ? kMastersOfAnEnsemble : kMastersOfALock;
  for (uint32_t i = 0; i < masters; ++i) {
    masters_.push_back(std::make_unique<MasterNode>(
        MasterNode::Surroundings{world, faults_, network_, store_, witness_, election_, fates_},
        next++));
    nodes_.push_back(masters_.back()->node());
  }
  for (uint32_t i = 0; i < agents; ++i) {
    Resources resources = Resources::scalars({{"cpus", rng.between(2, 8) * 1000},
                                              {"mem", rng.between(1, 4) * 1024000},
                                              {"disk", rng.between(1, 9) * 100000}});
    // Some have disks beside that of the work directory.
    for (const Disk::Source source : {Disk::Source::kPath, Disk::Source::kMount}) {
      if (!rng.chance(1, 3)) continue;
      const Disk disk{.source = source,
                      .source_root = source == Disk::Source::kPath ? "/mnt/path" : "/mnt/mount"};
      resources += *Resources::create({{.kind = make_kind({.name = "disk", .disk = disk}),
                                        .amount = Amount{rng.between(1, 9) * 100000}}});
    }
    agents_.push_back(std::make_unique<AgentNode>(
        AgentNode::Surroundings{world, faults_, network_, election_, fates_}, next++,
        std::move(resources)));
    nodes_.push_back(agents_.back()->node());
  }
  for (uint32_t i = 0; i < frameworks; ++i) {
    frameworks_.push_back(std::make_unique<SimFramework>(world, fates_, i, tasks));
    if (faults_.executors.are_used) frameworks_.back()->use_executors();
    schedulers_.push_back(std::make_unique<SchedulerNode>(
        SchedulerNode::Surroundings{world, faults_, network_, election_}, next++,
        *frameworks_.back()));
    nodes_.push_back(schedulers_.back()->node());
  }
}

// In any order, each at its own time.
void Cluster::plan_upgrades() {
  for (const auto& framework : frameworks_) framework->use_only_what_was_released();
  for (const NodeId node : nodes_) {
    network_.set_released(node, true);
    world_.after(world_.up_to(60s), [this, node] { upgrade(node); });
  }
}

void Cluster::upgrade(NodeId node) {
  if (!network_.is_released(node)) return;
  world_.reached("node.upgraded");
  const auto restart = [&](const auto& all) {
    for (const auto& one : all) {
      if (one->node() == node) one->crash("it is upgraded");
    }
  };
  restart(masters_);
  restart(agents_);
  restart(schedulers_);
  network_.set_released(node, false);
}

void Cluster::start() {
  if (faults_.upgrades) plan_upgrades();
  for (const auto& master : masters_) master->start();
  for (const auto& agent : agents_) {
    world_.after(world_.up_to(2s), [node = agent.get()] { node->start(); });
  }
  for (const auto& scheduler : schedulers_) {
    world_.after(world_.up_to(2s), [node = scheduler.get()] { node->start(); });
  }
  const ChaosFaults& chaos = faults_.chaos;
  haunt(chaos.partition, &Cluster::strike_partition);
  haunt(chaos.isolation, &Cluster::strike_isolation);
  haunt(chaos.master_crash, &Cluster::strike_master);
  haunt(chaos.master_depose, &Cluster::strike_leader_lock);
  haunt(chaos.agent_crash, &Cluster::strike_agent);
  haunt(chaos.scheduler_crash, &Cluster::strike_scheduler);
  if (faults_.ensemble.is_used) {
    haunt(faults_.ensemble.cut, &Cluster::strike_ensemble_cut);
    haunt(faults_.ensemble.outage, &Cluster::strike_ensemble);
    haunt(faults_.ensemble.expiry, &Cluster::strike_session);
    haunt(faults_.ensemble.removal, &Cluster::strike_contender);
  }
  haunt(chaos.clock_jump, &Cluster::strike_clock);
  haunt(chaos.tunables, &Cluster::strike_tunables);
  haunt(chaos.operator_kill, &Cluster::strike_task);
  haunt(chaos.operator_command, &Cluster::strike_operator);
  haunt(chaos.revocable, &Cluster::strike_revocable);
}

void Cluster::replay_journals() {
  for (const auto& master : masters_) master->replay_journal();
  for (const auto& agent : agents_) agent->replay_journal();
}

void Cluster::heal() {
  healed_ = true;
  faults_ = Faults::healed(faults_);
  network_.unblock_all();
  ensemble_.heal();
  for (const auto& master : masters_) master->set_tunables(faults_.master);
  for (const auto& agent : agents_) agent->set_tunables(faults_.agent);
  for (const auto& framework : frameworks_) framework->calm();
  take_back();
  repeat_kills();
  for (const auto& agent : agents_) agent->come_back();
  for (const NodeId node : nodes_) upgrade(node);  // the rest: nothing restarts in peace
}

// ---------------------------------------------------------------------------------------- chaos

void Cluster::haunt(Duration every, void (Cluster::*strike)()) {
  if (every == Duration{}) return;
  world_.after(world_.up_to(every * 2), [this, every, strike] {
    if (healed_) return;
    (this->*strike)();
    haunt(every, strike);
  });
}

void Cluster::block_for_a_while(NodeId from, NodeId to, Duration time) {
  network_.block(from, to);
  world_.after(time, [this, from, to] { network_.unblock(from, to); });
}

void Cluster::strike_partition() {
  const NodeId master = masters_[world_.rng().below(masters_.size())]->node();
  const size_t masters = masters_.size();
  const NodeId other = nodes_[masters + world_.rng().below(nodes_.size() - masters)];
  const Duration time = world_.up_to(world_.rng().chance(1, 2) ? 1s : 60s);
  const uint64_t kind = world_.rng().below(3);
  world_.reached(kind == 0 ? "partition.full" : "partition.one_way");
  if (kind != 1) block_for_a_while(master, other, time);
  if (kind != 2) block_for_a_while(other, master, time);
}

void Cluster::strike_isolation() {
  const NodeId alone = nodes_[world_.rng().below(nodes_.size())];
  const Duration time = world_.up_to(60s);
  world_.reached("partition.isolated");
  if (faults_.ensemble.is_used) ensemble_.cut(alone, time);
  for (const NodeId other : nodes_) {
    if (other == alone) continue;
    block_for_a_while(alone, other, time);
    block_for_a_while(other, alone, time);
  }
}

MasterNode* Cluster::leader() const {
  for (const auto& master : masters_) {
    if (master->node() == election_.leader()) return master.get();
  }
  return nullptr;
}

void Cluster::strike_master() {
  MasterNode* struck = leader();
  if (struck == nullptr) return;
  world_.reached("master.crash");
  struck->crash("chaos");
  if (faults_.ensemble.is_used) return;
  MasterNode* other = masters_[world_.rng().below(masters_.size())].get();
  if (other->alive() && election_.leader() == 0) {
    world_.after(world_.up_to(2s), [this, other] {
      if (election_.leader() == 0) other->lead();
    });
  }
}

// The lock goes to another master; the one before believes for a while that it still leads.
void Cluster::strike_leader_lock() {
  if (faults_.ensemble.is_used) return strike_session();
  MasterNode* before = leader();
  for (const auto& master : masters_) {
    if (master.get() == before || !master->alive() || master->leads()) continue;
    if (before != nullptr) before->lose_election();
    return master->lead();
  }
}

// Mostly the leader: what happens to others shows less.
void Cluster::strike_ensemble_cut() {
  const MasterNode* struck = world_.rng().chance(2, 3) ? leader() : nullptr;
  const NodeId node =
      struck != nullptr ? struck->node() : nodes_[world_.rng().below(nodes_.size())];
  ensemble_.cut(node, world_.up_to(world_.rng().chance(1, 2) ? 1s : 30s));
}

void Cluster::strike_ensemble() { ensemble_.begin_outage(world_.up_to(20s)); }

void Cluster::strike_session() {
  const MasterNode* struck = leader();
  if (struck == nullptr) struck = masters_[world_.rng().below(masters_.size())].get();
  ensemble_.end_session(struck->node());
}

// By somebody at a shell of ZooKeeper.
void Cluster::strike_contender() {
  const std::string path(kClusterPath);
  std::vector<std::string> names = ensemble_.tree().children(path);
  std::erase_if(names, [](const std::string& name) { return !is_contender(name); });
  if (names.empty()) return;
  world_.reached("ensemble.contender_removed");
  ensemble_.remove(path + '/' + names[world_.rng().below(names.size())]);
}

void Cluster::strike_agent() {
  AgentNode& struck = *agents_[world_.rng().below(agents_.size())];
  if (world_.rng().chance(1, 6)) return struck.shutdown();
  if (world_.rng().chance(1, 6)) return struck.leave();
  world_.reached("agent.crash");
  struck.crash("chaos");
}

void Cluster::strike_scheduler() {
  world_.reached("scheduler.crash");
  schedulers_[world_.rng().below(schedulers_.size())]->crash("chaos");
}

void Cluster::strike_clock() {
  world_.reached("clock.jump");
  world_.jump_wall(Duration(world_.rng().between(-(3600s / 1ns), 3600s / 1ns)));
}

void Cluster::strike_tunables() {
  world_.reached("tunables");
  faults_.master = draw_master_tunables(world_.rng());
  faults_.agent = draw_agent_tunables(world_.rng());
  if (faults_.executors.are_used) faults_.executors.tune(faults_.agent);
  for (const auto& master : masters_) master->set_tunables(faults_.master);
  for (const auto& agent : agents_) agent->set_tunables(faults_.agent);
}

void Cluster::strike_task() {
  MasterNode* master = leader();
  if (master == nullptr) return;
  const Task task = master->any_task();
  if (task.id.empty()) return;
  killed_.emplace_back(task.framework_id, task.id);
  master->kill_as_operator(task.framework_id, task.id);
}

void Cluster::strike_operator() {
  commanded_ = true;
  operator_.strike(known_to_operators());
}

void Cluster::strike_revocable() {
  AgentNode& struck = *agents_[world_.rng().below(agents_.size())];
  const int64_t milli = world_.rng().between(0, 4) * 1000;
  struck.change_revocable(as_revocable(Resources::scalars({{"cpus", milli}})));
}

SimOperator::Known Cluster::known_to_operators() const {
  SimOperator::Known known;
  for (const auto& agent : agents_) {
    if (agent->agent() == nullptr) continue;
    known.hosts.push_back(agent->agent()->info().hostname);
    if (agent->agent()->info().id.empty()) continue;
    known.agents.push_back(agent->agent()->info().id);
    known.totals.push_back(agent->agent()->info().resources);
  }
  return known;
}

// Once more, for what is commanded may be lost: with the leader, and with an agent that had not
// remembered it when it died.
void Cluster::repeat_kills() {
  if (MasterNode* master = leader()) {
    for (const auto& [framework, task] : killed_) master->kill_as_operator(framework, task);
  }
  if (!killed_.empty()) world_.after(60s, [this] { repeat_kills(); });
}

// Again and again, for what is commanded may be lost, and who drains cannot be reactivated yet.
void Cluster::take_back() {
  if (!commanded_ || promised_milli_ != 0) return;
  operator_.take_back(known_to_operators());
  world_.after(3s, [this] { take_back(); });
}

// -------------------------------------------------------------------------------------- promises

bool Cluster::promise() {
  if (frameworks_.size() < 2 || !frameworks_[1]->is_revocable()) return false;
  MasterTunables lending = faults_.master;
  lending.lend_guarantees = true;
  for (const auto& master : masters_) master->set_tunables(lending);
  for (const auto& agent : agents_) {
    const Resources regular = agent->agent()->info().resources.non_revocable();
    promised_milli_ += regular.total_milli("cpus") / 2;
  }
  operator_.guarantee("role0", promised_milli_);
  return true;
}

void Cluster::let_borrow() { frameworks_[1]->hoard(true); }

void Cluster::demand_lent() {
  const Resources held = frameworks_[1]->held();
  if (held.revocable().total_milli("cpus") >= promised_milli_) {
    return world_.reached("promise.lent");
  }
  world_.violated("lending",
                  fmt::format("of {} cpus held back for a guarantee, framework 1 is only "
                              "offered {}",
                              milli_to_text(promised_milli_), to_text(held)));
}

void Cluster::let_demand() { frameworks_[0]->hoard(true); }

void Cluster::demand_kept() {
  const Resources held = frameworks_[0]->held();
  if (held.non_revocable().total_milli("cpus") >= promised_milli_) {
    return world_.reached("promise.kept");
  }
  world_.violated("guarantees",
                  fmt::format("framework 0 is guaranteed {} cpus, and is only offered {}",
                              milli_to_text(promised_milli_), to_text(held)));
}

void Cluster::forget_promise() {
  operator_.guarantee("role0", 0);
  promised_milli_ = 0;
  for (const auto& master : masters_) master->set_tunables(faults_.master);
  for (const auto& framework : frameworks_) framework->hoard(false);
  take_back();
}

// ---------------------------------------------------------------------------------------- quiet

std::string Cluster::unrest() const {
  const MasterNode* master = leader();
  if (master == nullptr || master->master() == nullptr) return "no master leads";
  for (const auto& framework : frameworks_) {
    if (std::string left = framework->what_is_left(); !left.empty()) return left;
  }
  for (const auto& agent : agents_) {
    if (std::string left = agent->what_is_left(); !left.empty()) return left;
  }
  const MasterTotals totals = master->master()->totals();
  if (totals.agents_active != agents_.size()) {
    return fmt::format("{} of {} agents are active", totals.agents_active, agents_.size());
  }
  if (totals.agents_disconnected != 0) {
    return fmt::format("{} agents are disconnected", totals.agents_disconnected);
  }
  if (totals.agents_recovered != 0) {
    return fmt::format("{} agents have not come back", totals.agents_recovered);
  }
  if (totals.frameworks_active != frameworks_.size()) {
    return fmt::format("{} of {} frameworks are active", totals.frameworks_active,
                       frameworks_.size());
  }
  if (totals.frameworks_disconnected != 0) {
    return fmt::format("{} frameworks are gone and were not removed",
                       totals.frameworks_disconnected);
  }
  if (totals.offers != 0) return fmt::format("{} offers are out", totals.offers);
  if (totals.tasks != 0) return fmt::format("the master knows {} tasks", totals.tasks);
  if (std::string held = master->ledger()->what_is_not_free(); !held.empty()) return held;
  for (const RoleShare& share : master->allocator()->shares()) {
    if (share.dominant_share_ppm != 0) {
      return fmt::format("role {} still has a share of {} ppm", share.role,
                         share.dominant_share_ppm);
    }
  }
  return fates_.what_was_never_seen();
}

}  // namespace tepui::sim
