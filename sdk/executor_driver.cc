#include "sdk/executor_driver.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "common/io/version.h"
#include "common/limits.h"
#include "common/text.h"

namespace tepui {

namespace {

// An executor has one session on its link.
constexpr uint32_t kSession = 1;
// How long the end waits for the agent to take what was sent last.
constexpr Duration kLinger = std::chrono::seconds(2);

uint64_t system_seed() {
  uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

class Environment {
 public:
  explicit Environment(char* (*get)(const char* name)) : get_(get) {}

  Result<std::string> text(const char* name) const {
    const char* value = get_(name);
    if (value != nullptr && *value != 0) return value;
    return fail(
        fmt::format("{} is not set: this program is an executor, an agent starts it", name));
  }
  Result<Duration> duration(const char* name, Duration otherwise) const {
    const char* value = get_(name);
    if (value == nullptr) return otherwise;
    Result<Duration> parsed = parse_duration(value);
    if (!parsed) return std::unexpected(std::move(parsed).error().in(name));
    return parsed;
  }
  bool flag(const char* name) const {
    const char* value = get_(name);
    return value != nullptr && std::string_view(value) == "1";
  }

 private:
  char* (*get_)(const char* name);
};

}  // namespace

Result<ExecutorDriverOptions> executor_options(char* (*get)(const char* name)) {
  const Environment environment(get);
  ExecutorDriverOptions options;
  options.agent = "unix:" + TRY(environment.text("TEPUI_AGENT_SOCKET"));
  ExecutorOptions& executor = options.executor;
  executor.framework_id.value = TRY(environment.text("MESOS_FRAMEWORK_ID"));
  executor.executor_id.value = TRY(environment.text("MESOS_EXECUTOR_ID"));
  executor.container_id.value = TRY(environment.text("MESOS_CONTAINER_ID"));
  executor.build = version_text();
  executor.checkpoint = environment.flag("MESOS_CHECKPOINT");
  executor.recovery_timeout =
      TRY(environment.duration("MESOS_RECOVERY_TIMEOUT", executor.recovery_timeout));
  executor.shutdown_grace =
      TRY(environment.duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", executor.shutdown_grace));
  return options;
}

ExecutorDriver::ExecutorDriver(ExecutorDriverOptions options, ExecutorHandler& handler,
                               uint64_t seed)
    : options_(std::move(options)),
      seed_(seed),
      executor_(options_.executor, seed, handler, *this) {}

ExecutorDriver::~ExecutorDriver() = default;

Result<std::unique_ptr<ExecutorDriver>> ExecutorDriver::create(ExecutorDriverOptions options,
                                                               ExecutorHandler& handler) {
  const uint64_t seed = options.seed != 0 ? options.seed : system_seed();
  std::unique_ptr<ExecutorDriver> driver(new ExecutorDriver(std::move(options), handler, seed));
  TRY(driver->open());
  return driver;
}

Result<void> ExecutorDriver::open() {
  reactor_ = TRY(Reactor::create());
  signals_ = TRY(Signals::create(*reactor_, *this));
  transport_ = TRY(TcpTransport::create(*reactor_, *this));
  connector_ =
      std::unique_ptr<Connector>(new Connector(*reactor_, *transport_, *this, Rng(seed_ ^ 1)));
  connector_->set_backoff_max(limits::kExecutorBackoffMax);
  const Address agent = TRY(parse_address(options_.agent));
  connector_->start(to_text(agent));
  return {};
}

int ExecutorDriver::run() {
  while (turn(kNever)) {
  }
  return status_;
}

bool ExecutorDriver::turn(Instant deadline) {
  if (!stopping_) {
    reactor_->run_once(std::min(wake_, deadline));
    const Now now = reactor_->now();
    if (now.mono >= wake_) {
      wake_ = kNever;
      executor_.on_time(now);
    }
  }
  if (!stopping_) return true;
  part();
  return false;
}

// Once, also where stop() came between two turns: what was said last has yet to leave.
void ExecutorDriver::part() {
  if (std::exchange(parted_, true)) return;
  connector_->stop("the executor ends");
  const Instant enough = later(reactor_->now().mono, kLinger);
  while (transport_->links() != 0 && reactor_->now().mono < enough) reactor_->run_once(enough);
}

void ExecutorDriver::on_event(const Event& event) {
  if (options_.events != nullptr) options_.events->on_event(event);
}

void ExecutorDriver::send(const ExecutorToAgent& message) {
  if (!connector_->connected()) return;
  // What a full link loses is told again after it was closed for that.
  transport_->send(connector_->link(), Conversation::kExecutor, encoder_.encode(kSession, message));
}

void ExecutorDriver::on_link_up(LinkId link, std::string_view) { connector_->on_link_up(link); }

void ExecutorDriver::on_link_down(LinkId link, std::string_view why) {
  connector_->on_link_down(link, why);
}

void ExecutorDriver::on_connected(LinkId) { executor_.on_connected(reactor_->now()); }

void ExecutorDriver::on_disconnected(LinkId, std::string_view why) {
  executor_.on_lost(reactor_->now(), why);
}

void ExecutorDriver::on_frame(LinkId link, Conversation conversation,
                              std::span<const std::byte> payload) {
  if (link != connector_->link()) return;
  if (conversation != Conversation::kExecutor) {
    return connector_->reconnect("the agent answered in another conversation");
  }
  const auto inbound = decode_agent_to_executor(payload);
  if (!inbound) return connector_->reconnect(inbound.error().message);
  executor_.on_message(reactor_->now(), inbound->message);
}

void ExecutorDriver::on_signal(int signal) {
  if (signal == SIGTERM || signal == SIGINT) executor_.on_terminated(reactor_->now());
}

}  // namespace tepui
