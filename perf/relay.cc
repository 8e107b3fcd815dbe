#include "perf/relay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "common/check.h"
#include "common/io/reactor.h"
#include "common/io/tcp.h"
#include "common/wire.h"

namespace tepui::perf {

namespace {

class Relay final : private LinkHandler {
 public:
  Relay() : reactor_(Reactor::create().value()) {
    transport_ = TcpTransport::create(*reactor_, *this).value();
  }

  int serve(int address_fd) {
    const auto bound = transport_->listen(parse_address("127.0.0.1:0").value());
    if (!bound) return 1;
    const std::string line = to_text(*bound) + "\n";
    const bool told = write(address_fd, line.data(), line.size()) == ssize_t(line.size());
    close(address_fd);
    while (told) {
      reactor_->run_once(kNever);
      make_offers();
    }
    return 1;
  }

 private:
  struct Peer {
    LinkId link;
    uint32_t session = 0;
  };
  struct Agent {
    Peer peer;
    AgentInfo info;
    size_t framework = 0;
    uint32_t tasks = 0;  // not yet acknowledged
    bool known = false;  // to its framework, as offers refer to it by number
    bool told = false;   // of its framework
  };
  struct Framework {
    Peer peer;
    FrameworkInfo info;
    bool suppressed = false;
    std::vector<size_t> free;  // agents to be offered
  };
  using Key = std::pair<LinkId, uint32_t>;

  void on_link_up(LinkId, std::string_view) override {}
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId, std::string_view) override {}

  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override {
    if (conversation == Conversation::kScheduler) {
      auto inbound = decode_scheduler_to_master(payload).value();
      on_scheduler({.link = link, .session = inbound.session}, inbound.message);
    } else {
      auto inbound = decode_agent_to_master(payload).value();
      on_agent({.link = link, .session = inbound.session}, inbound.message);
    }
  }

  void send(const Peer& peer, const MasterToScheduler& message) {
    transport_->send(peer.link, Conversation::kScheduler, encoder_.encode(peer.session, message));
  }
  void send(const Peer& peer, const MasterToAgent& message) {
    transport_->send(peer.link, Conversation::kAgent, encoder_.encode(peer.session, message));
  }

  void on_scheduler(const Peer& peer, SchedulerToMaster& message) {
    const Key key{peer.link, peer.session};
    if (std::holds_alternative<Hello>(message)) {
      return send(peer, MasterToScheduler{HelloReply{.protocol = 1, .epoch = 1}});
    }
    if (auto* subscribe = std::get_if<Subscribe>(&message)) {
      framework_of_[key] = frameworks_.size();
      subscribe->info.id = {fmt::format("relay-f{}", frameworks_.size())};
      frameworks_.push_back({.peer = peer, .info = subscribe->info, .free = {}});
      return send(peer, MasterToScheduler{Subscribed{.framework_id = subscribe->info.id,
                                                     .master_id = "relay",
                                                     .epoch = 1,
                                                     .heartbeat_interval = std::chrono::hours(1)}});
    }
    const size_t framework = framework_of_.at(key);
    if (auto* accepts = std::get_if<Accepts>(&message)) {
      for (Accept& accept : accepts->accepts) launch(framework, accept);
    } else if (const auto* acknowledge = std::get_if<Acknowledge>(&message)) {
      pass_on(framework, *acknowledge);
    } else if (const auto* decline = std::get_if<Decline>(&message)) {
      for (const OfferId offer : decline->offers) give_back(agent_of(offer));
    } else if (std::holds_alternative<Suppress>(message)) {
      frameworks_[framework].suppressed = true;
    } else if (std::holds_alternative<Revive>(message)) {
      frameworks_[framework].suppressed = false;
    }
  }

  void on_agent(const Peer& peer, AgentToMaster& message) {
    const Key key{peer.link, peer.session};
    if (std::holds_alternative<Hello>(message)) {
      return send(peer, MasterToAgent{HelloReply{.protocol = 1, .epoch = 1}});
    }
    if (auto* hello = std::get_if<RegisterAgent>(&message)) {
      const size_t index = agents_.size();
      agent_of_[key] = index;
      hello->info.id = {fmt::format("relay-a{}", index)};
      index_of_[hello->info.id] = index;
      agents_.push_back({.peer = peer, .info = hello->info});
      waiting_.push_back(index);
      return send(peer, MasterToAgent{Registered{.agent_id = hello->info.id,
                                                 .master_id = "relay",
                                                 .epoch = 1,
                                                 .ping_timeout = std::chrono::hours(1)}});
    }
    if (auto* updates = std::get_if<StatusUpdates>(&message)) {
      const Agent& agent = agents_[agent_of_.at(key)];
      Updates out;
      for (StatusUpdates::Item& item : updates->items) {
        out.statuses.push_back(std::move(item.status));
      }
      send(frameworks_[agent.framework].peer, MasterToScheduler{std::move(out)});
    }
  }

  static OfferId offer_of(size_t agent) { return {agent + 1}; }
  static size_t agent_of(OfferId offer) { return offer.value - 1; }

  void launch(size_t framework, Accept& accept) {
    Agent& agent = agents_[agent_of(accept.offers.at(0))];
    LaunchTasks out;
    if (!std::exchange(agent.told, true)) out.frameworks.push_back(frameworks_[framework].info);
    for (OfferOperation& operation : accept.operations) {
      for (TaskInfo& task : operation.tasks) {
        out.tasks.push_back({.framework_id = frameworks_[framework].info.id,
                             .role = frameworks_[framework].info.roles[0],
                             .task = std::move(task)});
      }
    }
    agent.tasks += static_cast<uint32_t>(out.tasks.size());
    send(agent.peer, MasterToAgent{std::move(out)});
  }

  void pass_on(size_t framework, const Acknowledge& acknowledge) {
    std::map<size_t, AcknowledgeUpdates> by_agent;
    for (const Acknowledge::Item& item : acknowledge.items) {
      const size_t index = index_of_.at(item.agent_id);
      by_agent[index].items.push_back({.framework_id = frameworks_[framework].info.id,
                                       .task_id = item.task_id,
                                       .uuid = item.uuid});
      // The load's second and last update of a task says 2 (perf/load.cc).
      if (item.uuid.high == 2 && --agents_[index].tasks == 0) give_back(index);
    }
    for (auto& [index, message] : by_agent) {
      send(agents_[index].peer, MasterToAgent{std::move(message)});
    }
  }

  void give_back(size_t agent) { frameworks_[agents_[agent].framework].free.push_back(agent); }

  void make_offers() {
    if (frameworks_.empty()) return;
    for (const size_t agent : std::exchange(waiting_, {})) {
      agents_[agent].framework = agent % frameworks_.size();
      give_back(agent);
    }
    for (Framework& framework : frameworks_) {
      if (framework.suppressed || framework.free.empty()) continue;
      OfferBatch batch{
          .agents = {}, .roles = {framework.info.roles[0]}, .shapes = {}, .offers = {}};
      for (const size_t index : std::exchange(framework.free, {})) {
        Agent& agent = agents_[index];
        const auto number = static_cast<uint32_t>(index);
        if (!std::exchange(agent.known, true)) {
          batch.agents.push_back({.agent = number,
                                  .id = agent.info.id,
                                  .hostname = agent.info.hostname,
                                  .address = agent.info.address});
        }
        if (batch.shapes.empty()) batch.shapes.push_back(agent.info.resources);
        batch.offers.push_back({.id = offer_of(index), .agent = number});
      }
      send(framework.peer, MasterToScheduler{std::move(batch)});
    }
  }

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<TcpTransport> transport_;
  Encoder encoder_;
  std::vector<Agent> agents_;
  std::vector<Framework> frameworks_;
  std::vector<size_t> waiting_;  // agents without a framework yet
  std::map<Key, size_t> agent_of_;
  std::map<Key, size_t> framework_of_;
  std::map<AgentId, size_t> index_of_;
};

}  // namespace

int run_relay(int address_fd) { return Relay().serve(address_fd); }

}  // namespace tepui::perf
