#include "perf/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "common/io/clock.h"

namespace tepui::perf {

namespace {

constexpr Duration kPatience = std::chrono::seconds(20);
constexpr int64_t kTaskMem = 128'000;
// Says in the first half of an update's uuid which of the two it is.
constexpr uint64_t kRunning = 1;
constexpr uint64_t kFinished = 2;

}  // namespace

class Load::Framework final : private SchedulerHandler, private SchedulerEffects {
 public:
  Framework(Load& load, uint32_t index)
      : load_(load),
        scheduler_({.info = {.name = fmt::format("load-{}", index),
                             .roles = {fmt::format("role-{}", index)},
                             .capabilities = bit(FrameworkCapability::kPartitionAware) |
                                             bit(FrameworkCapability::kMultiRole)},
                    .build = "bench"},
                   index + 1, *this, *this) {
    auto spec = std::make_shared<TaskSpec>();
    spec->resources = Resources::scalars({{"cpus", 1000}, {"mem", kTaskMem}});
    spec->command.value = "true";
    spec_ = std::move(spec);
    link_ = load_.transport_->connect(load_.options_.master);
  }

  LinkId link() const { return link_; }
  void on_up() { scheduler_.on_connected(load_.reactor_->now()); }
  void on(const MasterToScheduler& message) {
    scheduler_.on_message(load_.reactor_->now(), message);
  }
  Instant wake() const { return wake_; }
  void on_time() {
    if (load_.reactor_->now().mono < wake_) return;
    wake_ = kNever;
    scheduler_.on_time(load_.reactor_->now());
  }
  bool subscribed() const { return scheduler_.subscribed(); }

  void begin() { scheduler_.revive(); }
  void end() {
    scheduler_.suppress();
    while (!offers_.empty()) decline(take_offer().id);
  }
  bool has_offer() const { return !offers_.empty(); }

  // Fills the oldest offer with at most this many tasks; how many they were.
  uint32_t launch(uint32_t most) {
    const Offer offer = take_offer();
    const auto room = static_cast<uint32_t>(offer.resources.total_milli("cpus") / 1000);
    const uint32_t count = std::min(room, most);
    if (count == 0) return decline(offer.id), 0;
    std::vector<TaskInfo> tasks;
    for (uint32_t i = 0; i < count; ++i) {
      tasks.push_back({.id = {std::to_string(launched_.size())}, .name = "task", .spec = spec_});
      launched_.push_back(tepui::now().mono);
    }
    scheduler_.launch({&offer.id, 1}, std::move(tasks), Duration{});
    return count;
  }

 private:
  Offer take_offer() {
    Offer offer = std::move(offers_.front());
    offers_.pop_front();
    return offer;
  }
  void decline(OfferId offer) { scheduler_.decline({&offer, 1}, Duration{}); }

  void on_subscribed(Scheduler& scheduler, const Subscribed&) override { scheduler.suppress(); }
  void on_offers(Scheduler&, std::span<const Offer> offers) override {
    offers_.insert(offers_.end(), offers.begin(), offers.end());
    load_.launch();
  }
  void on_rescinded(Scheduler&, OfferId id) override {
    std::erase_if(offers_, [&](const Offer& offer) { return offer.id == id; });
  }
  void on_update(Scheduler&, const TaskStatus& status) override {
    if (status.state == TaskState::kFinished) return load_.on_finished();
    if (status.state != TaskState::kRunning) {
      return load_.give_up(
          fmt::format("a task became {}: {}", to_text(status.state), status.message));
    }
    size_t number = 0;
    const std::string& id = status.task_id.value;
    std::from_chars(id.data(), id.data() + id.size(), number);
    load_.on_running(launched_.at(number));
  }
  void on_agent_lost(Scheduler&, const AgentId& agent) override {
    load_.give_up("the master lost agent " + agent.value);
  }
  void on_disconnected(Scheduler&, std::string_view why) override {
    load_.give_up(std::string(why));
  }
  void on_error(Scheduler&, std::string_view message) override {
    load_.give_up(std::string(message));
  }

  void on_event(const Event&) override {}
  void send(const SchedulerToMaster& message) override {
    load_.transport_->send(link_, Conversation::kScheduler, load_.encoder_.encode(1, message));
  }
  void reconnect(std::string_view why) override { load_.give_up(std::string(why)); }
  void wake_at(Instant when) override { wake_ = when; }

  Load& load_;
  Scheduler scheduler_;
  LinkId link_;
  Instant wake_ = kNever;
  std::shared_ptr<const TaskSpec> spec_;
  std::deque<Offer> offers_;
  std::vector<Instant> launched_;  // by task number
};

Load::Load(LoadOptions options) : options_(std::move(options)) {
  reactor_ = Reactor::create().value();
  signals_ = Signals::create(*reactor_, *this).value();
  transport_ = TcpTransport::create(*reactor_, *this).value();
  connect();
  turn_until([this] {
    return registered_ == agents_.size() &&
           std::ranges::all_of(frameworks_, [](const auto& f) { return f->subscribed(); });
  });
}

Load::~Load() = default;

void Load::connect() {
  const uint32_t per_link = (options_.agents + options_.agent_links - 1) / options_.agent_links;
  for (uint32_t first = 0; first < options_.agents; first += per_link) {
    const LinkId link = transport_->connect(options_.master);
    first_agent_[link] = first;
    for (uint32_t i = first; i < std::min(first + per_link, options_.agents); ++i) {
      agents_.push_back({.link = link, .session = i - first + 1, .id = {}, .out = {}});
    }
  }
  for (uint32_t i = 0; i < options_.frameworks; ++i) {
    frameworks_.push_back(std::make_unique<Framework>(*this, i));
    framework_of_[frameworks_.back()->link()] = frameworks_.back().get();
  }
}

Load::Result Load::run(const Work& work) {
  to_launch_ = work.tasks;
  at_once_max_ = work.at_once;
  at_once_ = 0;
  acknowledged_ = 0;
  launch_ms_.clear();
  const Instant began = now().mono;
  for (const auto& framework : frameworks_) framework->begin();
  turn_until([&] { return acknowledged_ == work.tasks; });
  return {.secs = to_secs(now().mono - began), .launch_ms = std::move(launch_ms_)};
}

void Load::turn() {
  Instant wake = later(reactor_->now().mono, std::chrono::seconds(1));
  for (const auto& framework : frameworks_) wake = std::min(wake, framework->wake());
  reactor_->run_once(wake);
  for (const auto& framework : frameworks_) framework->on_time();
  launch();
  flush();
}

template <class Done>
void Load::turn_until(Done&& done) {
  uint64_t progress = progress_;
  Instant patient_until = later(now().mono, kPatience);
  while (!done()) {
    turn();
    if (!trouble_.empty()) throw std::runtime_error(trouble_);
    if (progress != progress_) {
      progress = progress_;
      patient_until = later(reactor_->now().mono, kPatience);
    } else if (reactor_->now().mono > patient_until) {
      throw std::runtime_error("nothing happens any more");
    }
  }
}

void Load::on_link_up(LinkId link, std::string_view) {
  if (const auto framework = framework_of_.find(link); framework != framework_of_.end()) {
    return framework->second->on_up();
  }
  for (size_t i = first_agent_.at(link); i < agents_.size() && agents_[i].link == link; ++i) {
    send(agents_[i], Hello{.build = "bench"});
  }
}

void Load::on_frame(LinkId link, Conversation, std::span<const std::byte> payload) {
  ++progress_;
  if (const auto framework = framework_of_.find(link); framework != framework_of_.end()) {
    const auto inbound = decode_master_to_scheduler(payload);
    if (!inbound) return give_up(inbound.error().message);
    return framework->second->on(inbound->message);
  }
  const auto inbound = decode_master_to_agent(payload);
  if (!inbound) return give_up(inbound.error().message);
  on(agents_.at(first_agent_.at(link) + inbound->session - 1), inbound->message);
}

void Load::on_link_down(LinkId, std::string_view why) {
  give_up(fmt::format("a connection ended: {}", why));
}

void Load::on_signal(int) { give_up("interrupted"); }

void Load::give_up(std::string why) {
  if (trouble_.empty()) trouble_ = std::move(why);
}

void Load::on(Agent& agent, const MasterToAgent& message) {
  if (const auto* launch = std::get_if<LaunchTasks>(&message)) {
    for (const LaunchTasks::Item& item : launch->tasks) {
      update(agent, item.framework_id, item.task.id, TaskState::kRunning);
    }
  } else if (const auto* known = std::get_if<AcknowledgeUpdates>(&message)) {
    for (const AcknowledgeUpdates::Item& item : known->items) {
      if (item.uuid.high == kFinished) {
        ++acknowledged_;
      } else {
        update(agent, item.framework_id, item.task_id, TaskState::kFinished);
      }
    }
  } else if (const auto* reply = std::get_if<HelloReply>(&message)) {
    if (reply->protocol == 0) return give_up("the master refused: " + reply->error);
    const int64_t cpus = options_.cpus;
    const auto number = static_cast<size_t>(&agent - agents_.data());
    send(agent, RegisterAgent{{.hostname = fmt::format("host-{}", number),
                               .address = "127.0.0.1:1",
                               .resources = Resources::scalars(
                                   {{"cpus", cpus * 1000}, {"mem", cpus * kTaskMem}}),
                               .version = "bench"}});
  } else if (const auto* registered = std::get_if<Registered>(&message)) {
    agent.id = registered->agent_id;
    ++registered_;
  } else if (std::holds_alternative<Ping>(message)) {
    send(agent, Pong{});
  } else {
    give_up("the master said to an agent what nobody asked for");
  }
}

void Load::update(Agent& agent, const FrameworkId& framework, const TaskId& task, TaskState state) {
  if (agent.out.items.empty()) talking_.push_back(static_cast<size_t>(&agent - agents_.data()));
  agent.out.items.push_back(
      {.framework_id = framework,
       .status = {.task_id = task,
                  .state = state,
                  .source = TaskSource::kExecutor,
                  .uuid = {.high = state == TaskState::kRunning ? kRunning : kFinished,
                           .low = ++agent.updates},
                  .agent_id = agent.id,
                  .container_id = {task.value},
                  .timestamp = reactor_->now().wall},
       .latest_state = state});
}

void Load::flush() {
  for (const size_t index : talking_) {
    Agent& agent = agents_[index];
    send(agent, std::exchange(agent.out, {}));
  }
  talking_.clear();
}

void Load::send(Agent& agent, const AgentToMaster& message) {
  transport_->send(agent.link, Conversation::kAgent, encoder_.encode(agent.session, message));
}

void Load::on_running(Instant launched) { launch_ms_.push_back(to_millis(now().mono - launched)); }

void Load::on_finished() { --at_once_; }

void Load::launch() {
  for (const auto& framework : frameworks_) {
    while (to_launch_ > 0 && at_once_ < at_once_max_ && framework->has_offer()) {
      const uint32_t count = framework->launch(std::min(to_launch_, at_once_max_ - at_once_));
      to_launch_ -= count;
      at_once_ += count;
    }
  }
  if (to_launch_ > 0) return;
  for (const auto& framework : frameworks_) {
    if (framework->has_offer()) framework->end();
  }
}

}  // namespace tepui::perf
