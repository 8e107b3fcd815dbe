#pragma once
// Load plays many agents and a few frameworks against one master, over real sockets, on the thread
// of whoever runs it. An agent is a session; a link carries the sessions of many agents. It answers
// a launch with RUNNING, the acknowledgement of that with FINISHED, and a ping with a pong; nothing
// runs. A framework is the scheduler core of the SDK; it fills every offer with tasks of one cpu.
//
// For benchmarks only. What goes wrong is a std::runtime_error.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/reactor.h"
#include "common/io/signals.h"
#include "common/io/tcp.h"
#include "common/wire.h"
#include "sdk/scheduler.h"

namespace tepui::perf {

struct LoadOptions {
  std::string master;  // "127.0.0.1:5050"
  uint32_t agents = 1000;
  uint32_t agent_links = 20;
  uint32_t frameworks = 4;
  uint32_t cpus = 8;  // of an agent; a task takes one
};

class Load final : private LinkHandler, private SignalsOwner {
 public:
  // Returns when all agents are registered and all frameworks subscribed.
  explicit Load(LoadOptions options);
  ~Load() override;

  struct Work {
    uint32_t tasks = 0;
    uint32_t at_once = UINT32_MAX;  // launched and not yet FINISHED
  };
  struct Result {
    double secs = 0;                  // to the last acknowledgement that reached an agent
    std::vector<double> launch_ms{};  // accept to RUNNING, of each task
  };
  Result run(const Work& work);

 private:
  struct Agent {
    LinkId link;
    uint32_t session = 0;
    AgentId id;
    uint64_t updates = 0;
    StatusUpdates out;  // of this turn
  };
  class Framework;
  friend class Framework;

  void connect();
  void turn();
  template <class Done>
  void turn_until(Done&& done);

  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override;
  void on_signal(int signal) override;

  // Ends the run, once the turn is over: nothing is thrown through the reactor.
  void give_up(std::string why);

  void on(Agent& agent, const MasterToAgent& message);
  void update(Agent& agent, const FrameworkId& framework, const TaskId& task, TaskState state);
  void flush();
  void send(Agent& agent, const AgentToMaster& message);

  void on_running(Instant launched);
  void on_finished();
  void launch();

  const LoadOptions options_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<TcpTransport> transport_;
  Encoder encoder_;
  std::map<LinkId, size_t> first_agent_;  // of a link
  std::vector<Agent> agents_;
  std::vector<size_t> talking_;  // agents with updates to send in this turn
  std::vector<std::unique_ptr<Framework>> frameworks_;
  std::map<LinkId, Framework*> framework_of_;
  size_t registered_ = 0;
  std::string trouble_;
  uint64_t progress_ = 0;  // counts what happened, so that a stall is seen

  // Of the present run.
  uint32_t to_launch_ = 0;
  uint32_t at_once_max_ = 0;
  uint32_t at_once_ = 0;
  uint32_t acknowledged_ = 0;
  std::vector<double> launch_ms_;
};

}  // namespace tepui::perf
