#pragma once
// Fleet plays a whole cluster that lives through the death of its master: many agents with running
// tasks, and the frameworks of those tasks, over real sockets, on the thread of whoever runs it. An
// agent is a session; a link carries the sessions of one or more agents. Agents wait, ask and ask
// again by the rules of the real one (agent/registration.h), links by those of common/io/connector
// (which is not used: there it is one link to a process, here thousands); nothing runs. What an
// agent says when it comes back is encoded beforehand, for a real one has a processor of its own
// for that.
//
// The tasks were never launched: a master learns of those it did not launch itself from agents
// only, so the next master cannot tell them from others.
//
// The first framework wants offers, and keeps them; the others have all they want.
//
// For benchmarks only. What goes wrong is a std::runtime_error.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/registration.h"
#include "common/io/master_finder.h"
#include "common/io/reactor.h"
#include "common/io/signals.h"
#include "common/io/tcp.h"
#include "common/wire.h"

namespace tepui::perf {

struct FleetOptions {
  std::string master;  // "127.0.0.1:5050", or zk://…
  uint32_t agents = 1000;
  uint32_t links = 100;
  uint32_t tasks_per_agent = 10;
  uint32_t frameworks = 20;
  uint32_t frameworks_per_agent = 5;
  // Agents of the first release say everything, and say it again while they wait for the answer.
  bool compact = true;
  // Of the wait before an agent registers again, drawn from 0 to this.
  Duration registration_backoff = std::chrono::seconds(1);
};

class Fleet final : private LinkHandler, private SignalsOwner, private MasterFinderOwner {
 public:
  // Returns when all agents are registered and all frameworks subscribed.
  explicit Fleet(FleetOptions options);
  ~Fleet() override;

  struct Return {
    double all_back_secs = 0;     // from the death to the last agent's Registered
    WallTime first_offer{};       // that anybody got
    uint64_t bytes_sent = 0;      // by all agents and frameworks, frames and all
    uint64_t bytes_received = 0;  // likewise, offers too
    uint64_t said_all = 0;        // agents that were asked for the whole
    uint64_t links_lost = 0;      // after the death: cut for silence, or full
  };
  // `kill` ends the leading master, and sees to it that another one comes.
  Return outlive(const std::function<void()>& kill);
  // How many tasks the master knows as running, as their frameworks learn by reconciliation.
  uint64_t count_tasks();

 private:
  class Framework;
  friend class Framework;
  // Either of agents or of a framework.
  struct Link {
    uint32_t first_agent = 0;
    uint32_t agents = 0;
    Framework* framework = nullptr;
    LinkId id;  // of the present attempt or connection
    bool up = false;
    uint32_t failures = 0;  // to connect, in a row
  };
  struct Agent {
    uint32_t link = 0;  // in links_
    uint32_t session = 0;
    AgentId id;
    Registration registration;
    // What it says when it comes back, in saved_.
    struct Words {
      size_t begin = 0;
      size_t size = 0;
    };
    Words whole;
    Words compact;
    bool asked = false;  // this master
  };
  // When whom: an agent or a link, by its place.
  using Wake = std::pair<Instant, uint32_t>;
  using Wakes = std::priority_queue<Wake, std::vector<Wake>, std::greater<>>;

  void make_agents();
  void make_frameworks();
  void attempt(uint32_t link);
  void turn();
  template <class Done>
  void turn_until(Done&& done);
  bool all_here() const;
  void give_up(std::string why);

  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override;
  void on_master(const std::string& address) override;
  void on_no_master(std::string_view) override {}
  void on_signal(int signal) override;

  void save_words();
  Agent::Words save(const Agent& agent, const AgentToMaster& message);
  void say(const Agent& agent, Agent::Words words);
  ReregisterAgent words_of(const Agent& agent) const;
  void on(Agent& agent, const MasterToAgent& message);
  void register_agent(Agent& agent);
  void on_wakes();
  void wake(const Agent& agent);
  void send(Agent& agent, const AgentToMaster& message);
  uint32_t number_of(const Agent& agent) const;

  const FleetOptions options_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<MasterFinder> finder_;
  Rng rng_{1};
  Encoder encoder_;
  std::vector<Agent> agents_;
  std::vector<Link> links_;
  std::map<LinkId, uint32_t> link_of_;  // in links_
  std::vector<std::unique_ptr<Framework>> frameworks_;
  std::string master_;  // its address
  Wakes agents_to_wake_;
  Wakes links_to_connect_;
  std::vector<std::byte> saved_;
  uint32_t registered_ = 0;
  WallTime first_offer_{};
  uint64_t said_all_ = 0;
  uint64_t links_lost_ = 0;
  uint64_t counted_ = 0;
  std::string trouble_;
  uint64_t progress_ = 0;  // counts what happened, so that a stall is seen
};

}  // namespace tepui::perf
