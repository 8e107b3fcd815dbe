#pragma once
// MasterShell runs the master core on the reactor: it carries messages, timers, the registry and
// the reader's feed between the core and the world, and decides nothing.
//
// One turn: the clock once, completions and messages (core inputs), due time, the core's batched
// work, what the turn told the reader and the log. Turn time is a metric.
//
// One thread, the loop's.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/io/journal_file.h"
#include "common/io/log.h"
#include "common/io/mailbox.h"
#include "common/io/reactor.h"
#include "common/io/signals.h"
#include "common/io/tcp.h"
#include "common/metrics.h"
#include "master/authorizer.h"
#include "master/recorded_master.h"
#include "master/shell/allocator_metrics.h"
#include "master/shell/coordination.h"
#include "master/shell/feed.h"
#include "master/shell/links.h"
#include "master/shell/reader.h"
#include "master/shell/whitelist.h"

namespace tepui {

struct MasterShellConfig {
  std::string listen;  // "127.0.0.1:5050"
  CoordinationConfig coordination;
  uint64_t seed = 0;
  MasterConfig master;
  AllocatorOptions allocator;
  std::string whitelist = "*";  // of --agent-whitelist
  std::string journal_dir;      // of --journal; empty: none is kept
  uint64_t journal_bytes_max = 0;
};

class MasterShell final : private MasterEffects,
                          private LinksOwner,
                          private StoreClient,
                          private CoordinatorClient,
                          private CoordinationOwner,
                          private ReleaseClient,
                          private MailboxOwner<FromReader>,
                          private JournalOwner,
                          private SignalsOwner {
 public:
  // Opens everything: what cannot be opened (an address in use, a registry of another master) is
  // an error for the user, and nothing was started.
  static Result<std::unique_ptr<MasterShell>> create(MasterShellConfig config, Log& log);
  ~MasterShell() override;

  // Runs until a signal, or until it can lead no more; the exit status. With ZooKeeper a master
  // that is deposed goes on, and may lead again.
  int run();

 private:
  MasterShell(MasterShellConfig config, Log& log);
  Result<void> open();
  Result<void> open_journal();

  bool turn(bool more);
  void feed_reader(Now now);
  Result<void> read_whitelist();
  void resync_reader();
  Instant next_turn(bool more) const;
  // What was said in a turn that took longer than the leader's lease must not leave.
  void hold_back_if_too_late();
  void measure(Instant started);
  std::vector<MetricRow> metrics() const;
  void stop(std::string why, int status);

  // MasterEffects
  void on_event(const Event& event) override;
  void send(SessionId to, const MasterToScheduler& message) override { links_.send(to, message); }
  void send(SessionId to, const MasterToAgent& message) override { links_.send(to, message); }
  void send(SessionId to, const RequestDone& message) override;
  void send(SessionId to, const Explanation& message) override;
  void close(SessionId session, std::string_view why) override { links_.close(session, why); }
  void persist(uint64_t token, std::vector<StoreWrite> batch) override;
  void wake_at(Instant when) override { wake_ = when; }
  void resign(std::string_view why) override;

  // LinksOwner
  void on_message(SessionId session, const SchedulerToMaster& message) override;
  void on_message(SessionId session, AgentToMaster message) override;
  void on_lost(SessionId session, std::string_view why) override;
  void on_congested(SessionId session) override;
  void on_ready(SessionId session) override;
  void on_operator_link(LinkId link) override;
  void on_refused(std::string_view peer, std::string_view why) override;
  void on_link_released(LinkId link, Fd socket, std::vector<std::byte> received) override;

  // StoreClient, CoordinatorClient
  void on_persisted(uint64_t token) override;
  void on_persist_failed(uint64_t token, Error error) override;
  void on_elected(uint64_t epoch, StoreContents contents) override;
  void on_deposed(std::string_view why) override;

  // CoordinationOwner
  void on_leader_known(const std::string& address) override;
  void on_shut_out(std::string_view why) override { stop(std::string(why), 1); }

  void on_mail(FromReader item) override;
  void on_journal_ended(const std::string& why) override;
  void on_signal(int signal) override;

  MasterShellConfig config_;
  Log& log_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Signals> signals_;
  Links links_{*this};
  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<Coordination> coordination_;
  SystemClock clock_;
  TimedAllocator allocator_;
  AllowAll authorizer_;
  std::unique_ptr<JournalFile> journal_;  // null: none
  RecordedMaster master_;
  Metrics metrics_{Metrics::Side::kMaster};
  Feed feed_;
  std::unique_ptr<Mailbox<FromReader>> from_reader_;
  std::unique_ptr<Reader> reader_;
  std::vector<ToReader> for_reader_;    // what its mailbox had no room for
  std::optional<ReplayCursor> resync_;  // how far a resync has come
  bool metrics_wanted_ = false;

  Whitelist whitelist_;
  Instant wake_ = kNever;
  uint64_t epoch_ = 0;  // while it leads; 0: it does not
  std::string leader_;  // the address of the master that does, if it is known
  bool stopping_ = false;
  int status_ = 0;
  Instant started_{};
  double turn_ms_last_ = 0;
  double turn_ms_max_ = 0;
  uint64_t turns_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace tepui
