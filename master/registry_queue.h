#pragma once
// RegistryQueue holds changes of the registry until they are durable, and what is to be done then.
// All changes of a turn leave as one write; one write is under way at a time, and what comes
// meanwhile is the next. Completions happen in the order of submission, so a change may rely on
// those before it.
//
// Invariant: nothing is told to a peer before what it depends on is durable.
//
// Pure.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/messages.h"
#include "common/registry.h"
#include "common/store.h"
#include "master/asker.h"

namespace tepui::master {

struct State;

// What operators command; see master/quota.h and its neighbours.
struct QuotaChange {
  std::vector<UpdateQuota::Item> quotas;
};
struct WeightsChange {
  std::vector<UpdateWeights::Item> weights;
};
struct MachinesChange {
  std::map<std::string, std::optional<Machine>> machines;  // by hostname; nothing: not any more
};
struct StandingChange {
  AgentId agent;
  Standing standing;
};
using CommandChange =
    std::variant<std::monostate, QuotaChange, WeightsChange, MachinesChange, StandingChange>;

struct RegistryChange {
  enum class Kind : uint8_t {
    kAdmit,        // a new agent: `info`, in `session`
    kReadmit,      // an agent that comes back: `message`, in `session`
    kUnreachable,  // `agent` is given up, `why`
    kRemove,       // `agent` is gone for good, its tasks with it, `why`
    kCommand,      // `command`
    kForget,       // nothing need be known of `agent`: too long unreachable, or never told its id
  };
  Kind kind = Kind::kAdmit;
  AgentId agent;
  SessionId session;
  std::string why;
  AgentInfo info;
  std::unique_ptr<ReregisterAgent> message;
  CommandChange command;
  std::optional<Asker> asker;  // is told when it is done
  bool by_operator = false;    // kRemove: an operator marked it gone
};

struct RegistryQueue {
  Registry registry;
  std::vector<RegistryChange> waiting;
  std::vector<StoreWrite> waiting_writes;
  std::vector<RegistryChange> under_way;
  uint64_t token = 0;  // of the write under way, 0: none
  uint64_t last_token = 0;
  size_t under_way_bytes = 0;
  size_t under_way_keys = 0;
};

// Reads what the last leader left; names the cluster if nobody has yet.
Result<void> open_registry(State& s, const StoreContents& contents);
void submit(State& s, RegistryChange change);
void submit(State& s, CommandChange command, std::optional<Asker> asker);
// Starts the write of what waits, unless one is under way.
void write_registry(State& s);
void on_registry_written(State& s, uint64_t token);
void on_registry_failed(State& s, uint64_t token, const Error& error);

}  // namespace tepui::master
