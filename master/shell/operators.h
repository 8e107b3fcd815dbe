#pragma once
// Operators is the reader's side of the operator conversations: it answers lists and watches from
// the tables, and passes commands on. Everything but the sockets of the reader.
//
// Nobody makes the reader keep much: a list goes out part by part, as fast as its client reads;
// what changes meanwhile is kept for a watcher as keys, and if that gets too much, the watcher gets
// a resync and everything anew.
//
// One thread, the reader's. Sends through OperatorsEffects, so tests need no socket.

#include <cstdint>
#include <deque>
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
  virtual void command(SessionId from, const std::string& principal,
                       const OperatorRequest& request) = 0;
  virtual void want_metrics() = 0;
};

class Operators {
 public:
  Operators(const Tables& tables, OperatorsEffects& effects, std::string build)
      : tables_(tables), effects_(effects), build_(std::move(build)) {}

  void on_message(SessionId session, const OperatorToServer& message);
  void on_lost(SessionId session);
  void on_ready(SessionId session);  // no longer congested
  void on_answer(SessionId session, const ServerToOperator& answer);
  // Of a master that leads, or `leader` does if it is known. One that leads no more ends the
  // sessions: what they asked for and watch is void.
  void on_leadership(bool leads, std::string leader);
  // The tables took a batch: watchers are told, and waiting requests are answered if they can be.
  void on_changed(const Changed& changed, bool fresh_metrics);

  size_t watchers() const;

 private:
  struct Watch {
    uint32_t request = 0;
    std::vector<Table> tables;
    size_t parts_due = 0;  // tables whose list is not out yet
    Changed untold;        // what the lists that are out may lack
    bool lagging = false;  // gets a resync when it reads again
  };
  // A list that is under way.
  struct Transfer {
    ListRequest request;
    ListCursor cursor;
    bool of_watch = false;
  };
  struct Session {
    bool greeted = false;
    bool congested = false;
    std::string principal;
    std::vector<Watch> watches;
    std::deque<Transfer> transfers;
    std::vector<ListRequest> waiting;  // for metrics, or for the state to be whole
  };

  void on(SessionId id, Session& session, const Hello& hello);
  void on(SessionId id, Session& session, const ListRequest& request);
  void on(SessionId id, Session& session, const WatchRequest& request);
  void answer(SessionId id, Session& session, const ListRequest& request);
  void send(SessionId id, Session& session, const ServerToOperator& message);
  // Queues the lists that a watch begins with.
  void begin_lists(Session& session, Watch& watch);
  void begin_again(SessionId id, Session& session, Watch& watch);
  void on_changed(SessionId id, Session& session, Watch& watch, const Changed& changed);
  void tell(SessionId id, Session& session, Watch& watch);
  // Sends what is due, until there is nothing or the client reads too slowly.
  void go_on(SessionId id, Session& session);
  void refuse(SessionId id, uint32_t request, std::string why);
  std::string elsewhere() const;

  const Tables& tables_;
  OperatorsEffects& effects_;
  const std::string build_;
  bool leads_ = true;  // until the loop says otherwise
  std::string leader_;
  std::map<SessionId, Session> sessions_;
};

}  // namespace tepui
