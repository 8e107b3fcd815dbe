#pragma once
// RecordedMaster is a Master with a recorder before it: every input can be written to a journal
// (common/journal.h) as it comes, and every output goes into a running hash, so that a replay of
// the journal can prove that it did the same.
//
// Invariant: while a journal is open, what is in it is all that the master was told since it was
// made. So it is opened before the first input or not at all, and it ends for good at its bound.
//
// Without a journal it costs a branch an input and an output. Pure, one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/journal.h"
#include "common/output_hash.h"
#include "common/wire.h"
#include "master/allocator/allocator.h"
#include "master/master.h"

namespace tepui {

// What happened to a master. The numbers stay: journals of other builds are read.
enum class MasterInput : uint8_t {
  kHead = 1,           // subject: kMasterJournal. With what it was made
  kRegistryEntry = 2,  // of the contents that the next kElected brings
  kElected = 3,        // subject: epoch
  kDeposed = 4,
  kScheduler = 5,  // subject: session, for this and the next three
  kAgent = 6,
  kOperator = 7,
  kPeerLost = 8,
  kPeerCongested = 9,
  kPeerReady = 10,
  kPersisted = 11,  // subject: token
  kPersistFailed = 12,
  kWhitelist = 13,
  kTunables = 14,
  kTime = 15,
  kWork = 16,  // subject: the hash of all outputs before this input
};
inline constexpr uint64_t kMasterJournal = 0x4d41535445520001;  // "MASTER", version 1

// All that makes a master what it is before its first input.
struct MasterMakeup {
  MasterConfig config;
  AllocatorOptions allocator;
  uint64_t seed = 0;
  uint64_t allocator_seed = 0;
};

void write_makeup(JournalWriter& out, const MasterMakeup& makeup);
Result<MasterMakeup> read_makeup(std::span<const std::byte> payload);
void write_tunables(JournalWriter& out, const MasterTunables& tunables);
MasterTunables read_tunables(JournalFields& in);

class RecordedMaster final : private MasterEffects {
 public:
  // `allocator`, `authorizer` and `effects` outlive it; the allocator is as makeup says.
  RecordedMaster(MasterMakeup makeup, Allocator& allocator, Authorizer& authorizer,
                 MasterEffects& effects);

  // Before the first input. The sink outlives the master.
  void record_to(JournalSink& sink, Now now);
  bool recording() const { return sink_ != nullptr; }
  // Hashes outputs without a journal, for a replay.
  void hash_outputs() { hashing_ = true; }
  uint64_t output_hash() const { return hash_.value(); }

  // As of Master.
  void on_elected(Now now, uint64_t epoch, const StoreContents& contents);
  void on_deposed(Now now, std::string_view why);
  void on_message(Now now, SessionId from, const SchedulerToMaster& message);
  void on_message(Now now, SessionId from, const AgentToMaster& message);
  void on_message(Now now, SessionId from, std::string_view principal,
                  const OperatorRequest& request);
  void on_peer_lost(Now now, SessionId session, std::string_view why);
  void on_peer_congested(Now now, SessionId session);
  void on_peer_ready(Now now, SessionId session);
  void on_persisted(Now now, uint64_t token);
  void on_persist_failed(Now now, uint64_t token, const Error& error);
  void on_whitelist(Now now, std::optional<std::set<std::string>> hostnames);
  void on_tunables(Now now, const MasterTunables& tunables);
  void on_time(Now now);
  // A turn in which the master was told nothing has no work (what time brings comes by on_time),
  // and is not recorded: writing a journal makes turns of its own.
  bool work(Now now);

  // Questions, which change nothing.
  const Master& master() const { return master_; }

 private:
  void record(MasterInput kind, Now now, uint64_t subject, std::span<const std::byte> payload = {});
  JournalWriter& fields();
  template <class Message>
  void record_message(MasterInput kind, Now now, SessionId from, const Message& message);
  template <class Message>
  void hash_message(uint64_t verb, SessionId to, const Message& message);
  bool hashes() const { return sink_ != nullptr || hashing_; }

  // MasterEffects
  void on_event(const Event& event) override;
  void send(SessionId to, const MasterToScheduler& message) override;
  void send(SessionId to, const MasterToAgent& message) override;
  void send(SessionId to, const RequestDone& message) override;
  void send(SessionId to, const Explanation& message) override;
  void close(SessionId session, std::string_view why) override;
  void persist(uint64_t token, std::vector<StoreWrite> batch) override;
  void wake_at(Instant when) override;
  void resign(std::string_view why) override;

  const MasterMakeup makeup_;
  MasterEffects& effects_;
  Master master_;
  JournalSink* sink_ = nullptr;  // null: nothing is recorded (any more)
  bool hashing_ = false;
  bool work_due_ = true;  // there was an input, or work was left
  Encoder encoder_;       // of inputs, and of outputs for their hash
  JournalWriter fields_;
  OutputHash hash_;
};

}  // namespace tepui
