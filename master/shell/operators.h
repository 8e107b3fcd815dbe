#pragma once
// Operators is the reader's side of the operator conversations: it answers lists and watches from
// the tables, and passes commands on. Everything but the sockets of the reader.
//
// One thread, the reader's. Sends through OperatorsEffects, so tests need no socket.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/messages.h"
#include "master/shell/tables.h"

namespace tepui {

class OperatorsEffects {
 public:
  virtual ~OperatorsEffects() = default;
  enum class Sent : uint8_t { kYes, kCongested };
  virtual Sent send(SessionId to, const ServerToOperator& message) = 0;
  virtual void close(SessionId session, std::string_view why) = 0;
  virtual void command(SessionId from, const std::string& principal, const OperatorKill& kill) = 0;
  virtual void want_metrics() = 0;
};

class Operators {
 public:
  Operators(const Tables& tables, OperatorsEffects& effects, std::string build)
      : tables_(tables), effects_(effects), build_(std::move(build)) {}

  void on_message(SessionId session, const OperatorToServer& message);
  void on_lost(SessionId session);
  void on_ready(SessionId session);  // no longer congested
  void on_answer(SessionId session, const RequestDone& done);
  // The tables took a batch: watchers are told, and waiting requests are answered if they can be.
  void on_changed(const Changed& changed, bool fresh_metrics);

  size_t watchers() const;

 private:
  struct Watch {
    uint32_t request = 0;
    std::vector<Table> tables;
    bool lagging = false;  // congested: gets a new snapshot when it reads again
  };
  struct Session {
    bool greeted = false;
    std::string principal;
    std::vector<Watch> watches;
    std::vector<ListRequest> waiting;  // for metrics, or for the state to be whole
  };

  void on(SessionId id, Session& session, const Hello& hello);
  void on(SessionId id, Session& session, const ListRequest& request);
  void on(SessionId id, Session& session, const WatchRequest& request);
  void answer(SessionId id, const ListRequest& request);
  void snapshot(SessionId id, Watch& watch);
  void refuse(SessionId id, uint32_t request, std::string why);

  const Tables& tables_;
  OperatorsEffects& effects_;
  const std::string build_;
  std::map<SessionId, Session> sessions_;
};

}  // namespace tepui
