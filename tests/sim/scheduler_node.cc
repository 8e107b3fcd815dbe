#include "tests/sim/scheduler_node.h"

#include <fmt/format.h>

#include "common/limits.h"

namespace tepui::sim {

using namespace std::chrono_literals;

SchedulerNode::SchedulerNode(Surroundings around, NodeId node, SimFramework& framework)
    : around_(around),
      world_(around.world),
      node_(node),
      framework_(framework),
      alarm_(around.world, [this] {
        if (scheduler_ == nullptr) return;
        scheduler_->on_time(world_.now());
        after_input();
      }) {}

void SchedulerNode::start() {
  ++life_;
  SchedulerOptions options = framework_.options();
  options.subscribe_backoff_min = around_.faults.subscribe_backoff_min;
  options.subscribe_backoff_max = around_.faults.subscribe_backoff_max;
  scheduler_ =
      std::make_unique<Scheduler>(std::move(options), world_.rng().next(), framework_, *this);
  framework_.set_scheduler(scheduler_.get());
  around_.network.set_end(node_, this);
  finder_ =
      std::make_unique<Finder>(world_, around_.election, node_, [this] { on_other_master(); });
  connect_later();
  tick();
}

void SchedulerNode::crash(std::string_view why) {
  if (scheduler_ == nullptr) return;
  if (world_.tracing()) world_.trace(fmt::format("scheduler {} dies: {}", node_, why));
  ++life_;
  alarm_.cancel();
  link_ = 0;
  link_up_ = false;
  around_.network.set_end(node_, nullptr);
  framework_.set_scheduler(nullptr);
  scheduler_.reset();
  finder_.reset();
  world_.after(world_.up_to(10s), [this] { start(); });
}

void SchedulerNode::tick() {
  world_.after(500ms + world_.up_to(1s), [this, life = life_] {
    if (life != life_ || scheduler_ == nullptr) return;
    framework_.on_tick();
    after_input();
    if (life == life_) tick();
  });
}

void SchedulerNode::connect_later() {
  link_ = 0;
  link_up_ = false;
  world_.after(world_.up_to(limits::kConnectBackoffMax / 10), [this, life = life_] {
    if (life != life_ || scheduler_ == nullptr || link_ != 0) return;
    const NodeId master = finder_->ask();
    if (master == 0) return connect_later();
    link_ = around_.network.connect(node_, master);
  });
}

// As the driver does.
void SchedulerNode::on_other_master() {
  if (link_ == 0) return;
  const bool was_up = link_up_;
  around_.network.close(link_, node_, "another master leads");
  connect_later();
  if (!was_up) return;
  scheduler_->on_lost(world_.now(), "another master leads");
  after_input();
}

void SchedulerNode::on_link_up(LinkNumber link) {
  if (link != link_) return;
  link_up_ = true;
  scheduler_->on_connected(world_.now());
  after_input();
}

void SchedulerNode::on_payload(LinkNumber link, const Payload& payload) {
  const auto* message = std::get_if<MasterToScheduler>(&payload);
  if (link != link_ || message == nullptr) return;
  scheduler_->on_message(world_.now(), *message);
  after_input();
}

void SchedulerNode::on_link_down(LinkNumber link, std::string_view why) {
  if (link != link_) return;
  const bool was_up = link_up_;
  connect_later();
  if (!was_up) return;
  scheduler_->on_lost(world_.now(), why);
  after_input();
}

// A framework that begins anew does so in a new process.
void SchedulerNode::after_input() {
  if (!framework_.wants_new_scheduler()) return;
  world_.after(0ns, [this, life = life_] {
    if (life == life_) crash("the framework begins anew");
  });
}

void SchedulerNode::send(const SchedulerToMaster& message) {
  if (link_up_) around_.network.send(link_, node_, message);
}

void SchedulerNode::reconnect(std::string_view why) {
  if (world_.tracing()) world_.trace(fmt::format("scheduler {} reconnects: {}", node_, why));
  world_.reached("scheduler.reconnects");
  if (link_ != 0) around_.network.close(link_, node_, why);
  connect_later();
}

void SchedulerNode::wake_at(Instant when) { alarm_.set(when); }

void SchedulerNode::on_event(const Event& event) { world_.note(0x7300 + event.index()); }

}  // namespace tepui::sim
