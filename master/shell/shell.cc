#include "master/shell/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace tepui {

namespace {

// Items that may wait for the reader: some seconds of a busy master.
constexpr size_t kFeedItemsMax = 1 << 19;
constexpr size_t kReaderMailMax = 1024;
// How long a stopping master waits for its goodbyes to leave.
constexpr Duration kFarewell = std::chrono::seconds(2);
// What waits for a reader that is behind is tried again after this.
constexpr Duration kReaderPause = std::chrono::milliseconds(1);
// Of one slice of a resync, in events.
constexpr size_t kResyncSlice = 4096;

}  // namespace

Result<std::unique_ptr<MasterShell>> MasterShell::create(MasterShellConfig config, Log& log) {
  std::unique_ptr<MasterShell> shell(new MasterShell(std::move(config), log));
  TRY(shell->open());
  return shell;
}

MasterShell::MasterShell(MasterShellConfig config, Log& log)
    : config_(std::move(config)),
      log_(log),
      allocator_(config_.allocator, config_.seed ^ 1, clock_),
      master_({.config = config_.master,
               .allocator = config_.allocator,
               .seed = config_.seed,
               .allocator_seed = config_.seed ^ 1},
              allocator_, authorizer_, *this),
      feed_(kFeedItemsMax),
      whitelist_(config_.whitelist) {}

MasterShell::~MasterShell() {
  reader_.reset();  // its thread first: it uses the feed and the loop's mailbox
}

Result<void> MasterShell::open() {
  const Address listen = TRY(resolve_address(config_.listen));
  reactor_ = TRY(Reactor::create());
  TRY(open_journal());
  TRY(read_whitelist());
  signals_ = TRY(Signals::create(*reactor_, *this));
  transport_ = TRY(TcpTransport::create(*reactor_, links_));
  links_.use(*transport_);
  const Address bound = TRY(transport_->listen(listen));
  coordination_ =
      TRY(Coordination::create(*reactor_, config_.coordination, bound, *this, *this, *this, log_));
  from_reader_ = TRY(Mailbox<FromReader>::create(*reactor_, *this, kReaderMailMax));
  reader_ = TRY(Reader::start(feed_, *from_reader_, config_.master.build,
                              config_.allocator.fairness_excluded));
  started_ = now().mono;
  log_.write({.severity = Severity::kInfo,
              .name = "master.listening",
              .fields = {{"address", to_text(bound)},
                         {"registry", config_.coordination.zookeeper
                                          ? to_text(*config_.coordination.zookeeper)
                                          : config_.coordination.directory},
                         {"reach", bound.is_loopback() ? "this machine only" : "the network"}}});
  return {};
}

Result<void> MasterShell::open_journal() {
  if (config_.journal_dir.empty()) return {};
  journal_ = TRY(JournalFile::create(
      *reactor_,
      {.directory = config_.journal_dir, .name = "master", .bytes_max = config_.journal_bytes_max},
      *this));
  master_.record_to(*journal_, reactor_->now());
  log_.write({.severity = Severity::kInfo,
              .name = "journal.opened",
              .fields = {{"file", journal_->path()}}});
  return {};
}

int MasterShell::run() {
  if (coordination_->has_followers()) for_reader_.emplace_back(Leadership{});
  coordination_->contend();
  bool more = false;
  while (!stopping_) more = turn(more);
  // Others need not wait for the end of our session.
  coordination_->close();
  transport_->close_all("the master ends");
  const Instant enough = later(now().mono, kFarewell);
  while (transport_->links() != 0 && now().mono < enough) reactor_->run_once(enough);
  return status_;
}

bool MasterShell::turn(bool more) {
  reactor_->run_once(next_turn(more));
  const Now at = reactor_->now();
  hold_back_if_too_late();
  coordination_->on_time(at.mono);
  if (at.mono >= wake_) {
    wake_ = kNever;
    master_.on_time(at);
  }
  if (const Result<void> read = read_whitelist(); !read) {
    log_.write({.severity = Severity::kWarning,
                .name = "whitelist.unreadable",
                .fields = {{"why", read.error().message + ", keeping what was read before"}}});
  }
  links_.report();
  const bool work_left = master_.work(at);
  hold_back_if_too_late();
  allocator_.note_turn();
  if (journal_ != nullptr) journal_->flush();
  feed_reader(at);
  measure(at.mono);
  log_.flush();
  return work_left;
}

Instant MasterShell::next_turn(bool more) const {
  const Instant at = reactor_->now().mono;
  if (more) return at;
  const bool reader_behind = feed_.overflowed() || resync_ || !for_reader_.empty();
  const Instant wake = std::min({wake_, whitelist_.due(), coordination_->due()});
  return reader_behind ? std::min(wake, later(at, kReaderPause)) : wake;
}

Result<void> MasterShell::read_whitelist() {
  const Now at = reactor_->now();
  if (at.mono < whitelist_.due()) return {};
  std::optional<Hostnames> hostnames = TRY(whitelist_.read(at.mono));
  if (!hostnames) return {};
  log_.write({.severity = Severity::kInfo,
              .name = "whitelist.read",
              .fields = {{"hosts", std::to_string(hostnames->size())}}});
  master_.on_whitelist(at, std::move(hostnames));
  return {};
}

void MasterShell::resync_reader() {
  if (feed_.overflowed()) {
    // The reader fell behind. Start over when it has room for a good part of the state.
    if (feed_.room() < kFeedItemsMax / 2) return;
    feed_.reset();
    resync_.emplace();
    log_.write({.severity = Severity::kWarning, .name = "reader.resync", .fields = {}});
  }
  if (resync_ && feed_.room() > kFeedItemsMax / 4) {
    if (master_.master().replay_state(feed_, *resync_, kResyncSlice)) {
      feed_.complete();
      resync_.reset();
    }
  }
}

void MasterShell::feed_reader(Now at) {
  resync_reader();
  if (metrics_wanted_ && !feed_.overflowed()) metrics_wanted_ = !feed_.metrics(metrics());
  if (FeedBatch batch = feed_.take(at.wall); !batch.items.empty()) {
    for_reader_.emplace_back(std::move(batch));
  }
  size_t given = 0;
  while (given < for_reader_.size() && reader_->give(std::move(for_reader_[given]))) ++given;
  for_reader_.erase(for_reader_.begin(), for_reader_.begin() + static_cast<ptrdiff_t>(given));
}

void MasterShell::hold_back_if_too_late() {
  if (epoch_ == 0 || coordination_->may_lead(now().mono)) return;
  transport_->cut_all("the master may no longer lead");
}

void MasterShell::measure(Instant turn_began) {
  turn_ms_last_ = to_millis(now().mono - turn_began);
  turn_ms_max_ = std::max(turn_ms_max_, turn_ms_last_);
  ++turns_;
}

std::vector<MetricRow> MasterShell::metrics() const {
  std::vector<MetricRow> rows = metrics_.snapshot();
  const TransportStats& links = transport_->stats();
  const AllocatorStats& allocator = allocator_.stats();
  const MasterTotals totals = master_.master().totals();
  const auto add = [&rows](std::string key, double value) {
    rows.push_back({.key = std::move(key), .value = value});
  };
  const auto count = [&add](std::string key, uint64_t value) {
    add(std::move(key), static_cast<double>(value));
  };
  add("master/uptime_secs", to_secs(reactor_->now().mono - started_));
  add("master/turn_ms_last", turn_ms_last_);
  add("master/turn_ms_max", turn_ms_max_);
  count("master/turns", turns_);
  count("master/agents_recovered", totals.agents_recovered);
  count("allocator/mesos/agents_visited", allocator.agents_visited);
  count("allocator/mesos/grants", allocator.grants);
  count("allocator/mesos/offer_filters_active", allocator.filters_active);
  count("links/open", links.links_opened - links.links_ended);
  count("links/frames_received", links.frames_received);
  count("links/frames_sent", links.frames_sent);
  count("links/bytes_received", links.bytes_received);
  count("links/bytes_sent", links.bytes_sent);
  count("links/queues_overflowed", links.queues_overflowed);
  count("links/peers_silent", links.peers_silent);
  count("links/peers_foreign", links.peers_foreign);
  count("links/messages_refused", refused_);
  for (size_t i = 0; i < links.refused.size(); ++i) {
    count(fmt::format("links/frames_refused/{}", to_text(static_cast<FrameError>(i))),
          links.refused[i]);
  }
  allocator_.append_rows(rows);
  std::ranges::sort(rows, {}, &MetricRow::key);
  return rows;
}

void MasterShell::stop(std::string why, int status) {
  if (stopping_) return;
  stopping_ = true;
  status_ = status;
  log_.write({.severity = status == 0 ? Severity::kInfo : Severity::kError,
              .name = "master.stopping",
              .fields = {{"why", std::move(why)}}});
}

// ------------------------------------------------------------------------------------- effects

void MasterShell::on_event(const Event& event) {
  metrics_.on_event(event);
  feed_.on_event(event);
  log_.write(event);
}

void MasterShell::send(SessionId to, const RequestDone& message) {
  for_reader_.emplace_back(CommandAnswer{.session = to, .message = message});
}

void MasterShell::send(SessionId to, const Explanation& message) {
  for_reader_.emplace_back(CommandAnswer{.session = to, .message = message});
}

void MasterShell::persist(uint64_t token, std::vector<StoreWrite> batch) {
  coordination_->write(epoch_, token, std::move(batch));
}

void MasterShell::resign(std::string_view why) {
  coordination_->resign(why);
  if (!coordination_->has_followers()) stop(std::string(why), 1);
}

// --------------------------------------------------------------------------------------- links

void MasterShell::on_message(SessionId session, const SchedulerToMaster& message) {
  master_.on_message(reactor_->now(), session, message);
}

void MasterShell::on_message(SessionId session, AgentToMaster message) {
  master_.on_message(reactor_->now(), session, std::move(message));
}

void MasterShell::on_lost(SessionId session, std::string_view why) {
  master_.on_peer_lost(reactor_->now(), session, why);
}

void MasterShell::on_congested(SessionId session) {
  master_.on_peer_congested(reactor_->now(), session);
}

void MasterShell::on_ready(SessionId session) { master_.on_peer_ready(reactor_->now(), session); }

void MasterShell::on_operator_link(LinkId link) { transport_->release(link, *this); }

void MasterShell::on_link_released(LinkId, Fd socket, std::vector<std::byte> received) {
  for_reader_.emplace_back(
      OperatorLink{.socket = std::move(socket), .received = std::move(received)});
}

void MasterShell::on_refused(std::string_view peer, std::string_view why) {
  ++refused_;
  log_.write({.severity = Severity::kWarning,
              .name = "link.refused",
              .fields = {{"peer", std::string(peer)}, {"why", std::string(why)}}});
}

// ------------------------------------------------------------------------------------ registry

void MasterShell::on_persisted(uint64_t token) { master_.on_persisted(reactor_->now(), token); }

void MasterShell::on_persist_failed(uint64_t token, Error error) {
  master_.on_persist_failed(reactor_->now(), token, error);
}

void MasterShell::on_elected(uint64_t epoch, StoreContents contents) {
  epoch_ = epoch;
  for_reader_.emplace_back(Leadership{.leads = true, .leader = {}});
  master_.on_elected(reactor_->now(), epoch, contents);
}

void MasterShell::on_deposed(std::string_view why) {
  epoch_ = 0;
  master_.on_deposed(reactor_->now(), why);
  leader_.clear();  // that was this one
  for_reader_.emplace_back(Leadership{});
  if (!coordination_->has_followers()) stop(std::string(why), 1);
}

void MasterShell::on_leader_known(const std::string& address) {
  leader_ = address;
  if (epoch_ == 0) for_reader_.emplace_back(Leadership{.leads = false, .leader = leader_});
}

// ------------------------------------------------------------------------------ reader, signals

void MasterShell::on_mail(FromReader item) {
  if (const auto* command = std::get_if<OperatorCommand>(&item)) {
    master_.on_message(reactor_->now(), command->session, command->principal, command->request);
  } else {
    metrics_wanted_ = true;
  }
}

void MasterShell::on_journal_ended(const std::string& why) {
  log_.write({.severity = Severity::kWarning,
              .name = "journal.ended",
              .fields = {{"file", journal_->path()}, {"why", why}}});
}

void MasterShell::on_signal(int signal) {
  if (signal == SIGHUP) return;  // nothing to reload; the log is not a file of ours
  stop(fmt::format("signal {}", signal == SIGTERM ? "SIGTERM" : "SIGINT"), 0);
}

}  // namespace tepui
