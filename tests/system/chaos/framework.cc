// chaos-framework keeps a few tasks running, whatever happens to it and to the cluster, and writes
// what it does and what it is told into a history, one JSON object a line, before it acts on it.
//
//   chaos-framework MASTER NAME DIRECTORY [partition-aware]
//
// DIRECTORY/NAME.history is its history and its memory: a next life reads in it who it is and what
// it launched. DIRECTORY/tasks.log gets a line of every task that starts, and of every one that
// ends by itself, from within the task. DIRECTORY/phase says what to do, and is read again ten
// times a second:
//   run    keep tasks of all kinds running
//   hold   launch no more of these; when they have ended, keep two that do not end (or more, where
//          some were called lost and came back)
//   drain  kill what runs, and launch nothing
// When that is reached, the history says `quiet` with the phase. SIGTERM tears the framework down.
//
// One thread.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/io/clock.h"
#include "common/io/signals.h"
#include "sdk/driver.h"

namespace tepui {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Json = nlohmann::json;

constexpr size_t kTasksWanted = 6;
constexpr size_t kTasksHeld = 2;
constexpr Duration kTick = milliseconds(100);
// Who has not heard of a task for so long asks; and not more often than that.
constexpr Duration kReconcileAfter = seconds(3);

enum class Phase : uint8_t { kRun, kHold, kDrain };

// Only a task that was called lost by the old word may be heard of again.
bool is_final(TaskState state) { return is_terminal(state) && state != TaskState::kLost; }

double seconds_of(Instant when) {
  return std::chrono::duration<double>(when.time_since_epoch()).count();
}

class ChaosFramework final : public SchedulerHandler, private SignalsOwner {
 public:
  ChaosFramework(std::string name, std::string directory)
      : name_(std::move(name)),
        directory_(std::move(directory)),
        fd_(::open((directory_ + "/" + name_ + ".history").c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)) {
    CHECK(fd_ >= 0);
    remember();
    note("begin", {{"life", ++life_}, {"pid", ::getpid()}});
  }

  // Runs until SIGTERM, or until the master ends it; the program's status.
  Result<int> run(SchedulerDriverOptions options) {
    options.scheduler.info.id = {id_};
    driver_ = TRY(SchedulerDriver::create(std::move(options), *this));
    signals_ = TRY(Signals::create(driver_->reactor(), *this));
    driver_->reactor().set(tick_, later(now().mono, kTick));
    return driver_->run();
  }

  // ---- what the master says
  void on_subscribed(Scheduler& scheduler, const Subscribed& subscribed) override {
    id_ = subscribed.framework_id.value;
    note("subscribed", {{"framework", id_}, {"epoch", subscribed.epoch}});
    std::vector<Reconcile::Item> items;
    for (const auto& [task, known] : tasks_) {
      if (known.open) items.push_back({.task_id = {task}, .agent_id = {known.agent}});
    }
    if (!items.empty()) reconcile(scheduler, std::move(items));
  }

  void on_offers(Scheduler& scheduler, std::span<const Offer> offers) override {
    const Resources needed = Resources::scalars({{"cpus", 100}, {"mem", 32'000}});
    // In any order, and few on one agent, so that all agents have some.
    std::vector<const Offer*> shuffled;
    for (const Offer& offer : offers) shuffled.push_back(&offer);
    std::shuffle(shuffled.begin(), shuffled.end(), order_);
    for (const Offer* offer : shuffled) {
      std::vector<TaskInfo> tasks;
      Resources left = offer->resources.unreserved();
      while (tasks.size() < 2 && wanted() > 0 && left.contains(needed)) {
        left -= needed;
        tasks.push_back(new_task(needed, offer->agent->id.value));
      }
      scheduler.launch(std::span(&offer->id, 1), std::move(tasks), milliseconds(500));
    }
  }

  void on_update(Scheduler& scheduler, const TaskStatus& status) override {
    note("status", {{"task", status.task_id.value},
                    {"state", to_text(status.state)},
                    {"number", static_cast<int>(status.state)},
                    {"uuid", status.uuid.is_nil() ? "" : to_text(status.uuid)},
                    {"source", to_text(status.source)},
                    {"reason", to_text(status.reason)},
                    {"agent", status.agent_id.value},
                    {"exit", status.exit_status ? Json(*status.exit_status) : Json()},
                    {"message", status.message}});
    if (const auto found = tasks_.find(status.task_id.value); found != tasks_.end()) {
      learn(found->second, status.state);
    }
    if (status.uuid.is_nil()) return;
    note("acknowledge", {{"task", status.task_id.value}, {"uuid", to_text(status.uuid)}});
    scheduler.acknowledge(status);
  }

  void on_rescinded(Scheduler&, OfferId) override {}  // offers are answered at once
  void on_agent_lost(Scheduler&, const AgentId& agent) override {
    note("agent_lost", {{"agent", agent.value}});
  }
  void on_disconnected(Scheduler&, std::string_view why) override {
    note("disconnected", {{"why", why}});
  }
  void on_error(Scheduler&, std::string_view message) override {
    note("error", {{"message", message}});
    driver_->stop(3);
  }

 private:
  void on_signal(int) override {
    note("teardown", {});
    driver_->scheduler().teardown();
    driver_->stop(0);
  }

  struct Known {
    std::string agent;
    TaskState state = TaskState::kStaging;
    bool open = true;
    bool held = false;
    Instant heard{};
    Instant kill_at = kNever;
  };

  void note(std::string_view event, Json fields) {
    fields["event"] = event;
    fields["at"] = seconds_of(now().mono);
    const std::string line = fields.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
    CHECK(::write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }

  // What earlier lives wrote. (A line that is not whole was not acted on.)
  void remember() {
    std::ifstream history(directory_ + "/" + name_ + ".history");
    for (std::string line; std::getline(history, line);) {
      const Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (entry.is_discarded()) continue;
      const std::string event = entry["event"];
      if (event == "begin") life_ = entry["life"];
      if (event == "subscribed") id_ = entry["framework"];
      if (event == "launch") {
        tasks_[entry["task"]] = {.agent = entry["agent"], .held = entry["seconds"] == 0};
        ++count_;
      }
      if (event != "status") continue;
      const auto found = tasks_.find(std::string(entry["task"]));
      if (found != tasks_.end()) {
        learn(found->second, static_cast<TaskState>(int{entry["number"]}));
      }
    }
  }

  void learn(Known& known, TaskState state) {
    known.heard = now().mono;
    if (is_final(known.state)) return;  // what comes after the end is for the checker
    known.state = state;
    // Of an unknown task nobody will say more; if somebody does, it is open again.
    known.open = !is_terminal(state) && state != TaskState::kUnknown;
  }

  // In the end a word of before about a task that was lost is not enough: its agent is back, and
  // may still wait to repeat how the task ended.
  bool doubts(const Known& known) const {
    const bool is_lost = known.state == TaskState::kLost || known.state == TaskState::kUnknown;
    return phase_ != Phase::kRun && is_lost && known.heard < phase_since_;
  }

  size_t open() const {
    return static_cast<size_t>(
        std::count_if(tasks_.begin(), tasks_.end(), [](const auto& t) { return t.second.open; }));
  }
  size_t wanted() const {
    const size_t target = phase_ == Phase::kRun    ? kTasksWanted
                          : phase_ == Phase::kHold ? kTasksHeld
                                                   : 0;
    const size_t running = open();
    if (phase_ == Phase::kHold && others_open()) return 0;
    return target > running ? target - running : 0;
  }
  bool others_open() const {
    return std::any_of(tasks_.begin(), tasks_.end(),
                       [](const auto& t) { return t.second.open && !t.second.held; });
  }

  TaskInfo new_task(const Resources& resources, const std::string& agent) {
    const std::string task = fmt::format("{}-{}", name_, ++count_);
    std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>{}(task)));
    const bool held = phase_ == Phase::kHold;
    const uint32_t kind = random() % 100;
    // Sleeps for so many tenths of a second; held ones for ever.
    const uint32_t tenths = held ? 0 : kind < 15 ? 30 + random() % 50 : 1 + random() % 20;
    const uint32_t ends_with = kind >= 15 && kind < 25 ? 1 + random() % 100 : 0;
    Known& known = tasks_[task] = {.agent = agent, .held = held, .heard = now().mono};
    if (!held && kind >= 85) known.kill_at = later(now().mono, milliseconds(random() % 2000));
    note("launch",
         {{"task", task}, {"agent", agent}, {"seconds", tenths / 10.0}, {"ends_with", ends_with}});
    const std::string script = fmt::format(
        R"(say() {{ read up rest </proc/uptime; echo "$1 $TEPUI_TASK_ID $$ $up $2" >>{}/tasks.log; }}
trap 'say ended 143; exit 143' TERM
say started
sleep {} & wait $!
say ended {}
exit {})",
        directory_, held ? "infinity" : fmt::format("{:.1f}", tenths / 10.0), ends_with, ends_with);
    return {.id = {task},
            .name = task,
            .spec = std::make_shared<const TaskSpec>(
                TaskSpec{.resources = resources, .command = {.value = script}})};
  }

  void reconcile(Scheduler& scheduler, std::vector<Reconcile::Item> items) {
    note("reconcile", {{"tasks", items.size()}});
    reconciled_at_ = now().mono;
    scheduler.reconcile(std::move(items));
  }

  void on_tick() {
    driver_->reactor().set(tick_, later(now().mono, kTick));
    read_phase();
    Scheduler& scheduler = driver_->scheduler();
    const Instant mono = now().mono;
    std::vector<Reconcile::Item> silent;
    bool all_run = true;
    for (auto& [task, known] : tasks_) {
      const bool asks = doubts(known);
      if (!known.open && !asks) continue;
      all_run = all_run && known.state == TaskState::kRunning;
      if (asks) silent.push_back({.task_id = {task}, .agent_id = {known.agent}});
      if (!known.open) continue;
      if (phase_ == Phase::kDrain && known.kill_at == kNever) known.kill_at = mono;
      if (known.kill_at <= mono && scheduler.subscribed()) kill(scheduler, task, known);
      if (!asks && later(known.heard, kReconcileAfter) <= mono) {
        silent.push_back({.task_id = {task}, .agent_id = {known.agent}});
      }
    }
    if (!scheduler.subscribed()) return;
    if (!silent.empty() && later(reconciled_at_, kReconcileAfter) <= mono) {
      reconcile(scheduler, std::move(silent));
    }
    want_offers(scheduler);
    const bool reached = phase_ == Phase::kHold ? open() >= kTasksHeld && !others_open() && all_run
                         : phase_ == Phase::kDrain ? open() == 0
                                                   : false;
    if (reached && !quiet_) note("quiet", {{"phase", phase_ == Phase::kHold ? "hold" : "drain"}});
    quiet_ = reached;
  }

  // Repeated until the task has ended, as kills can be lost.
  void kill(Scheduler& scheduler, const std::string& task, Known& known) {
    note("kill", {{"task", task}});
    known.kill_at = later(now().mono, seconds(2));
    scheduler.kill({task});
  }

  void want_offers(Scheduler& scheduler) {
    if (wanted() > 0 && suppressed_) {
      suppressed_ = false;
      scheduler.revive();
    } else if (wanted() == 0 && !suppressed_) {
      suppressed_ = true;
      scheduler.suppress();
    }
  }

  void read_phase() {
    std::ifstream file(directory_ + "/phase");
    std::string word;
    file >> word;
    const Phase phase = word == "drain"  ? Phase::kDrain
                        : word == "hold" ? Phase::kHold
                                         : Phase::kRun;
    if (phase == phase_) return;
    phase_ = phase;
    phase_since_ = now().mono;
    quiet_ = false;
    note("phase", {{"phase", word}});
  }

  const std::string name_;
  const std::string directory_;
  const int fd_;
  std::unique_ptr<SchedulerDriver> driver_;  // outlives what follows
  std::string id_;
  std::mt19937 order_;  // of offers
  int life_ = 0;
  int count_ = 0;  // tasks that were launched, in all lives
  std::map<std::string, Known> tasks_;
  Phase phase_ = Phase::kRun;
  Instant phase_since_{};
  bool quiet_ = false;       // and said so
  bool suppressed_ = false;  // as the scheduler says in every subscription
  Instant reconciled_at_{};
  Timer<&ChaosFramework::on_tick> tick_{*this};
  std::unique_ptr<Signals> signals_;
};

int run(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: {} MASTER NAME DIRECTORY [partition-aware]\n", argv[0]);
    return 2;
  }
  ChaosFramework framework(argv[2], argv[3]);
  FrameworkInfo info{
      .name = argv[2], .roles = {argv[2]}, .failover_timeout = std::chrono::hours(1)};
  if (argc > 4) info.capabilities |= bit(FrameworkCapability::kPartitionAware);
  const Result<int> status =
      framework.run({.master = argv[1],
                     .scheduler = {.info = std::move(info),
                                   .explicit_acknowledgements = true,
                                   .subscribe_backoff_max = std::chrono::seconds(2)}});
  if (status) return *status;
  fmt::print(stderr, "{}\n", status.error().message);
  return 2;
}

}  // namespace
}  // namespace tepui

int main(int argc, char** argv) { return tepui::run(argc, argv); }
