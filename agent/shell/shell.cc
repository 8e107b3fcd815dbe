#include "agent/shell/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <utility>

#include "agent/linux/files.h"
#include "agent/total.h"

namespace tepui {

namespace {

// The one session of the link to the master.
constexpr uint32_t kSession = 1;
const std::string kUnix = "unix:";
// How long a stopping agent waits for its last words to leave.
constexpr Duration kFarewell = std::chrono::seconds(2);

// How long a line of the log may wait to be written.
constexpr Duration kFlushLog = std::chrono::seconds(1);

bool is_wildcard(const Address& address) {
  const std::string text = to_text(address);
  return text.starts_with("0.0.0.0:") || text.starts_with("[::]:");
}

}  // namespace

Result<std::unique_ptr<AgentShell>> AgentShell::create(AgentShellConfig config, Log& log) {
  std::unique_ptr<AgentShell> shell(new AgentShell(std::move(config), log));
  if (Result<void> opened = shell->open(); !opened) {
    shell->leave_ground();
    return std::unexpected(std::move(opened).error());
  }
  return shell;
}

AgentShell::AgentShell(AgentShellConfig config, Log& log) : config_(std::move(config)), log_(log) {}

AgentShell::~AgentShell() = default;

Result<void> AgentShell::open() {
  const Address listen = TRY(resolve_address(config_.listen));
  reactor_ = TRY(Reactor::create());
  // Before anything that has threads: they inherit the signal mask.
  signals_ = TRY(Signals::create(*reactor_, *this, {SIGUSR1}));
  MasterFinderOwner& follower = *this;
  finder_ = TRY(MasterFinder::create(*reactor_, config_.master, follower));
  transport_ = TRY(TcpTransport::create(*reactor_, *this));
  address_ = TRY(transport_->listen(listen));
  started_ = reactor_->now().mono;
  TRY(open_machine());
  // Not in the runtime directory, which is closed to other users: executors may be such.
  // In a directory of its own, which their containers see: a socket that another life of this
  // agent makes is found there too.
  const Fd work = TRY(open_directory_at(AT_FDCWD, config_.ground.work_dir));
  TRY(make_directories_at(work.get(), "executors", 0755));
  config_.agent.executor_socket = config_.ground.work_dir + "/executors/agent.sock";
  TRY(transport_->listen(TRY(parse_address(kUnix + config_.agent.executor_socket))));
  Rng rng(config_.seed);
  // The bases are private, so the references are taken here.
  AgentEffects& effects = *this;
  EndpointsOwner& questions = *this;
  ProbesOwner& probed = *this;
  probes_ = std::make_unique<Probes>(*reactor_, probed);
  ConnectorOwner& connection = *this;
  agent_ = std::make_unique<RecordedAgent>(AgentMakeup{.config = config_.agent, .seed = rng.next()},
                                           effects);
  TRY(open_journal());
  TRY(open_reads());
  endpoints_ =
      std::make_unique<Endpoints>(agent_->agent(), questions, effects, config_.agent.build);
  endpoints_->use(*transport_);
  connector_ = std::make_unique<Connector>(*reactor_, *transport_, connection, rng.fork());
  announce();
  agent_->on_recovered(reactor_->now(), std::exchange(recovered_, {}), recovery_);
  if (config_.terms.cleanup) {
    told_to_stop_ = true;
    agent_->on_shutdown(reactor_->now());
  }
  return {};
}

Result<void> AgentShell::open_machine() {
  ground_ = TRY(prepare_ground(config_.ground));
  AgentInfo& info = config_.agent.info;
  info.resources = ground_.machine.resources;
  if (info.hostname.empty()) info.hostname = ground_.machine.hostname;
  info.address = is_wildcard(address_) ? fmt::format("{}:{}", info.hostname, address_.port())
                                       : to_text(address_);
  info.controllers = ground_.controllers;
  config_.agent.tunables.isolation = ground_.isolation;
  info.degraded = ground_.degraded;
  config_.agent.configured = info.resources;
  config_.agent.confinement = ground_.confinement;
  config_.agent.ground = {.boot_id = ground_.boot_id,
                          .runtime_dir = config_.ground.runtime_dir,
                          .cgroup_root = ground_.cgroups != nullptr ? ground_.cgroups->path() : ""};
  TRY(recover_memory(info));
  TRY(recover_resources());
  config_.agent.work_dir = config_.ground.work_dir;
  files_ = TRY(SandboxFiles::create(*reactor_, *this, config_.ground.work_dir));
  return open_containers();
}

Result<void> AgentShell::recover_memory(const AgentInfo& configured) {
  AgentMemoryOwner& owner = *this;
  memory_ = TRY(AgentMemory::open(*reactor_, config_.ground.work_dir, owner));
  recovered_ = memory_->take();
  const Result<RecoveryKind> kind =
      judge_recovery(recovered_, configured, config_.agent.ground, config_.terms);
  if (!kind) {
    return fail(fmt::format(
        "this is not what agent {} was when it registered: {}; configure it as before, or end what "
        "runs with --recover=cleanup, or remove {} (what runs is killed then): either makes it a "
        "new agent",
        recovered_.identity->info.id.value, kind.error().message, memory_->path()));
  }
  recovery_ = *kind;
  return {};
}

// The total is what operations made of the configured resources before.
Result<void> AgentShell::recover_resources() {
  CheckpointsOwner& owner = *this;
  checkpoints_ = TRY(
      Checkpoints::create(*reactor_, owner, config_.ground.work_dir, ground_.volume_quota.get()));
  if (config_.terms.cleanup) return {};  // nothing is offered any more
  std::optional<StoredCheckpoint> stored = TRY(load_checkpoint(config_.ground.work_dir));
  if (!stored) return {};
  AgentInfo& info = config_.agent.info;
  info.resources = TRY(restore_total(info.resources, stored->total));
  if (ground_.volume_quota != nullptr) TRY(ground_.volume_quota->bound(info.resources));
  config_.agent.operations = std::move(stored->operations);
  return {};
}

void AgentShell::announce() {
  const AgentInfo& info = config_.agent.info;
  log_.write({.severity = Severity::kInfo,
              .name = "agent.listening",
              .fields = {{"address", to_text(address_)},
                         {"reach", address_.is_loopback()
                                       ? "loopback only; --listen opens it to the network"
                                       : "the network, without authentication"},
                         {"resources", to_text(info.resources)},
                         {"controllers", fmt::format("{}", fmt::join(info.controllers, ","))},
                         {"work_dir", config_.ground.work_dir}}});
  if (unknown_ended_ > 0) {
    log_.write({.severity = Severity::kWarning,
                .name = "agent.leftovers_killed",
                .fields = {{"containers", fmt::format("{}", unknown_ended_)}}});
  }
  if (!memory_->repair().empty()) {
    log_.write({.severity = Severity::kWarning,
                .name = "agent.memory_repaired",
                .fields = {{"what", memory_->repair()}}});
  }
  for (const std::string& sentence : info.degraded) {
    on_event(event::AgentDegraded{.why = sentence});
  }
}

int AgentShell::run() {
  flush_log();
  if (!config_.terms.cleanup) finder_->start();
  while (!stopping_) turn();
  close_all();
  log_.flush();
  return told_to_stop_ ? 0 : 1;
}

void AgentShell::turn() {
  reactor_->run_once(wake_);
  const Now now = reactor_->now();
  if (now.mono >= wake_) {
    wake_ = kNever;
    agent_->on_time(now);
  }
  agent_->work(now);
  if (journal_ != nullptr) journal_->flush();
}

Result<void> AgentShell::open_journal() {
  if (config_.journal_dir.empty()) return {};
  JournalOwner& owner = *this;
  journal_ = TRY(JournalFile::create(
      *reactor_,
      {.directory = config_.journal_dir, .name = "agent", .bytes_max = config_.journal_bytes_max},
      owner));
  agent_->record_to(*journal_, reactor_->now());
  log_.write({.severity = Severity::kInfo,
              .name = "journal.opened",
              .fields = {{"file", journal_->path()}}});
  return {};
}

void AgentShell::on_journal_ended(const std::string& why) {
  log_.write({.severity = Severity::kWarning,
              .name = "journal.ended",
              .fields = {{"file", journal_->path()}, {"why", why}}});
}

void AgentShell::flush_log() {
  log_.flush();
  reactor_->set(flush_log_, later(reactor_->now().mono, kFlushLog));
}

void AgentShell::close_all() {
  finder_->stop();
  connector_->stop("the agent ends");
  transport_->close_all("the agent ends");
  const Instant enough = later(now().mono, kFarewell);
  while (transport_->links() != 0 && now().mono < enough) reactor_->run_once(enough);
  http_.reset();
  statistics_.reset();
  files_.reset();
  probes_.reset();
  checkpoints_.reset();
  memory_.reset();
  measuring_.reset();
  oversight_.reset();
  recording_.reset();
  leave_ground();
}

void AgentShell::leave_ground() {
  provisioner_.reset();
  containers_.reset();
  if (ground_.cgroups == nullptr) return;
  ground_.cgroups->remove_if_empty();
  ground_.cgroups.reset();
}

// ------------------------------------------------------------------------------------- effects

void AgentShell::on_event(const Event& event) {
  metrics_.on_event(event);
  log_.write(event);
}

void AgentShell::send(const AgentToMaster& message) {
  // A link that is congested or closed heals by registering again: on_link_down comes.
  transport_->send(connector_->link(), Conversation::kAgent, encoder_.encode(kSession, message));
}

void AgentShell::exit(std::string_view why) {
  stopping_ = true;
  LogRecord line{.severity = told_to_stop_ ? Severity::kInfo : Severity::kError,
                 .name = "agent.stopping",
                 .fields = {{"why", std::string(why)}}};
  if (const uint32_t running = agent_->agent().totals().containers; running > 0) {
    line.fields.emplace_back("containers_left", fmt::format("{}", running));
    line.fields.emplace_back("to_end_them",
                             "start the agent again with --recover=cleanup; SIGUSR1 ends an agent "
                             "with all that it runs");
  }
  log_.write(line);
}

// --------------------------------------------------------------------------------------- links

void AgentShell::on_link_up(LinkId link, std::string_view peer) {
  if (connector_->on_link_up(link)) return;
  // Nobody but an executor comes that way, and no executor any other.
  if (peer.starts_with(kUnix)) {
    executors_[link] = 0;
  } else {
    endpoints_->on_link_up(link, peer);
  }
}

void AgentShell::on_link_down(LinkId link, std::string_view why) {
  if (connector_->on_link_down(link, why)) return;
  if (executors_.erase(link) > 0) {
    agent_->on_executor_lost(reactor_->now(), SessionId{link.value});
  } else {
    endpoints_->on_link_down(link);
  }
}

void AgentShell::on_frame(LinkId link, Conversation conversation,
                          std::span<const std::byte> payload) {
  if (link == connector_->link()) {
    on_master_frame(conversation, payload);
  } else if (executors_.contains(link)) {
    on_executor_frame(link, conversation, payload);
  } else {
    endpoints_->on_frame(link, conversation, payload);
  }
}

void AgentShell::on_master_frame(Conversation conversation, std::span<const std::byte> payload) {
  Result<Inbound<MasterToAgent>> inbound =
      conversation == Conversation::kAgent
          ? decode_master_to_agent(payload)
          : fail("a frame of another conversation than the agent's");
  if (!inbound) {
    on_event(event::PeerRejected{.session = {}, .why = inbound.error().message});
    connector_->reconnect(inbound.error().message);
    return;
  }
  agent_->on_message(reactor_->now(), inbound->message);
}

void AgentShell::on_executor_frame(LinkId link, Conversation conversation,
                                   std::span<const std::byte> payload) {
  const SessionId session{link.value};
  Result<Inbound<ExecutorToAgent>> inbound =
      conversation == Conversation::kExecutor
          ? decode_executor_to_agent(payload)
          : fail("a frame of another conversation than the executor's");
  uint32_t& number = executors_[link];
  const bool is_another = inbound.has_value() && number != 0 && inbound->session != number;
  if (!inbound || inbound->session == 0 || is_another) {
    const std::string why = inbound ? "a second session on its link" : inbound.error().message;
    on_event(event::PeerRejected{.session = session, .why = why});
    agent_->on_executor_lost(reactor_->now(), session);
    return close_executor(session, why);
  }
  number = inbound->session;
  agent_->on_executor_message(reactor_->now(), session, inbound->message);
}

void AgentShell::send_executor(SessionId to, const AgentToExecutor& message) {
  const auto found = executors_.find(LinkId{to.value});
  if (found == executors_.end() || found->second == 0) return;
  transport_->send(found->first, Conversation::kExecutor, encoder_.encode(found->second, message));
}

void AgentShell::close_executor(SessionId session, std::string_view why) {
  const LinkId link{session.value};
  if (executors_.erase(link) > 0) transport_->close(link, why);
}

void AgentShell::on_master(const std::string& address) {
  // The link that works stays: the same process leads again.
  if (address == master_ && connector_->connected()) return;
  if (connector_->connected()) {
    agent_->on_disconnected(reactor_->now(), "another master leads");
  }
  master_ = address;
  last_why_.clear();
  log_.write(
      {.severity = Severity::kInfo, .name = "master.found", .fields = {{"address", master_}}});
  connector_->start(master_);
}

void AgentShell::on_no_master(std::string_view why) {
  if (why == last_why_) return;
  last_why_ = why;
  log_.write({.severity = Severity::kWarning,
              .name = "master.unknown",
              .fields = {{"why", last_why_}, {"action", "staying with the last one"}}});
}

void AgentShell::on_connected(LinkId) {
  last_why_.clear();
  agent_->on_connected(reactor_->now());
}

void AgentShell::on_disconnected(LinkId, std::string_view why) {
  agent_->on_disconnected(reactor_->now(), why);
  if (why == last_why_) return;
  last_why_ = why;
  log_.write({.severity = Severity::kWarning,
              .name = "master.unreachable",
              .fields = {{"address", master_}, {"why", last_why_}, {"action", "trying again"}}});
}

// ------------------------------------------------------------------------------------- machine

void AgentShell::on_appended(uint64_t serial) { agent_->on_appended(reactor_->now(), serial); }

void AgentShell::on_append_failed(const Error& error) {
  agent_->on_append_failed(reactor_->now(), error);
}

void AgentShell::on_probed(uint64_t number, std::optional<int32_t> value) {
  agent_->on_probed(reactor_->now(), number, value);
}

void AgentShell::on_checkpointed(uint64_t serial) {
  agent_->on_checkpointed(reactor_->now(), serial);
}

void AgentShell::on_checkpoint_failed(uint64_t serial, const Error& error) {
  agent_->on_checkpoint_failed(reactor_->now(), serial, error);
}

void AgentShell::on_volume_left(const Error& error) {
  log_.write(
      {.severity = Severity::kError, .name = "volume.left", .fields = {{"why", error.message}}});
}

bool AgentShell::start_read(uint64_t token, SandboxRead read) {
  return files_->start(token, std::move(read));
}

void AgentShell::on_sandbox_read(uint64_t token, Result<SandboxBytes> bytes) {
  endpoints_->on_read(token, std::move(bytes));
}

void AgentShell::on_signal(int signal) {
  if (signal == SIGHUP) {  // the log is not a file of ours
    if (oversight_ != nullptr) oversight_->reload();
    return;
  }
  told_to_stop_ = true;
  if (signal == SIGUSR1) {
    agent_->on_shutdown(reactor_->now());
  } else {
    agent_->on_leave(reactor_->now());
  }
}

}  // namespace tepui
