#include "tests/sim/agent_node.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "agent/agent_replay.h"
#include "agent/records_wire.h"
#include "agent/total.h"
#include "common/limits.h"
#include "tests/sim/describe.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr uint64_t kInputsPerAudit = 16;
// A replay costs as much as the life did, so one in so many keeps a journal, up to so much.
constexpr uint64_t kLivesPerJournal = 8;
constexpr size_t kJournalBytesMax = 8 << 20;

struct NoEvents final : EventSink {
  void on_event(const Event&) override {}
};
}  // namespace

AgentNode::AgentNode(Surroundings around, NodeId node, Resources resources)
    : around_(around),
      world_(around.world),
      node_(node),
      resources_(std::move(resources)),
      disks_(around.world, around.fates, node),
      memory_(around.world, around.faults.agent_disk),
      write_ahead_(around.world),
      launches_(around.world, node),
      host_(around.world, around.faults, *this),
      alarm_(around.world, [this] {
        if (agent_ == nullptr) return;
        agent_->on_time(world_.now());
        after_input();
      }) {}

AgentConfig AgentNode::configure() {
  const uint64_t grows = around_.faults.host.grows_one_in;
  if (grows != 0 && life_ > 1 && world_.rng().chance(1, grows)) {
    world_.reached("host.grew");
    resources_ += Resources::scalars({{"cpus", 1000}});
  }
  AgentConfig config;
  config.info.hostname = fmt::format("agent{}", node_);
  config.info.address = fmt::format("127.0.0.1:{}", 5000 + node_);
  config.info.resources = resources_;
  config.configured = resources_;
  config.ground = {
      .boot_id = fmt::format("boot-{}", boots_), .runtime_dir = "/run/tepui", .cgroup_root = "/cg"};
  config.info.controllers = {"cpu", "memory", "pids"};
  config.build = "sim";
  config.work_dir = "/var/lib/tepui";
  config.tunables = around_.faults.agent;
  return config;
}

RecoveryKind AgentNode::prepare_host(const RecoveredAgent& memory, const AgentConfig& config,
                                     std::set<ContainerId>& known) {
  const Result<RecoveryKind> kind = judge_recovery(memory, config.info, config.ground,
                                                   {.policy = ReconfigurationPolicy::kAdditive});
  if (!kind) {
    world_.violated("recovery", kind.error().message);
    return RecoveryKind::kAnew;
  }
  for (const RecoveredTask& task : memory.tasks) {
    for (const record::Status& one : task.waiting) {
      around_.fates.on_created(life(), task.accepted.task.framework_id, one.status);
    }
  }
  around_.fates.groups().on_started(node_,
                                    *kind == RecoveryKind::kAnew ? RecoveredAgent{} : memory);
  known = containers_to_adopt(memory, *kind);
  host_.kill_unknown(known, *kind == RecoveryKind::kResume);
  if (*kind != RecoveryKind::kResume) {
    most_revocable_ = {};
    around_.fates.on_machine_died(life());
  }
  if (*kind == RecoveryKind::kAnew) {
    around_.fates.on_agent_died(life());
    ++identity_;
  } else {
    world_.reached(*kind == RecoveryKind::kResume ? "agent.resumed" : "agent.rebooted");
  }
  return *kind;
}

void AgentNode::start() {
  ++life_;
  dying_ = false;
  work_due_ = false;
  epoch_seen_ = 0;
  AgentConfig config = configure();
  const Result<RecoveredAgent> memory = decode_memory(memory_.open().contents);
  if (!memory) return world_.violated("recovery", memory.error().message);
  std::set<ContainerId> known;
  const RecoveryKind kind = prepare_host(*memory, config, known);
  if (const std::optional<AgentCheckpoint>& durable = disks_.read()) {
    const Result<Resources> total = restore_total(resources_, durable->total);
    if (!total) return world_.violated("volumes", total.error().message);
    config.info.resources = *total;
    config.operations = durable->operations;
  }
  disks_.on_started(config.info.resources, known);
  launches_.on_started(kind == RecoveryKind::kAnew ? RecoveredAgent{} : *memory);
  agent_ = std::make_unique<RecordedAgent>(
      AgentMakeup{.config = std::move(config), .seed = world_.rng().next()},
      static_cast<AgentEffects&>(*this));
  journal_.clear();
  if (world_.rng().chance(1, kLivesPerJournal)) agent_->record_to(*this, world_.now());
  host_.set_listener(this);
  around_.network.set_end(node_, this);
  agent_->on_recovered(world_.now(), *memory, kind);
  after_input();
  finder_ =
      std::make_unique<Finder>(world_, around_.election, node_, [this] { on_other_master(); });
  connect_later();
}

void AgentNode::crash(std::string_view why) {
  if (agent_ == nullptr) return;
  if (world_.tracing()) world_.trace(fmt::format("agent {} dies: {}", node_, why));
  replay_journal();
  ++life_;
  alarm_.cancel();
  around_.network.set_end(node_, nullptr);
  host_.on_agent_died();
  write_ahead_.on_died();
  const uint64_t reboots = around_.faults.host.reboots_one_in;
  if (reboots != 0 && world_.rng().chance(1, reboots)) {
    ++boots_;
    host_.reboot();
  }
  link_ = 0;
  link_up_ = false;
  executor_links_.clear();
  made_for_.clear();
  agent_.reset();
  finder_.reset();
  const bool is_long = draws(around_.faults.launches.stays_down_one_in);
  if (is_long) world_.reached("agent.stays_down");
  world_.after(world_.up_to(is_long ? Duration(10min) : Duration(10s)), [this, life = life_] {
    if (life == life_ && agent_ == nullptr) start();
  });
}

// Who is down for long is repaired now.
void AgentNode::come_back() {
  if (life_ != 0 && agent_ == nullptr) start();
}

bool AgentNode::draws(uint64_t one_in) { return one_in != 0 && world_.rng().chance(1, one_in); }

bool AgentNode::append(const JournalRecord& record) {
  if (journal_.size() > kJournalBytesMax) return false;
  append_record(journal_, journal_.size(), record);
  return true;
}

void AgentNode::replay_journal() {
  if (journal_.empty()) return;
  world_.reached("agent.replayed");
  NoEvents events;
  AgentReplay replay(journal_, events);
  Result<bool> more = true;
  while (more && *more) more = replay.step();
  if (!more) world_.violated("replay", more.error().message);
  journal_.clear();
}

void AgentNode::leave() {
  if (agent_ == nullptr) return;
  world_.reached("agent.leave");
  agent_->on_leave(world_.now());
  after_input();
}

void AgentNode::shutdown() {
  if (agent_ == nullptr) return;
  world_.reached("agent.shutdown");
  agent_->on_shutdown(world_.now());
  after_input();
}

void AgentNode::set_tunables(const AgentTunables& tunables) {
  if (agent_ == nullptr) return;
  agent_->on_tunables(world_.now(), tunables);
  after_input();
}

void AgentNode::change_revocable(const Resources& revocable) {
  if (agent_ == nullptr) return;
  world_.reached("agent.revocable");
  most_revocable_ += revocable.minus(most_revocable_);
  agent_->on_revocable(world_.now(), revocable);
  after_input();
}

std::string AgentNode::what_is_left() const {
  if (agent_ == nullptr) return fmt::format("agent {} is not running", node_);
  const AgentTotals totals = agent_->agent().totals();
  if (!totals.registered) return fmt::format("agent {} is not registered", node_);
  if (totals.tasks != 0) return fmt::format("agent {} has {} tasks", node_, totals.tasks);
  if (totals.operations_pending != 0) {
    return fmt::format("agent {} has {} operations unacknowledged", node_,
                       totals.operations_pending);
  }
  if (totals.updates_pending != 0) {
    return fmt::format("agent {} has {} updates unacknowledged", node_, totals.updates_pending);
  }
  if (host_.containers() != totals.containers) {
    return fmt::format("agent {} knows {} containers, its machine has {}", node_, totals.containers,
                       host_.containers());
  }
  if (host_.containers() != 0) {
    return fmt::format("agent {} has {} containers", node_, host_.containers());
  }
  return {};
}

// ---------------------------------------------------------------------------------- connection

void AgentNode::connect_later() {
  link_ = 0;
  link_up_ = false;
  world_.after(world_.up_to(limits::kConnectBackoffMax / 10), [this, life = life_] {
    if (life != life_ || agent_ == nullptr || link_ != 0) return;
    const NodeId master = finder_->ask();
    if (master == 0) return connect_later();
    link_ = around_.network.connect(node_, master);
  });
}

// As the shell does.
void AgentNode::on_other_master() {
  if (link_ == 0) return;
  const bool was_up = link_up_;
  around_.network.close(link_, node_, "another master leads");
  connect_later();
  if (!was_up) return;
  agent_->on_disconnected(world_.now(), "another master leads");
  after_input();
}

void AgentNode::on_link_up(LinkNumber link) {
  if (link != link_) return;
  link_up_ = true;
  agent_->on_connected(world_.now());
  after_input();
}

// Every other one, so that both kinds live in most clusters.
bool AgentNode::is_old() const { return node_ % 2 == 1; }

void AgentNode::on_payload(LinkNumber link, const Payload& payload) {
  if (const auto* said = std::get_if<ExecutorToAgent>(&payload)) {
    ExecutorLink& from = executor_links_[link];
    if (const auto* subscribe = std::get_if<SubscribeExecutor>(said)) {
      from = {.framework = subscribe->framework_id, .container = subscribe->container_id};
      launches_.on_subscribed(subscribe->container_id);
    }
    agent_->on_executor_message(world_.now(), SessionId{link}, *said);
    return after_input();
  }
  const auto* message = std::get_if<MasterToAgent>(&payload);
  if (link != link_ || message == nullptr) return;
  if (std::holds_alternative<ReregisterFully>(*message)) world_.reached("agent.says_all");
  if (const auto* reply = std::get_if<HelloReply>(message); reply != nullptr && is_old()) {
    // An agent of the first release does not know what a master may be able to.
    HelloReply heard = *reply;
    heard.capabilities.clear();
    agent_->on_message(world_.now(), heard);
  } else {
    agent_->on_message(world_.now(), *message);
  }
  after_input();
}

void AgentNode::on_link_down(LinkNumber link, std::string_view why) {
  if (executor_links_.erase(link) != 0) {
    agent_->on_executor_lost(world_.now(), SessionId{link});
    return after_input();
  }
  if (link != link_) return;
  const bool was_up = link_up_;
  connect_later();
  if (!was_up) return;
  agent_->on_disconnected(world_.now(), why);
  after_input();
}

void AgentNode::after_input() {
  if (agent_ == nullptr) return;
  around_.fates.groups().check(node_);
  launches_.check();
  if (++inputs_ % kInputsPerAudit == 0) {
    if (const Result<void> books = agent_->agent().audit(); !books) {
      world_.violated("agent", fmt::format("agent {}: {}", node_, books.error().message));
    }
  }
  if (work_due_) return;
  work_due_ = true;
  world_.after(world_.up_to(100us), [this, life = life_] {
    if (life != life_ || agent_ == nullptr) return;
    work_due_ = false;
    agent_->work(world_.now());
  });
}

// ------------------------------------------------------------------------------------- effects

void AgentNode::send(const AgentToMaster& message) {
  if (const auto* exited = std::get_if<ExecutorExited>(&message)) write_ahead_.on_told(*exited);
  if (link_up_) around_.network.send(link_, node_, message);
}

void AgentNode::reconnect(std::string_view why) {
  if (world_.tracing()) world_.trace(fmt::format("agent {} reconnects: {}", node_, why));
  world_.reached("agent.reconnects");
  if (link_ != 0) around_.network.close(link_, node_, why);
  connect_later();
}

Resources AgentNode::machine() const {
  return agent_->agent().info().resources.non_revocable() + most_revocable_;
}

void AgentNode::append(uint64_t serial, AgentRecord record) {
  around_.fates.groups().on_record(node_, record);
  launches_.on_record(record);
  write_ahead_.on_append(serial, record);
  // The store may be in the middle of a sync: it is not written to from inside.
  memory_.write(memory_.epoch(), encode_record(record),
                [this, life = life_, serial, record](const Result<void>& durable) {
                  world_.after(0ns, [this, life, serial, record, durable] {
                    if (life == life_ && agent_ != nullptr) on_written(serial, record, durable);
                  });
                });
  const uint64_t crash_one_in = around_.faults.agent_disk.crash_one_in;
  if (crash_one_in == 0 || !world_.rng().chance(1, crash_one_in)) return;
  world_.reached("agent.crash_at_write");
  world_.after(world_.up_to(1ms), [this, life = life_] {
    if (life == life_) crash("it dies while it writes");
  });
}

void AgentNode::probe(uint64_t number, const CheckInfo&) {
  const std::optional<int32_t> connected = world_.rng().chance(1, 4) ? 0 : 1;
  world_.after(world_.up_to(50ms), [this, life = life_, number, connected] {
    if (life != life_ || agent_ == nullptr) return;
    world_.reached("agent.probed");
    agent_->on_probed(world_.now(), number, connected);
    after_input();
  });
}

// Durable after a while, unless the process dies first or the disk is full.
void AgentNode::checkpoint(const AgentCheckpoint& checkpoint) {
  world_.after(world_.up_to(20ms), [this, life = life_, checkpoint] {
    if (life != life_ || agent_ == nullptr) return;
    if (world_.rng().chance(1, 50)) {
      world_.reached("agent.checkpoint_failed");
      agent_->on_checkpoint_failed(world_.now(), checkpoint.serial,
                                   Error{.message = "no space is left", .code = 28});
    } else {
      disks_.write(checkpoint);
      agent_->on_checkpointed(world_.now(), checkpoint.serial);
      disks_.on_confirmed();
    }
    after_input();
  });
}

void AgentNode::on_written(uint64_t serial, const AgentRecord& record,
                           const Result<void>& durable) {
  if (!durable) {
    world_.reached("agent.cannot_remember");
    agent_->on_append_failed(world_.now(), durable.error());
    return after_input();
  }
  write_ahead_.on_durable(serial);
  if (const auto* status = std::get_if<record::Status>(&record)) {
    const FrameworkId framework = made_for_.at(status->status.uuid);
    around_.fates.on_created(life(), framework, status->status);
  }
  agent_->on_appended(world_.now(), serial);
  after_input();
}

void AgentNode::wake_at(Instant when) { alarm_.set(when); }

void AgentNode::exit(std::string_view why) {
  if (dying_) return;
  dying_ = true;
  world_.reached("agent.exits");
  world_.after(0ns, [this, life = life_, why = std::string(why)] {
    if (life == life_) crash(why);
  });
}

void AgentNode::on_event(const Event& event) {
  world_.note(0x6100 + event.index());
  if (world_.tracing() && !std::holds_alternative<event::MessageReceived>(event)) {
    world_.trace(fmt::format("agent {}: {}", node_, to_line(event)));
  }
  if (const auto* made = std::get_if<event::TaskStatusCreated>(&event)) {
    on_status(*made->framework_id, *made->status);
  } else if (const auto* acked = std::get_if<event::TaskStatusAcknowledged>(&event)) {
    around_.fates.on_acknowledged(*acked->framework_id, *acked->task_id, acked->uuid);
  } else if (const auto* operation = std::get_if<event::OperationUpdated>(&event)) {
    disks_.on_operation(*operation->operation, *operation->status);
  } else if (const auto* registered = std::get_if<event::AgentRegistered>(&event)) {
    if (registered->epoch < epoch_seen_) {
      world_.violated("epoch", fmt::format("agent {} obeys epoch {} after epoch {}", node_,
                                           registered->epoch, epoch_seen_));
    }
    epoch_seen_ = registered->epoch;
  }
}

}  // namespace tepui::sim
