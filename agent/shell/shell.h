#pragma once
// AgentShell runs the agent core on the reactor: it carries messages, timers and containers between
// the core and the machine, and decides nothing.
//
// One turn: completions and messages (core inputs), due time, the core's batched work. One thread,
// the loop's; what may block runs on the threads of Containers and SandboxFiles.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/effects.h"
#include "agent/linux/containers.h"
#include "agent/linux/provisioner.h"
#include "agent/recorded_agent.h"
#include "agent/shell/checkpoints.h"
#include "agent/shell/endpoints.h"
#include "agent/shell/ground.h"
#include "agent/shell/http_server.h"
#include "agent/shell/measuring.h"
#include "agent/shell/memory.h"
#include "agent/shell/oversight.h"
#include "agent/shell/probes.h"
#include "agent/shell/recording.h"
#include "agent/shell/sandbox_files.h"
#include "agent/shell/statistics.h"
#include "common/io/alarm.h"
#include "common/io/connector.h"
#include "common/io/journal_file.h"
#include "common/io/log.h"
#include "common/io/master_finder.h"
#include "common/io/reactor.h"
#include "common/io/signals.h"
#include "common/io/tcp.h"
#include "common/metrics.h"
#include "common/wire.h"

namespace tepui {

struct AgentShellConfig {
  std::string master;  // "127.0.0.1:5050", or zk://…
  std::string listen;  // "127.0.0.1:5051"
  std::string shim;    // the program
  GroundOptions ground;
  // Where helpers run is filled in from the ground.
  FetcherOptions fetcher;
  ImageStoreOptions images;
  MeasuringOptions measuring;
  OutputLimit output;  // of each task
  // With terms.cleanup the agent ends all that an earlier life left, and itself.
  RecoveryTerms terms;
  uint64_t seed = 0;
  std::string journal_dir;  // empty: no journal
  uint64_t journal_bytes_max = 0;
  RecordingOptions recording;
  std::string qos_file;  // empty: nothing is revocable
  // Resources, address and controllers are filled in from the machine; the hostname if it is empty.
  AgentConfig agent;
};

class AgentShell final : private AgentEffects,
                         private LinkHandler,
                         private ConnectorOwner,
                         private MasterFinderOwner,
                         private ContainersOwner,
                         private ProvisionerOwner,
                         private EndpointsOwner,
                         private SandboxFilesOwner,
                         private CheckpointsOwner,
                         private AgentMemoryOwner,
                         private ProbesOwner,
                         private JournalOwner,
                         private RecordingOwner,
                         private OversightOwner,
                         private StatisticsOwner,
                         private HttpServerOwner,
                         private ReleaseClient,
                         private SignalsOwner {
 public:
  // Opens everything. What cannot be opened is an error for the user, and nothing was started.
  static Result<std::unique_ptr<AgentShell>> create(AgentShellConfig config, Log& log);
  ~AgentShell() override;

  // Runs until the core wants to end; the exit status.
  int run();

  const Address& address() const { return address_; }

 private:
  AgentShell(AgentShellConfig config, Log& log);
  Result<void> open();
  Result<void> open_machine();
  Result<void> recover_resources();
  Result<void> recover_memory(const AgentInfo& configured);
  Result<void> open_containers();
  Result<void> open_journal();
  Result<void> open_reads();
  void announce();
  void turn();
  void flush_log();
  void close_all();
  // Gives the cgroup subtree up, with what still runs in it.
  void leave_ground();

  // AgentEffects
  void on_event(const Event& event) override;
  void send(const AgentToMaster& message) override;
  void reconnect(std::string_view why) override { connector_->reconnect(why); }
  void launch(const LaunchSpec& spec) override;
  void adopt(const LaunchSpec& spec) override {
    measuring_->expect(spec);
    containers_->adopt(spec);
  }
  void append(uint64_t serial, AgentRecord record) override { memory_->append(serial, record); }
  void signal(const ContainerId& id, int number) override { containers_->signal(id, number); }
  void cancel_launch(const ContainerId& id) override { provisioner_->cancel(id); }
  void kill(const ContainerId& id) override { containers_->kill(id); }
  void destroy(const ContainerId& id) override { containers_->destroy(id); }
  void resize(const ContainerId& id, const IsolationPlan& plan) override {
    containers_->resize(id, plan);
    if (recording_ != nullptr) recording_->on_changed(id);
    if (oversight_ != nullptr) oversight_->on_changed(id);
  }
  void send_executor(SessionId to, const AgentToExecutor& message) override;
  void close_executor(SessionId session, std::string_view why) override;
  void probe(uint64_t number, const CheckInfo& check) override { probes_->start(number, check); }
  void end_probe(uint64_t number) override { probes_->end(number); }
  void checkpoint(const AgentCheckpoint& checkpoint) override { checkpoints_->write(checkpoint); }
  void wake_at(Instant when) override { wake_ = when; }
  void exit(std::string_view why) override;

  // LinkHandler
  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override;
  void on_executor_frame(LinkId link, Conversation conversation,
                         std::span<const std::byte> payload);
  void on_master_frame(Conversation conversation, std::span<const std::byte> payload);

  // MasterFinderOwner
  void on_master(const std::string& address) override;
  void on_no_master(std::string_view why) override;

  // ConnectorOwner
  void on_connected(LinkId link) override;
  void on_disconnected(LinkId link, std::string_view why) override;

  // ContainersOwner
  void on_launched(const ContainerId& id, int64_t pid) override;
  void on_launch_failed(const ContainerId& id, const Error& error) override;
  void on_absent(const ContainerId& id) override;
  void on_exit(const ContainerId& id, const ExitRecord& record) override;
  void on_destroyed(const ContainerId& id) override;
  void on_resize_failed(const ContainerId& id, const Error& error) override;

  // ProvisionerOwner
  void on_provisioned(const LaunchSpec& spec) override;
  void on_provision_failed(const ContainerId& id, const Error& error) override;
  void on_provision_progress(const ContainerId& id, uint64_t bytes) override;

  // AgentMemoryOwner
  void on_appended(uint64_t serial) override;
  void on_append_failed(const Error& error) override;
  // ProbesOwner
  void on_probed(uint64_t number, std::optional<int32_t> value) override;

  // CheckpointsOwner
  void on_checkpointed(uint64_t serial) override;
  void on_checkpoint_failed(uint64_t serial, const Error& error) override;
  void on_volume_left(const Error& error) override;

  // JournalOwner
  void on_journal_ended(const std::string& why) override;

  // OversightOwner; facts_of is below
  void correct(const ContainerId& id, const Corrections& corrections) override {
    agent_->on_corrected(reactor_->now(), id, corrections);
  }
  void preempt(const ContainerId& id, bool at_once, std::string_view why) override {
    agent_->on_preempted(reactor_->now(), id, at_once, why);
  }
  void lend(const Resources& revocable) override {
    agent_->on_revocable(reactor_->now(), revocable);
  }

  // RecordingOwner, StatisticsOwner, HttpServerOwner, ReleaseClient
  recorded::Agent recorded_agent() const override;
  std::optional<ContainerFacts> facts_of(const ContainerId& id) const override;
  void on_statistics(uint64_t request, std::string json) override;
  void on_get(uint64_t request, std::string_view target) override;
  void on_link_released(LinkId link, Fd socket, std::vector<std::byte> received) override;

  // EndpointsOwner, SandboxFilesOwner, SignalsOwner
  std::vector<MetricRow> metrics() const override;
  bool start_read(uint64_t token, SandboxRead read) override;
  void on_sandbox_read(uint64_t token, Result<SandboxBytes> bytes) override;
  void on_signal(int signal) override;

  AgentShellConfig config_;
  Log& log_;
  Metrics metrics_{Metrics::Side::kAgent};
  Encoder encoder_;
  Address address_;       // where it listens
  std::string master_;    // the one that was found last
  std::string last_why_;  // of the last failed attempt to connect, said once
  Instant wake_ = kNever;
  Instant started_{};
  bool stopping_ = false;
  bool told_to_stop_ = false;
  int unknown_ended_ = 0;  // containers of an earlier life that nobody remembers
  RecoveredAgent recovered_;
  RecoveryKind recovery_ = RecoveryKind::kAnew;

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<TcpTransport> transport_;
  Ground ground_;
  std::unique_ptr<AgentMemory> memory_;
  std::unique_ptr<JournalFile> journal_;  // the agent tells it what it is told
  std::unique_ptr<RecordedAgent> agent_;
  std::unique_ptr<Endpoints> endpoints_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<MasterFinder> finder_;
  std::unique_ptr<SandboxFiles> files_;
  std::unique_ptr<IdRanges> ids_;  // null: there are no user namespaces
  std::unique_ptr<Containers> containers_;
  std::unique_ptr<Provisioner> provisioner_;
  std::unique_ptr<Oversight> oversight_;  // null: nothing is measured
  std::unique_ptr<Recording> recording_;  // null: nothing is recorded
  std::unique_ptr<Measuring> measuring_;
  std::unique_ptr<Statistics> statistics_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Checkpoints> checkpoints_;
  std::unique_ptr<Probes> probes_;
  // Links over the socket for executors, and the number of the one session of each.
  std::map<LinkId, uint32_t> executors_;
  Timer<&AgentShell::flush_log> flush_log_{*this};
};

}  // namespace tepui
