// tepui-master: reads its configuration, opens everything, and runs until a signal.

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/io/config.h"
#include "common/io/log.h"
#include "common/io/version.h"
#include "common/roles.h"
#include "common/text.h"
#include "master/shell/shell.h"

namespace tepui {
namespace {

constexpr int64_t kWeightMax = 1'000'000'000;  // thousandths

std::vector<Option> option_table() {
  std::vector<Option> table = {
      {.name = "listen",
       .fallback = "127.0.0.1:5050",
       .help = "Address and port for agents, frameworks and operators. Port 0 takes a free one. "
               "There is no authentication yet: beyond loopback, anyone who can reach it can run "
               "commands.",
       .group = "Network"},
      {.name = "advertise",
       .help = "HOST:PORT by which others reach this master, for ZooKeeper. Default: where it "
               "listens.",
       .group = "Network"},
      {.name = "hostname",
       .help = "What to call this machine. Default: its own name.",
       .group = "Network"},
      {.name = "registry",
       .help =
           "Where agent ids and infos are kept: file:DIRECTORY, which is made if it does not "
           "exist, and which one master at a time may use; or zk, below the path of --zk, which "
           "is the default with --zk.",
       .group = "Registry"},
      {.name = "zk",
       .help = "Stand for election with other masters: zk://[USER:PASSWORD@]HOST:PORT,.../PATH. "
               "One leads, the others follow and can take over at any moment.",
       .group = "Registry"},
      {.name = "zk-session-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "10secs",
       .help = "A leader that ZooKeeper does not hear of for so long has lost its leadership; it "
               "stops by itself some time before.",
       .group = "Registry"},
      {.name = "journal",
       .help = "Keep a journal of all that this master is told in this directory, for `tepui "
               "replay`. It holds the environment and the commands of tasks.",
       .group = "Registry"},
      {.name = "journal-bytes",
       .kind = OptionKind::kBytes,
       .fallback = "1GB",
       .help = "How long the journals of that directory may become together: those of earlier "
               "lives make room, and that of this one ends there.",
       .group = "Registry"},
      {.name = "weights",
       .kind = OptionKind::kList,
       .help = "Weights of roles, as role=weight. A role with twice the weight gets twice the "
               "share. Roles that are not named weigh 1. Only for roles whose weight nobody has "
               "set with `tepui weights`.",
       .group = "Allocation"},
      {.name = "min-allocatable-resources",
       .fallback = "cpus:0.01|mem:32",
       .help = "What an agent must have free, at least, to be offered: alternatives separated by "
               "'|'; none: whatever is free is offered.",
       .group = "Allocation"},
      {.name = "fair-sharing-excluded-resource-names",
       .kind = OptionKind::kList,
       .help = "Scalar resources that do not count in dominant shares.",
       .group = "Allocation"},
      {.name = "role-sorter",
       .fallback = "drf",
       .help = "Which role comes first: drf, the one with the smallest dominant share by weight, "
               "or random, a draw by weight.",
       .group = "Allocation",
       .choices = {"drf", "random"}},
      {.name = "framework-sorter",
       .fallback = "drf",
       .help = "The same among the frameworks of a role.",
       .group = "Allocation",
       .choices = {"drf", "random"}},
      {.name = "filter-gpu-resources",
       .kind = OptionKind::kFlag,
       .fallback = "true",
       .help = "Offer agents with gpus only to frameworks with the capability GPU_RESOURCES.",
       .group = "Allocation"},
      {.name = "agent-whitelist",
       .fallback = "*",
       .help = "A file with the hostnames of the agents that are offered, one a line, read again "
               "every 5 seconds; *: all.",
       .group = "Allocation"},
      {.name = "domain",
       .help = "Where this master is, as REGION/ZONE: agents of other regions are offered only to "
               "frameworks with the capability REGION_AWARE.",
       .group = "Allocation"},
      {.name = "require-agent-domain",
       .kind = OptionKind::kFlag,
       .help = "Refuse agents that do not say where they are (tepui-agent --domain).",
       .group = "Agents and frameworks"},
      {.name = "allocation-gap",
       .kind = OptionKind::kDuration,
       .fallback = "5ms",
       .help = "Smallest time between two allocation rounds; what is freed meanwhile waits.",
       .group = "Allocation"},
      {.name = "allocation-interval",
       .kind = OptionKind::kDuration,
       .fallback = "1secs",
       .help = "Every agent is looked at again so often, whatever happened; 0secs: never.",
       .group = "Allocation"},
      {.name = "lend-guarantees",
       .kind = OptionKind::kFlag,
       .fallback = "false",
       .help = "Lend what guarantees hold back and nobody uses, as revocable resources.",
       .group = "Allocation"},
      {.name = "offer-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "0secs",
       .help = "Offers not answered for so long are rescinded; 0secs: never.",
       .group = "Allocation"},
      {.name = "agent-ping-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "15secs",
       .help = "An agent is pinged so often.",
       .group = "Agents and frameworks"},
      {.name = "max-agent-ping-timeouts",
       .kind = OptionKind::kInteger,
       .fallback = "5",
       .help = "After so many unanswered pings an agent is unreachable, and its tasks with it.",
       .group = "Agents and frameworks",
       .minimum = 1,
       .maximum = 1000},
      {.name = "agent-reregister-timeout",
       .kind = OptionKind::kDuration,
       .fallback = "10mins",
       .help = "After an election, agents of the registry have so long to come back.",
       .group = "Agents and frameworks"},
      {.name = "agent-removal-rate-limit",
       .help = "Agents that nothing is heard of are given up at this rate at most, as "
               "NUMBER/DURATION: 1/10mins. Default: at once.",
       .group = "Agents and frameworks"},
      {.name = "recovery-agent-removal-limit",
       .fallback = "100%",
       .help = "If more of the registry's agents than this do not come back after an election, "
               "the master gives up its leadership instead of them.",
       .group = "Agents and frameworks"},
      {.name = "heartbeat-interval",
       .kind = OptionKind::kDuration,
       .fallback = "15secs",
       .help = "Frameworks hear from the master at least so often.",
       .group = "Agents and frameworks"},
  };
  for (Option& option : Log::option_table()) table.push_back(std::move(option));
  return table;
}

Program program() {
  return {.name = "tepui-master",
          .description =
              "The master of a Tepui cluster: divides what agents have among frameworks by "
              "weighted Dominant Resource Fairness, and keeps the registry of agents.",
          .examples =
              "A master of one's own, and what it knows:\n"
              "  tepui-master --registry=file:/var/lib/tepui/registry\n"
              "  tepui agents\n"
              "One of several, of which one leads:\n"
              "  tepui-master --zk=zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/tepui "
              "--listen=10.0.0.1:5050\n"
              "Role gold gets twice the share of silver:\n"
              "  tepui-master --registry=file:/var/lib/tepui/registry "
              "--weights=gold=2,silver=1\n",
          .options = option_table(),
          .commands = {}};
}

Result<std::vector<std::pair<std::string, int64_t>>> parse_weights(
    const std::vector<std::string>& items) {
  std::vector<std::pair<std::string, int64_t>> weights;
  for (const std::string& item : items) {
    const size_t equals = item.rfind('=');
    if (equals == std::string::npos) {
      return fail(fmt::format("--weights: '{}' is not role=weight", item));
    }
    std::string role = item.substr(0, equals);
    if (auto valid = validate_role(role); !valid) {
      return std::unexpected(std::move(valid).error().in("--weights"));
    }
    const Result<int64_t> weight = parse_milli(std::string_view(item).substr(equals + 1));
    if (!weight || *weight < 1 || *weight > kWeightMax) {
      return fail(
          fmt::format("--weights: '{}' needs a weight from 0.001 to {}", item, kWeightMax / 1000));
    }
    if (std::ranges::find(weights, role, &std::pair<std::string, int64_t>::first) !=
        weights.end()) {
      return fail(fmt::format("--weights: role '{}' is named twice", role));
    }
    weights.emplace_back(std::move(role), *weight);
  }
  return weights;
}

Result<std::vector<Quantities>> parse_min_allocatable(std::string_view text) {
  std::vector<Quantities> alternatives;
  if (text == "none") return alternatives;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    Result<Resources> resources = Resources::parse(text.substr(begin, end - begin));
    if (!resources) {
      return std::unexpected(std::move(resources).error().in("--min-allocatable-resources"));
    }
    if (resources->quantities().empty()) {
      return fail(fmt::format(
          "--min-allocatable-resources: '{}' has an alternative that asks for nothing; to offer "
          "everything, say none",
          text));
    }
    alternatives.push_back(resources->quantities());
    begin = end + 1;
  }
  return alternatives;
}

Result<std::vector<std::string>> check_excluded(std::vector<std::string> names) {
  for (const std::string& name : names) {
    Result<void> valid = validate_resource_name(name, "resource name");
    if (!valid) {
      return std::unexpected(std::move(valid).error().in("--fair-sharing-excluded-resource-names"));
    }
  }
  return names;
}

SorterPolicy sorter(std::string_view name) {
  return name == "random" ? SorterPolicy::kRandom : SorterPolicy::kDrf;
}

std::string own_hostname() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

// "1/10mins": the time between two. Empty: none.
Result<Duration> parse_removal_gap(std::string_view text) {
  if (text.empty()) return Duration{};
  const auto bad = [text] {
    return fail(fmt::format(
        "--agent-removal-rate-limit: '{}' is not NUMBER/DURATION with a number from 1 to 1000000 "
        "and a duration above nothing, as 1/10mins",
        text));
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad();
  const Result<int64_t> count = parse_milli(text.substr(0, slash));
  const Result<Duration> time = parse_duration(text.substr(slash + 1));
  if (!count || *count % 1000 != 0 || *count < 1000 || *count > 1'000'000'000) return bad();
  if (!time || *time <= Duration{}) return bad();
  return std::max(*time / (*count / 1000), Duration(1));
}

Result<int> parse_percent(std::string_view text) {
  const Result<int64_t> milli =
      text.ends_with('%') ? parse_milli(text.substr(0, text.size() - 1)) : fail("no percent sign");
  if (!milli || *milli % 1000 != 0 || *milli < 0 || *milli > 100'000) {
    return fail(fmt::format(
        "--recovery-agent-removal-limit: '{}' is not a whole number from 0 to 100 and a %", text));
  }
  return static_cast<int>(*milli / 1000);
}

Result<MasterTunables> tunables(const Settings& settings) {
  return MasterTunables{
      .ping_interval = settings.duration("agent-ping-timeout"),
      .ping_misses_max = static_cast<int>(settings.integer("max-agent-ping-timeouts")),
      .offer_timeout = settings.duration("offer-timeout"),
      .agent_reregister_timeout = settings.duration("agent-reregister-timeout"),
      .heartbeat_interval = settings.duration("heartbeat-interval"),
      .allocation_gap = settings.duration("allocation-gap"),
      .allocation_interval = settings.duration("allocation-interval"),
      .lend_guarantees = settings.flag("lend-guarantees"),
      .recovery_removal_percent_max =
          TRY(parse_percent(settings.text("recovery-agent-removal-limit"))),
      .removal_gap = TRY(parse_removal_gap(settings.text("agent-removal-rate-limit")))};
}

Result<CoordinationConfig> coordination(const Settings& settings) {
  constexpr std::string_view kFile = "file:";
  CoordinationConfig config{.session_timeout = settings.duration("zk-session-timeout"),
                            .advertise = settings.text("advertise")};
  std::string registry = settings.text("registry");
  if (settings.given("zk")) {
    auto address = parse_zk(settings.text("zk"));
    if (!address) return std::unexpected(std::move(address).error().in("--zk"));
    config.zookeeper = *std::move(address);
    if (!registry.empty() && registry != "zk") {
      return fail("--registry: with --zk the registry is in ZooKeeper: leave it out, or say zk");
    }
    if (config.session_timeout < std::chrono::milliseconds(100) ||
        config.session_timeout > std::chrono::hours(1)) {
      return fail("--zk-session-timeout must be from 100ms to 1hrs");
    }
    return config;
  }
  if (settings.given("advertise"))
    return fail("--advertise says something to ZooKeeper: give --zk");
  if (registry.empty()) return fail("--registry=file:DIRECTORY or --zk=zk://... must be given");
  if (!registry.starts_with(kFile) || registry.size() == kFile.size()) {
    return fail(fmt::format("--registry: '{}' is not file:DIRECTORY{}", registry,
                            registry == "zk" ? ", and --zk is not given" : ""));
  }
  config.directory = registry.substr(kFile.size());
  return config;
}

Result<MasterShellConfig> read(const Settings& settings) {
  for (const char* name :
       {"agent-ping-timeout", "heartbeat-interval", "agent-reregister-timeout"}) {
    if (settings.duration(name) <= Duration{}) {
      return fail(fmt::format("--{} must be longer than nothing", name));
    }
  }
  Result<Domain> domain = parse_domain(settings.text("domain"));
  if (!domain) return std::unexpected(std::move(domain).error().in("--domain"));
  MasterShellConfig config{
      .listen = settings.text("listen"),
      .coordination = TRY(coordination(settings)),
      .master = {.build = version_text(),
                 .hostname =
                     settings.given("hostname") ? settings.text("hostname") : own_hostname(),
                 .weights = TRY(parse_weights(settings.list("weights"))),
                 .require_agent_domain = settings.flag("require-agent-domain"),
                 .tunables = TRY(tunables(settings))},
      .allocator = {.min_allocatable =
                        TRY(parse_min_allocatable(settings.text("min-allocatable-resources"))),
                    .fairness_excluded =
                        TRY(check_excluded(settings.list("fair-sharing-excluded-resource-names"))),
                    .region = std::move(domain->region),
                    .filter_gpu_resources = settings.flag("filter-gpu-resources"),
                    .unused_returns_max = UnusedReturns::kUsualMax,
                    .role_sorter = sorter(settings.text("role-sorter")),
                    .framework_sorter = sorter(settings.text("framework-sorter"))},
      .whitelist = settings.text("agent-whitelist"),
      .journal_dir = settings.text("journal"),
      .journal_bytes_max = static_cast<uint64_t>(settings.bytes("journal-bytes"))};
  if (getrandom(&config.seed, sizeof config.seed, 0) != sizeof config.seed) {
    return fail("the system has no random numbers");
  }
  config.coordination.hostname = config.master.hostname;
  config.coordination.version = config.master.build;
  config.coordination.seed = config.seed;
  return config;
}

int run(int argc, char** argv) {
  const auto settings = configure(program(), argc, argv);
  if (!settings) return print(settings.error());
  const auto refuse = [](const Error& error) {
    std::fprintf(stderr, "tepui-master: %s\n", error.message.c_str());
    return 2;
  };
  Result<MasterShellConfig> config = read(*settings);
  if (!config) return refuse(config.error());
  Log log(Log::options(*settings));
  const auto shell = MasterShell::create(*std::move(config), log);
  if (!shell) return refuse(shell.error());
  return (*shell)->run();
}

}  // namespace
}  // namespace tepui

// The tables of a large cluster take gigabytes, and after an election they are filled at once:
// with pages of 4 KiB that costs a page fault for every fourth task (docs/performance.md). Read by
// jemalloc, by this name. Agents are small and live with small pages.
extern "C" {
const char* malloc_conf = "thp:always";
}

int main(int argc, char** argv) { return tepui::run(argc, argv); }
