#include "perf/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "common/fingerprint.h"
#include "common/io/clock.h"
#include "common/limits.h"
#include "sdk/scheduler.h"

namespace tepui::perf {

namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr int64_t kCpusMilli = 16'000;
constexpr int64_t kMemMilli = 64'000'000;
// As that of tepui-agent.
constexpr Duration kBackoffMax = std::chrono::minutes(1);

Uuid uuid_of(uint32_t agent, uint32_t task) { return {.high = agent + 1ULL, .low = task + 1ULL}; }

}  // namespace

class Fleet::Framework final : private SchedulerHandler, private SchedulerEffects {
 public:
  Framework(Fleet& fleet, uint32_t index, uint32_t link)
      : fleet_(fleet),
        link_(link),
        role_(fmt::format("role-{}", index)),
        scheduler_({.info = info_of(index, role_), .build = "bench"}, index + 1, *this, *this) {}

  void on_up() { scheduler_.on_connected(now()); }
  void on_down(std::string_view why) { scheduler_.on_lost(now(), why); }
  void on(const MasterToScheduler& message) { scheduler_.on_message(now(), message); }
  Instant wake() const { return wake_; }
  void on_time() {
    if (now().mono < wake_) return;
    wake_ = kNever;
    scheduler_.on_time(now());
  }
  bool subscribed() const { return scheduler_.subscribed(); }
  const FrameworkInfo& info() const { return scheduler_.info(); }
  const std::string& role() const { return role_; }
  void reconcile() { scheduler_.reconcile(); }

 private:
  static FrameworkInfo info_of(uint32_t index, const std::string& role) {
    FrameworkInfo info{.name = fmt::format("service-{}", index),
                       .user = "nobody",
                       .roles = {role},
                       .capabilities = bit(FrameworkCapability::kPartitionAware) |
                                       bit(FrameworkCapability::kMultiRole),
                       .failover_timeout = std::chrono::hours(24)};
    if (index > 0) info.suppressed_roles = {role};
    return info;
  }

  Now now() const { return fleet_.reactor_->now(); }

  void on_subscribed(Scheduler&, const Subscribed&) override { ++fleet_.progress_; }
  void on_offers(Scheduler&, std::span<const Offer>) override {
    if (fleet_.first_offer_ == WallTime{}) fleet_.first_offer_ = now().wall;
  }
  void on_rescinded(Scheduler&, OfferId) override {}
  void on_update(Scheduler&, const TaskStatus& status) override {
    if (status.state == TaskState::kRunning) {
      ++fleet_.counted_;
    } else {
      fleet_.give_up(fmt::format("task '{}' became {}: {}", status.task_id.value,
                                 to_text(status.state), status.message));
    }
  }
  void on_agent_lost(Scheduler&, const AgentId& agent) override {
    // Before all are here it may be one whose link ended before it heard its id, and that came
    // anew.
    if (!fleet_.saved_.empty()) fleet_.give_up("the master lost agent " + agent.value);
  }
  void on_disconnected(Scheduler&, std::string_view) override {}
  void on_error(Scheduler&, std::string_view message) override {
    fleet_.give_up(std::string(message));
  }

  void on_event(const Event&) override {}
  void send(const SchedulerToMaster& message) override {
    const Link& link = fleet_.links_[link_];
    if (!link.up) return;
    fleet_.transport_->send(link.id, Conversation::kScheduler, fleet_.encoder_.encode(1, message));
  }
  void reconnect(std::string_view why) override {
    fleet_.transport_->close(fleet_.links_[link_].id, why);
  }
  void wake_at(Instant when) override { wake_ = when; }

  Fleet& fleet_;
  const uint32_t link_;
  const std::string role_;
  Scheduler scheduler_;
  Instant wake_ = kNever;
};

// ------------------------------------------------------------------------------------- the loop

Fleet::Fleet(FleetOptions options) : options_(std::move(options)) {
  reactor_ = Reactor::create().value();
  signals_ = Signals::create(*reactor_, *this).value();
  transport_ = TcpTransport::create(*reactor_, *this).value();
  make_agents();
  make_frameworks();
  MasterFinderOwner& follower = *this;
  finder_ = MasterFinder::create(*reactor_, options_.master, follower).value();
  finder_->start();
  turn_until([this] { return all_here(); });
  save_words();
}

Fleet::~Fleet() { finder_->stop(); }

void Fleet::make_agents() {
  const uint32_t per_link = (options_.agents + options_.links - 1) / options_.links;
  for (uint32_t i = 0; i < options_.agents; ++i) {
    if (i % per_link == 0) links_.push_back({.first_agent = i});
    agents_.push_back(
        {.link = static_cast<uint32_t>(links_.size() - 1),
         .session = ++links_.back().agents,
         .registration = Registration({.first = options_.registration_backoff, .max = kBackoffMax},
                                      rng_.fork())});
  }
}

void Fleet::make_frameworks() {
  for (uint32_t i = 0; i < options_.frameworks; ++i) {
    frameworks_.push_back(
        std::make_unique<Framework>(*this, i, static_cast<uint32_t>(links_.size())));
    links_.push_back({.framework = frameworks_.back().get()});
  }
}

bool Fleet::all_here() const {
  return registered_ == agents_.size() &&
         std::ranges::all_of(frameworks_, [](const auto& f) { return f->subscribed(); });
}

Fleet::Return Fleet::outlive(const std::function<void()>& kill) {
  const TransportStats before = transport_->stats();
  const Instant died = now().mono;
  kill();
  // Until their end is seen, all seem to be here.
  turn_until([this] { return registered_ < agents_.size(); });
  first_offer_ = {};
  said_all_ = 0;
  links_lost_ = 0;
  turn_until([this] { return all_here(); });
  Return result{.all_back_secs = to_secs(now().mono - died)};
  turn_until([this] { return first_offer_ != WallTime{}; });
  result.first_offer = first_offer_;
  result.said_all = said_all_;
  // Each link has died once with its master, before or after the first was seen to.
  result.links_lost = links_lost_ - std::min<uint64_t>(links_lost_, links_.size());
  result.bytes_sent = transport_->stats().bytes_sent - before.bytes_sent;
  result.bytes_received = transport_->stats().bytes_received - before.bytes_received;
  return result;
}

uint64_t Fleet::count_tasks() {
  counted_ = 0;
  const uint64_t expected = uint64_t{options_.agents} * options_.tasks_per_agent;
  for (const auto& framework : frameworks_) framework->reconcile();
  turn_until([&] { return counted_ >= expected; });
  return counted_;
}

void Fleet::turn() {
  Instant wake = later(reactor_->now().mono, std::chrono::seconds(1));
  if (!agents_to_wake_.empty()) wake = std::min(wake, agents_to_wake_.top().first);
  if (!links_to_connect_.empty()) wake = std::min(wake, links_to_connect_.top().first);
  for (const auto& framework : frameworks_) wake = std::min(wake, framework->wake());
  reactor_->run_once(wake);
  on_wakes();
  for (const auto& framework : frameworks_) framework->on_time();
}

template <class Done>
void Fleet::turn_until(Done&& done) {
  uint64_t progress = progress_;
  Instant patient_until = later(now().mono, kPatience);
  while (!done()) {
    turn();
    if (!trouble_.empty()) throw std::runtime_error(trouble_);
    if (progress != progress_) {
      progress = progress_;
      patient_until = later(reactor_->now().mono, kPatience);
    } else if (reactor_->now().mono > patient_until) {
      throw std::runtime_error(fmt::format(
          "nothing happens any more: {} of {} agents are registered", registered_, agents_.size()));
    }
  }
}

void Fleet::on_wakes() {
  const Instant at = reactor_->now().mono;
  while (!links_to_connect_.empty() && links_to_connect_.top().first <= at) {
    const uint32_t link = links_to_connect_.top().second;
    links_to_connect_.pop();
    attempt(link);
  }
  while (!agents_to_wake_.empty() && agents_to_wake_.top().first <= at) {
    Agent& agent = agents_[agents_to_wake_.top().second];
    agents_to_wake_.pop();
    switch (agent.registration.on_time(at)) {
      case Registration::Step::kNone:
        break;
      case Registration::Step::kRegister:
        register_agent(agent);
        wake(agent);
        break;
      case Registration::Step::kReconnect:
        return give_up(agent.registration.reason());
    }
  }
}

void Fleet::give_up(std::string why) {
  if (trouble_.empty()) trouble_ = std::move(why);
}

void Fleet::on_signal(int) { give_up("interrupted"); }

// ------------------------------------------------------------------------------------ the links

void Fleet::on_master(const std::string& address) {
  master_ = address;
  for (uint32_t i = 0; i < links_.size(); ++i) {
    links_[i].failures = 0;
    // One that is being tried goes down by itself, and then to the new address.
    if (links_[i].id.value == 0) links_to_connect_.emplace(reactor_->now().mono, i);
  }
}

void Fleet::attempt(uint32_t link) {
  if (links_[link].id.value != 0) return;
  links_[link].id = transport_->connect(master_);
  link_of_[links_[link].id] = link;
}

void Fleet::on_link_up(LinkId id, std::string_view) {
  ++progress_;
  Link& link = links_[link_of_.at(id)];
  link.up = true;
  link.failures = 0;
  if (link.framework != nullptr) return link.framework->on_up();
  for (uint32_t i = 0; i < link.agents; ++i) {
    Agent& agent = agents_[link.first_agent + i];
    agent.registration.on_connected(reactor_->now().mono);
    send(agent, Hello{.build = "bench", .epoch = agent.registration.epoch()});
  }
}

void Fleet::on_link_down(LinkId id, std::string_view why) {
  const auto found = link_of_.find(id);
  const uint32_t number = found->second;
  link_of_.erase(found);
  Link& link = links_[number];
  link.id = {};
  const uint32_t doublings = std::min(link.failures++, 20U);
  const Duration bound = std::min<Duration>(limits::kConnectBackoffMin * (int64_t{1} << doublings),
                                            limits::kConnectBackoffMax);
  const Duration wait(rng_.between(bound.count() / 4, bound.count()));
  links_to_connect_.emplace(later(reactor_->now().mono, wait), number);
  if (!std::exchange(link.up, false)) return;
  ++links_lost_;
  if (link.framework != nullptr) return link.framework->on_down(why);
  for (uint32_t i = 0; i < link.agents; ++i) {
    Registration& registration = agents_[link.first_agent + i].registration;
    if (registration.registered()) --registered_;
    registration.on_disconnected();
  }
}

void Fleet::on_frame(LinkId id, Conversation, std::span<const std::byte> payload) {
  ++progress_;
  const Link& link = links_[link_of_.at(id)];
  if (link.framework != nullptr) {
    const auto inbound = decode_master_to_scheduler(payload);
    if (!inbound) return give_up(inbound.error().message);
    return link.framework->on(inbound->message);
  }
  const auto inbound = decode_master_to_agent(payload);
  if (!inbound) return give_up(inbound.error().message);
  on(agents_.at(link.first_agent + inbound->session - 1), inbound->message);
}

// ----------------------------------------------------------------------------------- the agents

uint32_t Fleet::number_of(const Agent& agent) const {
  return static_cast<uint32_t>(&agent - agents_.data());
}

void Fleet::wake(const Agent& agent) {
  const Instant when = agent.registration.next_wake();
  if (when != kNever) agents_to_wake_.emplace(when, number_of(agent));
}

void Fleet::on(Agent& agent, const MasterToAgent& message) {
  const Instant at = reactor_->now().mono;
  Registration& registration = agent.registration;
  if (const auto* reply = std::get_if<HelloReply>(&message)) {
    // A master that does not lead yet; its links are tried again by the rules.
    if (!registration.on_greeted(at, *reply)) {
      return transport_->close(links_[agent.link].id, "not the leader");
    }
    agent.asked = false;
    wake(agent);
  } else if (const auto* registered = std::get_if<Registered>(&message)) {
    const bool was = registration.registered();
    const auto taken = registration.on_registered(at, agent.id, *registered);
    if (!taken) return give_up(taken.error().message);
    agent.id = registered->agent_id;
    if (!was) ++registered_;
  } else if (const auto* ping = std::get_if<Ping>(&message)) {
    registration.on_ping(at, ping->connected);
    send(agent, Pong{});
  } else if (std::holds_alternative<ReregisterFully>(message)) {
    if (registration.registered()) return;
    ++said_all_;
    say(agent, agent.whole);
  } else if (!std::holds_alternative<ErrorMessage>(message)) {
    give_up("the master said to an agent what nobody asked for");
  }
}

namespace {

AgentInfo info_of(uint32_t number, const AgentId& id) {
  return {
      .id = id,
      .hostname = fmt::format("node-{:05}.rack-{:03}.example.org", number, number / 40),
      .address = fmt::format("10.{}.{}.{}:5051", number >> 16, (number >> 8) & 255, number & 255),
      .resources = Resources::parse("cpus:16;mem:64000;disk:1000000;ports:[31000-32000]").value(),
      .attributes = {{.name = "rack", .value = fmt::format("r{}", number / 40)},
                     {.name = "kernel", .value = std::string("6.1.0")}},
      .version = "bench",
      .controllers = {"cpu", "cpuset", "io", "memory", "pids"}};
}

}  // namespace

void Fleet::register_agent(Agent& agent) {
  if (agent.id.empty()) {
    return send(agent, RegisterAgent{.info = info_of(number_of(agent), {}), .operations = {}});
  }
  if (!options_.compact) return say(agent, agent.whole);
  if (!std::exchange(agent.asked, true)) return say(agent, agent.compact);
  send(agent, ReregisterCompactly{.id = agent.id, .repeated = true});
}

void Fleet::say(const Agent& agent, Agent::Words words) {
  transport_->send(links_[agent.link].id, Conversation::kAgent,
                   std::span(saved_).subspan(words.begin, words.size));
}

void Fleet::save_words() {
  for (Agent& agent : agents_) {
    ReregisterAgent words = words_of(agent);
    agent.whole = save(agent, words);
    ReregisterCompactly compact{
        .id = agent.id, .info_hash = fingerprint(words.info), .tasks = std::move(words.tasks)};
    for (const FrameworkInfo& info : words.frameworks) compact.frameworks.push_back(info.id);
    compact.framework_infos = std::move(words.frameworks);
    agent.compact = save(agent, compact);
  }
}

Fleet::Agent::Words Fleet::save(const Agent& agent, const AgentToMaster& message) {
  const auto bytes = encoder_.encode(agent.session, message);
  const Agent::Words words{.begin = saved_.size(), .size = bytes.size()};
  saved_.insert(saved_.end(), bytes.begin(), bytes.end());
  return words;
}

ReregisterAgent Fleet::words_of(const Agent& agent) const {
  const uint32_t number = number_of(agent);
  ReregisterAgent words{.info = info_of(number, agent.id)};
  for (uint32_t i = 0; i < options_.frameworks_per_agent; ++i) {
    words.frameworks.push_back(frameworks_[(number + i) % options_.frameworks]->info());
  }
  for (uint32_t i = 0; i < options_.tasks_per_agent; ++i) {
    const uint32_t of = (number + i % options_.frameworks_per_agent) % options_.frameworks;
    const Framework& framework = *frameworks_[of];
    Task task{
        .id = {fmt::format("service-{}.instance-{}-{}", of, number, i)},
        .framework_id = framework.info().id,
        .agent_id = agent.id,
        .kind = TaskKind{.name = fmt::format("service-{}", of),
                         .role = framework.role(),
                         .resources = Resources::scalars({{"cpus", 1000}, {"mem", 2'000'000}}),
                         .labels = {{"app", fmt::format("service-{}", of)}, {"tier", "web"}},
                         .user = "nobody"},
        .state = TaskState::kRunning,
        .update_state = TaskState::kRunning,
        .update_uuid = uuid_of(number, i),
        .container_id = {fmt::format("{:08x}-1111-4222-8333-{:012x}", number, i)},
        .launched_at = WallTime(std::chrono::seconds(1'700'000'000))};
    task.last_status = {.task_id = task.id,
                        .state = TaskState::kRunning,
                        .source = TaskSource::kAgent,
                        .uuid = task.update_uuid,
                        .agent_id = agent.id,
                        .container_id = task.container_id,
                        .timestamp = task.launched_at};
    words.tasks.push_back(std::move(task));
  }
  return words;
}

void Fleet::send(Agent& agent, const AgentToMaster& message) {
  transport_->send(links_[agent.link].id, Conversation::kAgent,
                   encoder_.encode(agent.session, message));
}

}  // namespace tepui::perf
