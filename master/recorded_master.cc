#include "master/recorded_master.h"

#include <utility>
#include <variant>

namespace tepui {

namespace {

// What an output was, in the hash.
enum class Verb : uint64_t {
  kEvent = 1,
  kToScheduler,
  kToAgent,
  kDone,
  kExplanation,
  kClose,
  kPersist,
  kWakeAt,
  kResign,
};

}  // namespace

RecordedMaster::RecordedMaster(MasterMakeup makeup, Allocator& allocator, Authorizer& authorizer,
                               MasterEffects& effects)
    : makeup_(std::move(makeup)),
      effects_(effects),
      // The base is private to others, not to us.
      master_(makeup_.config, makeup_.seed, allocator, authorizer,
              static_cast<MasterEffects&>(*this)) {}

void RecordedMaster::record_to(JournalSink& sink, Now now) {
  sink_ = &sink;
  write_makeup(fields(), makeup_);
  record(MasterInput::kHead, now, kMasterJournal, fields_.payload());
}

JournalWriter& RecordedMaster::fields() {
  fields_.clear();
  return fields_;
}

void RecordedMaster::record(MasterInput kind, Now now, uint64_t subject,
                            std::span<const std::byte> payload) {
  work_due_ = true;
  if (sink_ == nullptr) return;
  const bool goes_on = sink_->append(
      {.kind = static_cast<uint8_t>(kind), .now = now, .subject = subject, .payload = payload});
  if (!goes_on) sink_ = nullptr;
}

template <class Message>
void RecordedMaster::record_message(MasterInput kind, Now now, SessionId from,
                                    const Message& message) {
  work_due_ = true;
  if (sink_ != nullptr) record(kind, now, from.value, encoder_.encode(0, message));
}

// -------------------------------------------------------------------------------------- inputs

void RecordedMaster::on_elected(Now now, uint64_t epoch, const StoreContents& contents) {
  work_due_ = true;
  if (sink_ != nullptr) {
    for (const auto& [key, value] : contents) {
      fields().text(key).text(value);
      record(MasterInput::kRegistryEntry, now, 0, fields_.payload());
    }
    record(MasterInput::kElected, now, epoch);
  }
  master_.on_elected(now, epoch, contents);
}

void RecordedMaster::on_deposed(Now now, std::string_view why) {
  work_due_ = true;
  if (sink_ != nullptr) record(MasterInput::kDeposed, now, 0, fields().text(why).payload());
  master_.on_deposed(now, why);
}

void RecordedMaster::on_message(Now now, SessionId from, const SchedulerToMaster& message) {
  record_message(MasterInput::kScheduler, now, from, message);
  master_.on_message(now, from, message);
}

void RecordedMaster::on_message(Now now, SessionId from, const AgentToMaster& message) {
  record_message(MasterInput::kAgent, now, from, message);
  master_.on_message(now, from, message);
}

void RecordedMaster::on_message(Now now, SessionId from, std::string_view principal,
                                const OperatorRequest& request) {
  work_due_ = true;
  if (sink_ != nullptr) {
    const OperatorToServer message =
        std::visit([](const auto& one) { return OperatorToServer(one); }, request);
    fields().text(principal).bytes(encoder_.encode(0, message));
    record(MasterInput::kOperator, now, from.value, fields_.payload());
  }
  master_.on_message(now, from, principal, request);
}

void RecordedMaster::on_peer_lost(Now now, SessionId session, std::string_view why) {
  work_due_ = true;
  if (sink_ != nullptr) {
    record(MasterInput::kPeerLost, now, session.value, fields().text(why).payload());
  }
  master_.on_peer_lost(now, session, why);
}

void RecordedMaster::on_peer_congested(Now now, SessionId session) {
  record(MasterInput::kPeerCongested, now, session.value);
  master_.on_peer_congested(now, session);
}

void RecordedMaster::on_peer_ready(Now now, SessionId session) {
  record(MasterInput::kPeerReady, now, session.value);
  master_.on_peer_ready(now, session);
}

void RecordedMaster::on_persisted(Now now, uint64_t token) {
  record(MasterInput::kPersisted, now, token);
  master_.on_persisted(now, token);
}

void RecordedMaster::on_persist_failed(Now now, uint64_t token, const Error& error) {
  work_due_ = true;
  if (sink_ != nullptr) {
    fields().number(int64_t{error.code}).text(error.message);
    record(MasterInput::kPersistFailed, now, token, fields_.payload());
  }
  master_.on_persist_failed(now, token, error);
}

void RecordedMaster::on_whitelist(Now now, std::optional<std::set<std::string>> hostnames) {
  work_due_ = true;
  if (sink_ != nullptr) {
    fields().flag(hostnames.has_value()).number(hostnames ? uint64_t{hostnames->size()} : 0);
    if (hostnames) {
      for (const std::string& hostname : *hostnames) fields_.text(hostname);
    }
    record(MasterInput::kWhitelist, now, 0, fields_.payload());
  }
  master_.on_whitelist(now, std::move(hostnames));
}

void RecordedMaster::on_tunables(Now now, const MasterTunables& tunables) {
  work_due_ = true;
  if (sink_ != nullptr) {
    write_tunables(fields(), tunables);
    record(MasterInput::kTunables, now, 0, fields_.payload());
  }
  master_.on_tunables(now, tunables);
}

void RecordedMaster::on_time(Now now) {
  record(MasterInput::kTime, now, 0);
  master_.on_time(now);
}

bool RecordedMaster::work(Now now) {
  if (!work_due_) return false;
  record(MasterInput::kWork, now, hash_.value());
  work_due_ = master_.work(now);
  return work_due_;
}

// ------------------------------------------------------------------------------------- outputs

template <class Message>
void RecordedMaster::hash_message(uint64_t verb, SessionId to, const Message& message) {
  if (!hashes()) return;
  hash_.add(verb);
  hash_.add(to.value);
  hash_.add(encoder_.encode(0, message));
}

// An event is told by its kind: what it says is in the messages and writes beside it.
void RecordedMaster::on_event(const Event& event) {
  if (hashes()) {
    hash_.add(static_cast<uint64_t>(Verb::kEvent));
    hash_.add(uint64_t{event.index()});
  }
  effects_.on_event(event);
}

void RecordedMaster::send(SessionId to, const MasterToScheduler& message) {
  hash_message(static_cast<uint64_t>(Verb::kToScheduler), to, message);
  effects_.send(to, message);
}

void RecordedMaster::send(SessionId to, const MasterToAgent& message) {
  hash_message(static_cast<uint64_t>(Verb::kToAgent), to, message);
  effects_.send(to, message);
}

void RecordedMaster::send(SessionId to, const RequestDone& message) {
  hash_message(static_cast<uint64_t>(Verb::kDone), to, ServerToOperator(message));
  effects_.send(to, message);
}

void RecordedMaster::send(SessionId to, const Explanation& message) {
  hash_message(static_cast<uint64_t>(Verb::kExplanation), to, ServerToOperator(message));
  effects_.send(to, message);
}

void RecordedMaster::close(SessionId session, std::string_view why) {
  if (hashes()) {
    hash_.add(static_cast<uint64_t>(Verb::kClose));
    hash_.add(session.value);
    hash_.add(why);
  }
  effects_.close(session, why);
}

void RecordedMaster::persist(uint64_t token, std::vector<StoreWrite> batch) {
  if (hashes()) {
    hash_.add(static_cast<uint64_t>(Verb::kPersist));
    hash_.add(token);
    for (const StoreWrite& write : batch) {
      hash_.add(write.key);
      hash_.add(write.value.value_or("removed"));
    }
  }
  effects_.persist(token, std::move(batch));
}

void RecordedMaster::wake_at(Instant when) {
  if (hashes()) {
    hash_.add(static_cast<uint64_t>(Verb::kWakeAt));
    hash_.add(static_cast<uint64_t>(to_ns(when)));
  }
  effects_.wake_at(when);
}

void RecordedMaster::resign(std::string_view why) {
  if (hashes()) {
    hash_.add(static_cast<uint64_t>(Verb::kResign));
    hash_.add(why);
  }
  effects_.resign(why);
}

}  // namespace tepui
