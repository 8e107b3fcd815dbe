#include "master/journal_replay.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/wire.h"
#include "master/allocator/drf_allocator.h"
#include "master/authorizer.h"

namespace tepui {

namespace {

std::string_view name_of(MasterInput kind) {
  switch (kind) {
    case MasterInput::kHead:
      return "head";
    case MasterInput::kRegistryEntry:
      return "registry_entry";
    case MasterInput::kElected:
      return "elected";
    case MasterInput::kDeposed:
      return "deposed";
    case MasterInput::kScheduler:
      return "scheduler";
    case MasterInput::kAgent:
      return "agent";
    case MasterInput::kOperator:
      return "operator";
    case MasterInput::kPeerLost:
      return "peer_lost";
    case MasterInput::kPeerCongested:
      return "peer_congested";
    case MasterInput::kPeerReady:
      return "peer_ready";
    case MasterInput::kPersisted:
      return "persisted";
    case MasterInput::kPersistFailed:
      return "persist_failed";
    case MasterInput::kWhitelist:
      return "whitelist";
    case MasterInput::kTunables:
      return "tunables";
    case MasterInput::kTime:
      return "time";
    case MasterInput::kWork:
      return "work";
  }
  return "unknown";
}

Result<OperatorRequest> as_request(const OperatorToServer& message) {
  return std::visit(
      []<class One>(const One& one) -> Result<OperatorRequest> {
        if constexpr (std::is_constructible_v<OperatorRequest, const One&>) {
          return OperatorRequest(one);
        } else {
          return fail("the message is no command of an operator");
        }
      },
      message);
}

}  // namespace

// A master whose outputs go nowhere but into the hash.
struct JournalReplay::Machine final : MasterEffects {
  Machine(MasterMakeup makeup, EventSink& sink)
      : events(sink),
        allocator(makeup.allocator, makeup.allocator_seed),
        master(std::move(makeup), allocator, authorizer, *this) {
    master.hash_outputs();
  }

  void on_event(const Event& event) override { events.on_event(event); }
  void send(SessionId, const MasterToScheduler&) override {}
  void send(SessionId, const MasterToAgent&) override {}
  void send(SessionId, const RequestDone&) override {}
  void send(SessionId, const Explanation&) override {}
  void close(SessionId, std::string_view) override {}
  void persist(uint64_t, std::vector<StoreWrite>) override {}
  void wake_at(Instant) override {}
  void resign(std::string_view) override {}

  EventSink& events;
  DrfAllocator allocator;
  AllowAll authorizer;
  RecordedMaster master;
};

JournalReplay::JournalReplay(std::span<const std::byte> journal, EventSink& events)
    : reader_(journal), events_(events) {}

JournalReplay::~JournalReplay() = default;

const Master* JournalReplay::master() const {
  return machine_ == nullptr ? nullptr : &machine_->master.master();
}

Result<bool> JournalReplay::step() {
  const uint64_t offset = reader_.offset();
  const std::optional<JournalRecord> record = TRY(reader_.next());
  if (!record) {
    progress_.torn = reader_.torn();
    return false;
  }
  ++progress_.records;
  progress_.now = record->now;
  newest_ = fmt::format("{} {}", name_of(static_cast<MasterInput>(record->kind)), record->subject);
  Result<void> ran = machine_ == nullptr ? make(*record) : run(*record);
  if (!ran) {
    return std::unexpected(std::move(ran).error().in(
        fmt::format("record {} at offset {}", progress_.records, offset)));
  }
  return true;
}

Result<void> JournalReplay::make(const JournalRecord& record) {
  if (record.kind != static_cast<uint8_t>(MasterInput::kHead) || record.subject != kMasterJournal) {
    return fail("a master's journal begins otherwise");
  }
  machine_ = std::make_unique<Machine>(TRY(read_makeup(record.payload)), events_);
  return {};
}

Result<void> JournalReplay::run(const JournalRecord& record) {
  RecordedMaster& master = machine_->master;
  const Now now = record.now;
  const SessionId session{record.subject};
  JournalFields in(record.payload);
  const AlignedBytes aligned(record.payload);
  const std::span<const std::byte> message = aligned.bytes();
  switch (static_cast<MasterInput>(record.kind)) {
    case MasterInput::kHead:
      return fail("a second head");
    case MasterInput::kRegistryEntry: {
      std::string key = in.text();
      contents_.insert_or_assign(std::move(key), in.text());
      break;
    }
    case MasterInput::kElected:
      master.on_elected(now, record.subject, std::exchange(contents_, {}));
      break;
    case MasterInput::kDeposed:
      master.on_deposed(now, in.text());
      break;
    case MasterInput::kScheduler:
      master.on_message(now, session, TRY(decode_scheduler_to_master(message)).message);
      return {};
    case MasterInput::kAgent:
      master.on_message(now, session, TRY(decode_agent_to_master(message)).message);
      return {};
    case MasterInput::kOperator: {
      const std::string principal = in.text();
      const std::span<const std::byte> command = in.bytes();
      if (!in.ok()) break;
      const OperatorToServer told =
          TRY(decode_operator_to_server(AlignedBytes(command).bytes())).message;
      master.on_message(now, session, principal, TRY(as_request(told)));
      return {};
    }
    case MasterInput::kPeerLost:
      master.on_peer_lost(now, session, in.text());
      break;
    case MasterInput::kPeerCongested:
      master.on_peer_congested(now, session);
      break;
    case MasterInput::kPeerReady:
      master.on_peer_ready(now, session);
      break;
    case MasterInput::kPersisted:
      master.on_persisted(now, record.subject);
      break;
    case MasterInput::kPersistFailed: {
      const int code = static_cast<int>(in.signed_number());
      master.on_persist_failed(now, record.subject, Error{.message = in.text(), .code = code});
      break;
    }
    case MasterInput::kWhitelist: {
      std::optional<std::set<std::string>> hostnames;
      if (in.flag()) hostnames.emplace();
      for (size_t left = in.count(sizeof(uint64_t)); left > 0; --left) {
        if (hostnames) hostnames->insert(in.text());
      }
      master.on_whitelist(now, std::move(hostnames));
      break;
    }
    case MasterInput::kTunables:
      master.on_tunables(now, read_tunables(in));
      break;
    case MasterInput::kTime:
      master.on_time(now);
      break;
    case MasterInput::kWork:
      return run_turn(record);
    default:
      return fail(fmt::format("nobody knows what an input of kind {} is", record.kind));
  }
  if (!in.ok() || !in.at_end()) return fail("the record does not hold what its kind says");
  return {};
}

Result<void> JournalReplay::run_turn(const JournalRecord& record) {
  const uint64_t hash = machine_->master.output_hash();
  if (hash != record.subject) return fail(differs(hash, record.subject));
  progress_.hash = hash;
  ++progress_.turns;
  machine_->master.work(record.now);
  return {};
}

}  // namespace tepui
