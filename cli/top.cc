// top: what the containers of a cluster use, live or once.

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include "cli/agent_usage.h"
#include "cli/operate.h"
#include "cli/terminal.h"
#include "cli/text_values.h"
#include "common/io/clock.h"
#include "common/io/signals.h"

namespace tepui::cli {

namespace {

// The newest two samples make the rates.
constexpr const char* kTarget = "/containers?history=2";
// How often the leader is asked which agents there are.
constexpr Duration kAgentsRefresh = std::chrono::seconds(10);

struct TopOptions {
  UsageKey sort = UsageKey::kCpu;
  UsageFilter filter;
  std::string agent;
  Duration interval{};
};

void apply(ClusterUsage& usage, const TopOptions& options) {
  std::erase_if(usage.rows, [&](const UsageRow& row) { return !matches(row, options.filter); });
  sort_usage(usage.rows, options.sort);
}

std::string line_of(const SilentAgent& silent) {
  return fmt::format("agent {} ({}, {}) says nothing: {}", silent.agent.hostname, silent.agent.id,
                     silent.agent.address, silent.why);
}

Document json_of(const ClusterUsage& usage) {
  Document::List containers;
  for (const UsageRow& row : usage.rows) containers.push_back(json_of(row));
  Document::List silent;
  for (const SilentAgent& one : usage.silent) {
    silent.push_back(Document::Table{{"agent_id", one.agent.id},
                                     {"hostname", one.agent.hostname},
                                     {"address", one.agent.address},
                                     {"why", one.why}});
  }
  return Document::Table{{"at_ns", to_ns(now().wall)},
                         {"agents", usage.agents},
                         {"containers", std::move(containers)},
                         {"silent_agents", std::move(silent)}};
}

// Asks once and prints.
class TopOnce final : private AgentUsageOwner {
 public:
  explicit TopOnce(Reactor& reactor) : reactor_(reactor), agents_(reactor, *this) {}

  Outcome<int> run(const Common& common, const TopOptions& options) {
    if (auto found = agents_.find_agents(common, options.agent); !found) {
      return std::unexpected(found.error());
    }
    agents_.ask(kTarget, common.timeout);
    while (!usage_) reactor_.run_once(kNever);
    apply(*usage_, options);
    if (common.json) {
      std::printf("%s\n", to_json(json_of(*usage_), -1).c_str());
    } else {
      const std::vector<std::string> lines = usage_lines(usage_->rows, options.sort, 0);
      for (const std::string& line : lines) std::printf("%s\n", line.c_str());
    }
    for (const SilentAgent& silent : usage_->silent) {
      std::fprintf(stderr, "tepui: %s\n", line_of(silent).c_str());
    }
    const bool nobody = usage_->agents > 0 && usage_->silent.size() == usage_->agents;
    return nobody ? kNoMaster : kDone;
  }

 private:
  void on_usage(ClusterUsage usage) override { usage_ = std::move(usage); }

  Reactor& reactor_;
  AgentUsage agents_;
  std::optional<ClusterUsage> usage_;
};

// Draws again and again, and takes keys.
class TopLive final : private AgentUsageOwner, private SignalsOwner {
 public:
  TopLive(Reactor& reactor, const Common& common, TopOptions options)
      : reactor_(reactor), common_(common), options_(std::move(options)), agents_(reactor, *this) {}

  Outcome<int> run() {
    if (auto found = agents_.find_agents(common_, options_.agent); !found) {
      return std::unexpected(found.error());
    }
    found_ = reactor_.now().mono;
    SignalsOwner& told = *this;
    auto signals = Signals::create(reactor_, told, {SIGWINCH, SIGTSTP, SIGCONT});
    if (!signals) return std::unexpected(Failure{kUsage, signals.error().message});
    if (auto entered = terminal_.enter(); !entered) {
      return std::unexpected(Failure{kUsage, entered.error().message});
    }
    reactor_.poll_repeatedly(keys_, STDIN_FILENO, POLLIN);
    refresh();
    while (!over_) reactor_.run_once(kNever);
    terminal_.leave();
    return kDone;
  }

 private:
  void refresh() {
    reactor_.set(refresh_, later(reactor_.now().mono, options_.interval));
    if (agents_.busy()) return;
    if (reactor_.now().mono - found_ > kAgentsRefresh) {
      // The last list serves while there is no leader.
      const auto found = agents_.find_agents(common_, options_.agent);
      trouble_ = found ? "" : found.error().message;
      found_ = now().mono;
    }
    agents_.ask(kTarget, common_.timeout);
  }

  void on_usage(ClusterUsage usage) override {
    usage_ = std::move(usage);
    at_ = reactor_.now().wall;
    draw();
  }

  void draw() {
    ClusterUsage shown = usage_;
    apply(shown, options_);
    std::vector<std::string> lines;
    lines.push_back(fmt::format(
        "{} UTC  {} agents, {} containers{}  every {}s", time_text(at_), shown.agents,
        shown.rows.size(), shown.rows.size() == usage_.rows.size() ? "" : " of those asked for",
        to_secs(options_.interval)));
    lines.push_back(typing_ ? "filter: " + options_.filter.text + "_"
                            : "q quit  / filter  sort: c cpu  t throttled  r runqueue  m mem  "
                              "p pressure  i io  n net  a name");
    for (const SilentAgent& silent : shown.silent) lines.push_back(line_of(silent));
    if (!trouble_.empty()) lines.push_back(trouble_);
    const size_t heading = lines.size();
    for (std::string& line : usage_lines(shown.rows, options_.sort, terminal_.size().columns)) {
      lines.push_back(std::move(line));
    }
    terminal_.draw(lines, heading);
  }

  void on_keys(const Completion& completion) {
    if (over_) return;
    std::array<char, 64> bytes{};
    const ssize_t got = completion.result < 0 ? 0 : read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got <= 0) {
      over_ = true;  // the terminal is gone
      return;
    }
    for (ssize_t i = 0; i < got; ++i) typing_ ? type(bytes[i]) : press(bytes[i]);
    if (!completion.more() && !over_) reactor_.poll_repeatedly(keys_, STDIN_FILENO, POLLIN);
    if (!over_) draw();
  }

  void type(char key) {
    constexpr char kEscape = 27;
    constexpr char kDelete = 127;
    std::string& text = options_.filter.text;
    if (key == '\n' || key == '\r' || key == kEscape) {
      typing_ = false;
      if (key == kEscape) text.clear();
    } else if (key == kDelete || key == '\b') {
      if (!text.empty()) text.pop_back();
    } else if (key >= ' ' && text.size() < 64) {
      text += key;
    }
  }

  void press(char key) {
    constexpr std::pair<char, UsageKey> kKeys[] = {
        {'c', UsageKey::kCpu},     {'t', UsageKey::kThrottled}, {'r', UsageKey::kRunQueue},
        {'m', UsageKey::kMemory},  {'p', UsageKey::kPressure},  {'i', UsageKey::kIo},
        {'n', UsageKey::kNetwork}, {'a', UsageKey::kName}};
    if (key == 'q') over_ = true;
    if (key == '/') typing_ = true;
    for (const auto& [letter, sort] : kKeys) {
      if (key == letter) options_.sort = sort;
    }
  }

  void on_signal(int signal) override {
    if (signal == SIGWINCH) return draw();
    if (signal == SIGTSTP) {
      terminal_.leave();
      ::kill(getpid(), SIGSTOP);
      return;
    }
    if (signal == SIGCONT) {
      over_ = !terminal_.enter();
      return over_ ? void() : draw();
    }
    over_ = true;
  }

  Reactor& reactor_;
  const Common common_;
  TopOptions options_;
  AgentUsage agents_;
  Terminal terminal_;
  ClusterUsage usage_;
  WallTime at_{};
  Instant found_{};
  std::string trouble_;
  bool typing_ = false;
  bool over_ = false;
  Op<&TopLive::on_keys> keys_{*this};
  Timer<&TopLive::refresh> refresh_{*this};
};

}  // namespace

Outcome<int> top(const Settings& settings) {
  const Common common = common_of(settings);
  const std::optional<UsageKey> sort = parse_usage_key(settings.text("sort"));
  if (!sort) {
    return std::unexpected(usage(fmt::format("--sort: '{}', expected one of {}",
                                             settings.text("sort"), usage_key_names()))
                               .error());
  }
  TopOptions options{.sort = *sort,
                     .filter = {.framework = settings.text("framework"),
                                .role = settings.text("role"),
                                .text = first(settings.positional("TEXT"))},
                     .agent = settings.text("agent"),
                     .interval = settings.duration("interval")};
  if (options.interval < std::chrono::milliseconds(100)) {
    return std::unexpected(usage("--interval: expected at least 100ms").error());
  }
  auto reactor = Reactor::create();
  if (!reactor) return std::unexpected(Failure{kUsage, reactor.error().message});
  if (settings.flag("once") || common.json) return TopOnce(**reactor).run(common, options);
  return TopLive(**reactor, common, std::move(options)).run();
}

}  // namespace tepui::cli
