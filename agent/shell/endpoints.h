#pragma once
// Endpoints is the agent's side of operator conversations: it lists the tasks, the metrics and the
// agent itself, and reads files of sandboxes. It only answers; nothing here changes the agent.
//
// A peer that breaks the conversation loses its link, with the reason in a goodbye and in
// event::PeerRejected; every other link goes on.
//
// One thread, the loop's.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/agent.h"
#include "agent/shell/sandbox_files.h"
#include "common/events.h"
#include "common/io/session_table.h"
#include "common/messages.h"
#include "common/transport.h"
#include "common/wire.h"

namespace tepui {

class EndpointsOwner {
 public:
  virtual ~EndpointsOwner() = default;
  virtual std::vector<MetricRow> metrics() const = 0;
  // False: too many reads are under way.
  virtual bool start_read(uint64_t token, SandboxRead read) = 0;
};

class Endpoints {
 public:
  Endpoints(const Agent& agent, EndpointsOwner& owner, EventSink& events, std::string build);
  void use(Transport& transport) { transport_ = &transport; }

  // The links that were accepted.
  void on_link_up(LinkId link, std::string_view peer);
  void on_frame(LinkId link, Conversation conversation, std::span<const std::byte> payload);
  void on_link_down(LinkId link);

  void on_read(uint64_t token, Result<SandboxBytes> bytes);

 private:
  struct Session {
    bool greeted = false;
    size_t reading = 0;
  };
  struct Read {
    SessionId session;
    uint32_t request = 0;
    bool task_ended = false;
  };

  void on(SessionId id, const Hello& hello);
  void on(SessionId id, const ListRequest& request);
  void on(SessionId id, const WatchRequest& request);
  void on(SessionId id, const ReadFile& request);
  void on(SessionId id, const Goodbye& goodbye);
  // Commands are the master's to take.
  template <class Command>
  void on(SessionId id, const Command& command) {
    done(id, command.request, "an agent takes no commands: ask the master");
  }

  Result<Rows> rows_of(const ListRequest& request) const;
  void send_in_parts(SessionId id, uint32_t request, Rows rows);
  void send(SessionId to, const ServerToOperator& message);
  void done(SessionId to, uint32_t request, std::string error);
  void end(SessionId id, std::string_view why);
  void refuse(LinkId link, std::string_view why);

  const Agent& agent_;
  EndpointsOwner& owner_;
  EventSink& events_;
  const std::string build_;
  Transport* transport_ = nullptr;
  Encoder encoder_;
  SessionTable table_;
  std::map<SessionId, Session> sessions_;
  std::map<LinkId, std::string> peers_;
  uint64_t next_token_ = 1;
  std::map<uint64_t, Read> reads_;
};

}  // namespace tepui
