#pragma once
// FakeEffects records what a master did to the world; Bench puts a real master with the real
// allocator on a table, with agents and schedulers that say only what a test makes them say.

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/messages.h"
#include "common/store.h"
#include "master/allocator/drf_allocator.h"
#include "master/authorizer.h"
#include "master/effects.h"
#include "master/master.h"

namespace tepui {

using namespace std::chrono_literals;

// What the events say of the number of things, and those a test looks for.
struct EventCounts final : EventSink {
  std::map<size_t, int> by_kind;
  std::vector<std::string> rejected;
  std::vector<std::string> dropped;
  std::vector<event::OfferEnd> offers_ended;
  std::vector<TaskState> task_states;  // of every TaskUpdated
  EventSink* also = nullptr;           // hears every event, too

  template <class E>
  int count() const {
    const auto found = by_kind.find(Event(E{}).index());
    return found == by_kind.end() ? 0 : found->second;
  }

  void on_event(const Event& event) override {
    if (also != nullptr) also->on_event(event);
    ++by_kind[event.index()];
    if (const auto* e = std::get_if<event::PeerRejected>(&event)) rejected.emplace_back(e->why);
    if (const auto* e = std::get_if<event::MessageDropped>(&event)) dropped.emplace_back(e->why);
    if (const auto* e = std::get_if<event::OfferEnded>(&event)) offers_ended.push_back(e->how);
    if (const auto* e = std::get_if<event::TaskUpdated>(&event)) {
      task_states.push_back(e->task->state);
    }
  }
};

class FakeEffects final : public MasterEffects {
 public:
  using Sent = std::variant<MasterToScheduler, MasterToAgent, RequestDone, Explanation>;
  struct Write {
    uint64_t token = 0;
    std::vector<StoreWrite> batch;
  };

  std::map<SessionId, std::deque<Sent>> sent;
  std::map<SessionId, std::string> closed;
  std::deque<Write> writes;
  std::vector<std::string> resignations;
  Instant wake = kNever;
  EventCounts events;

  void send(SessionId to, const MasterToScheduler& message) override { record(to, message); }
  void send(SessionId to, const MasterToAgent& message) override { record(to, message); }
  void send(SessionId to, const RequestDone& message) override { record(to, message); }
  void send(SessionId to, const Explanation& message) override { record(to, message); }
  void close(SessionId session, std::string_view why) override { closed.emplace(session, why); }
  void persist(uint64_t token, std::vector<StoreWrite> batch) override {
    EXPECT_FALSE(batch.empty());
    writes.push_back({token, std::move(batch)});
  }
  void wake_at(Instant when) override { wake = when; }
  void resign(std::string_view why) override { resignations.emplace_back(why); }
  void on_event(const Event& event) override { events.on_event(event); }

 private:
  void record(SessionId to, Sent message) {
    EXPECT_FALSE(closed.contains(to)) << "sent to a closed session";
    sent[to].push_back(std::move(message));
  }
};

struct TestAgent {
  SessionId session;
  AgentInfo info;
};
struct TestFramework {
  SessionId session;
  FrameworkInfo info;
};
// An offer as a scheduler sees it, with its side tables looked up.
struct SeenOffer {
  OfferId id;
  AgentId agent;
  std::string role;
  Resources resources;
};

inline Resources machine(int64_t cpus_milli = 4000, int64_t mem_milli = 4096000) {
  return Resources::scalars({{"cpus", cpus_milli}, {"mem", mem_milli}});
}

inline FrameworkInfo framework_info(std::string_view role = "*") {
  FrameworkInfo info;
  info.name = "test";
  info.roles = {std::string(role)};
  info.capabilities =
      bit(FrameworkCapability::kPartitionAware) | bit(FrameworkCapability::kMultiRole);
  info.failover_timeout = 60s;
  return info;
}

inline TaskInfo task_info(std::string_view id, Resources resources = machine(1000, 512000)) {
  auto spec = std::make_shared<TaskSpec>();
  spec->resources = std::move(resources);
  spec->command.value = "true";
  return {.id = {std::string(id)}, .name = std::string(id), .spec = std::move(spec)};
}

class Bench {
 public:
  explicit Bench(MasterTunables tunables = {}, Allocator* allocator = nullptr)
      : tunables_(tunables), given_allocator_(allocator) {
    restart();
  }

  FakeEffects effects;
  StoreContents store;  // what is durable
  AllowAll allow_all;
  Authorizer* authorizer = &allow_all;
  std::vector<std::pair<std::string, int64_t>> weights;
  bool require_agent_domain = false;  // of the next restart()
  Now now{.mono = Instant(1s), .wall = WallTime(1'000'000s)};
  uint64_t epoch = 0;
  bool audits = true;

  Master& master() { return *master_; }
  EventCounts& events() { return effects.events; }

  // A new master on what is durable: all its sessions are gone with the old one.
  void restart() {
    effects.writes.clear();
    effects.sent.clear();
    allocator_ = std::make_unique<DrfAllocator>(AllocatorOptions{}, 7);
    Allocator& allocator = given_allocator_ != nullptr ? *given_allocator_ : *allocator_;
    MasterConfig config{.build = "test",
                        .hostname = "m",
                        .weights = weights,
                        .require_agent_domain = require_agent_domain,
                        .tunables = tunables_};
    master_ =
        std::make_unique<Master>(std::move(config), 42 + epoch, allocator, *authorizer, effects);
    master_->on_elected(now, ++epoch, store);
    settle();
  }

  // ---- time and turns

  // Turns until nothing is left to do: what was written becomes durable.
  void settle() {
    now.mono += 10ms;  // past the allocation gap
    now.wall += 10ms;
    for (int turn = 0; turn < 100; ++turn) {
      const bool more = master_->work(now);
      if (effects.writes.empty() && !more) break;
      persist_all();
    }
    if (!audits) return;
    const Result<void> audit = master_->audit();
    EXPECT_TRUE(audit.has_value()) << audit.error().message;
  }
  void persist_all() {
    while (!effects.writes.empty()) {
      const FakeEffects::Write write = std::move(effects.writes.front());
      effects.writes.pop_front();
      for (const StoreWrite& one : write.batch) {
        if (one.value) {
          store[one.key] = *one.value;
        } else {
          store.erase(one.key);
        }
      }
      master_->on_persisted(now, write.token);
    }
  }
  // Time passes in the master's own steps, and everybody alive answers pings.
  void pass(Duration duration) {
    const Instant end = now.mono + duration;
    while (effects.wake <= end) {
      const Duration step = std::max(Duration(1), effects.wake - now.mono);
      now.mono += step;
      now.wall += step;
      master_->on_time(now);
      settle();
      for (const SessionId session : answering_) {
        if (!effects.closed.contains(session)) say(session, Pong{});
      }
    }
    if (now.mono < end) {
      now.wall += end - now.mono;
      now.mono = end;
    }
    settle();
  }

  // ---- peers

  SessionId new_session() { return SessionId{++last_session_}; }
  void say(SessionId from, AgentToMaster message) {
    master_->on_message(now, from, std::move(message));
  }
  void say(SessionId from, const SchedulerToMaster& message) {
    master_->on_message(now, from, message);
  }
  template <class M>
    requires(!std::is_same_v<M, AgentToMaster> && !std::is_same_v<M, SchedulerToMaster>)
  void say(SessionId from, M message) {
    if constexpr (std::is_constructible_v<SchedulerToMaster, M> &&
                  !std::is_constructible_v<AgentToMaster, M>) {
      say(from, SchedulerToMaster(std::move(message)));
    } else {
      say(from, AgentToMaster(std::move(message)));
    }
  }
  void lose(SessionId session) {
    effects.closed.emplace(session, "lost");
    master_->on_peer_lost(now, session, "lost");
    settle();
  }
  void answer_pings(SessionId session) { answering_.push_back(session); }

  // All messages of one type that came to a session, in order; they count as read.
  template <class M>
  std::vector<M> take(SessionId session) {
    std::vector<M> found;
    std::deque<FakeEffects::Sent> rest;
    for (FakeEffects::Sent& sent : effects.sent[session]) {
      std::visit(
          [&](auto& conversation) {
            using Conversation = std::decay_t<decltype(conversation)>;
            if constexpr (!std::is_same_v<Conversation, RequestDone> &&
                          !std::is_same_v<Conversation, Explanation>) {
              if constexpr (std::is_constructible_v<Conversation, M>) {
                if (M* message = std::get_if<M>(&conversation)) {
                  found.push_back(std::move(*message));
                  return;
                }
              }
            } else if constexpr (std::is_same_v<M, Conversation>) {
              found.push_back(std::move(conversation));
              return;
            }
            rest.push_back(std::move(sent));
          },
          sent);
    }
    effects.sent[session] = std::move(rest);
    return found;
  }

  // The answer to an operator's command: empty if it was done.
  std::string command(OperatorRequest request) {
    const SessionId session = new_session();
    std::visit([](auto& one) { one.request = 5; }, request);
    master_->on_message(now, session, "op", request);
    settle();
    const auto answers = take<RequestDone>(session);
    EXPECT_EQ(answers.size(), 1u) << "a command is answered once";
    if (answers.empty()) return "no answer";
    EXPECT_EQ(answers[0].request, 5u);
    return answers[0].error;
  }

  TestAgent agent(Resources resources = machine(), std::string hostname = {}) {
    TestAgent agent{.session = new_session()};
    if (hostname.empty()) hostname = "host" + std::to_string(agent.session.value);
    agent.info.hostname = std::move(hostname);
    agent.info.address = "10.0.0.1:5051";
    agent.info.resources = std::move(resources);
    say(agent.session, AgentToMaster(Hello{}));
    say(agent.session, RegisterAgent{agent.info});
    settle();
    const auto registered = take<Registered>(agent.session);
    EXPECT_EQ(registered.size(), 1u);
    if (!registered.empty()) agent.info.id = registered[0].agent_id;
    return agent;
  }
  // On a new session; the old one is not lost by this.
  void reregister(TestAgent& agent, std::vector<FrameworkInfo> frameworks = {},
                  std::vector<Task> tasks = {}) {
    agent.session = new_session();
    say(agent.session, AgentToMaster(Hello{}));
    say(agent.session, ReregisterAgent{agent.info, std::move(frameworks), std::move(tasks)});
    settle();
  }

  TestFramework framework(FrameworkInfo info = framework_info()) {
    TestFramework framework{.session = new_session(), .info = std::move(info)};
    say(framework.session, SchedulerToMaster(Hello{}));
    say(framework.session, Subscribe{framework.info});
    settle();
    const auto subscribed = take<Subscribed>(framework.session);
    EXPECT_EQ(subscribed.size(), 1u);
    if (!subscribed.empty()) framework.info.id = subscribed[0].framework_id;
    return framework;
  }
  void resubscribe(TestFramework& framework) {
    agents_known_.erase(framework.session);
    framework.session = new_session();
    say(framework.session, SchedulerToMaster(Hello{}));
    say(framework.session, Subscribe{framework.info});
    settle();
  }

  std::vector<SeenOffer> offers(const TestFramework& framework) {
    std::vector<SeenOffer> seen;
    for (const OfferBatch& batch : take<OfferBatch>(framework.session)) {
      auto& known = agents_known_[framework.session];
      for (const AgentFacts& facts : batch.agents) {
        EXPECT_TRUE(known.emplace(facts.agent, facts.id).second) << "a number was used twice";
      }
      for (const OfferItem& item : batch.offers) {
        EXPECT_TRUE(known.contains(item.agent)) << "an offer of an agent nobody introduced";
        seen.push_back(
            {item.id, known[item.agent], batch.roles.at(item.role), batch.shapes.at(item.shape)});
      }
    }
    return seen;
  }
  std::vector<TaskStatus> updates(const TestFramework& framework) {
    std::vector<TaskStatus> statuses;
    for (Updates& part : take<Updates>(framework.session)) {
      statuses.insert(statuses.end(), part.statuses.begin(), part.statuses.end());
    }
    return statuses;
  }

  // ---- what schedulers and agents do

  void accept(const TestFramework& framework, std::vector<OfferId> offers,
              std::vector<TaskInfo> tasks, std::optional<Duration> refuse = std::nullopt) {
    Accept accept{.offers = std::move(offers), .filters = {refuse}};
    if (!tasks.empty()) accept.operations.push_back({.tasks = std::move(tasks)});
    say(framework.session, Accepts{{std::move(accept)}});
    settle();
  }
  void decline(const TestFramework& framework, OfferId offer,
               std::optional<Duration> refuse = std::nullopt) {
    say(framework.session, Decline{.offers = {offer}, .filters = {refuse}});
    settle();
  }
  // One task on the first offer; the rest of it is refused for long.
  Task launch(const TestFramework& framework, std::string_view id,
              Resources resources = machine(1000, 512000)) {
    const auto offered = offers(framework);
    EXPECT_FALSE(offered.empty()) << "nothing was offered for task " << id;
    if (offered.empty()) return {};
    accept(framework, {offered[0].id}, {task_info(id, resources)}, 24h);
    return {
        .id = {std::string(id)},
        .framework_id = framework.info.id,
        .agent_id = offered[0].agent,
        .kind = TaskKind{
            .name = std::string(id), .role = offered[0].role, .resources = std::move(resources)}};
  }
  Uuid update(const TestAgent& agent, Task& task, TaskState state) {
    const Uuid uuid{1, ++last_uuid_};
    task.state = task.update_state = state;
    task.update_uuid = uuid;
    TaskStatus status{.task_id = task.id,
                      .state = state,
                      .source = TaskSource::kAgent,
                      .uuid = uuid,
                      .agent_id = agent.info.id};
    task.last_status = status;
    say(agent.session, StatusUpdates{{{task.framework_id, status, state}}});
    settle();
    return uuid;
  }
  void acknowledge(const TestFramework& framework, const Task& task, Uuid uuid) {
    say(framework.session, Acknowledge{{{task.agent_id, task.id, uuid}}});
    settle();
  }
  std::vector<TaskStatus> reconcile(const TestFramework& framework,
                                    std::vector<Reconcile::Item> items) {
    say(framework.session, Reconcile{std::move(items)});
    settle();
    return updates(framework);
  }

 private:
  MasterTunables tunables_;
  Allocator* given_allocator_;
  std::unique_ptr<DrfAllocator> allocator_;
  std::unique_ptr<Master> master_;
  uint64_t last_session_ = 0;
  uint64_t last_uuid_ = 0;
  std::vector<SessionId> answering_;
  std::map<SessionId, std::map<uint32_t, AgentId>> agents_known_;
};

}  // namespace tepui
