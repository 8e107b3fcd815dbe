#include "agent/shell/isolation_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "agent/isolator_choice.h"
#include "agent/isolators/devices.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr int64_t kPercent = 100;

Option text_option(std::string name, std::string help) {
  return Option{.name = std::move(name), .help = std::move(help), .letter = "", .choices = {}};
}

Option list_option(std::string name, std::string fallback, std::string help) {
  return Option{.name = std::move(name),
                .kind = OptionKind::kList,
                .fallback = std::move(fallback),
                .help = std::move(help),
                .letter = "",
                .choices = {}};
}

Option flag_option(std::string name, std::string help) {
  return Option{.name = std::move(name),
                .kind = OptionKind::kFlag,
                .help = std::move(help),
                .letter = "",
                .choices = {}};
}

Option percent_option(std::string name, int64_t most, std::string help) {
  return Option{.name = std::move(name),
                .kind = OptionKind::kInteger,
                .fallback = "0",
                .help = std::move(help),
                .letter = "",
                .choices = {},
                .maximum = most};
}

Option user_ids_option() {
  Option option =
      text_option("user-namespace-ids",
                  "Ids of users and groups of this machine, as FIRST:COUNT, that nobody has: each "
                  "task that asks "
                  "for a user namespace gets 65,536 of them, which no other has meanwhile.");
  option.fallback = to_text(kDefaultIds);
  return option;
}

Result<IdRange> read_user_ids(const Settings& settings) {
  Result<IdRange> ids = parse_id_range(settings.text("user-namespace-ids"));
  Result<void> fits = ids ? check_divisible(*ids) : std::unexpected(ids.error());
  if (!fits) return std::unexpected(std::move(fits).error().in("--user-namespace-ids"));
  return ids;
}

// "rbps=100MB,wbps=50MB,riops=1000,wiops=1000" or some of them, as the option's list splits it.
Result<IoMaximum> parse_io_maximum(const std::vector<std::string>& parts) {
  IoMaximum maximum;
  for (const std::string& part : parts) {
    const size_t equals = part.find('=');
    const std::string_view name = std::string_view(part).substr(0, equals);
    const std::string_view value =
        equals == part.npos ? std::string_view() : std::string_view(part).substr(equals + 1);
    int64_t* place = name == "rbps"    ? &maximum.read_bytes
                     : name == "wbps"  ? &maximum.write_bytes
                     : name == "riops" ? &maximum.read_operations
                     : name == "wiops" ? &maximum.write_operations
                                       : nullptr;
    if (place == nullptr || equals == part.npos) {
      return fail(fmt::format("'{}': expected rbps=, wbps=, riops= or wiops= and a number", part));
    }
    if (name.ends_with("bps")) {
      Result<int64_t> bytes = parse_bytes(value);
      if (!bytes) return std::unexpected(std::move(bytes).error().in(name));
      *place = *bytes;
      continue;
    }
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), *place);
    if (problem != std::errc() || end != value.data() + value.size() || *place < 0) {
      return fail(fmt::format("{}: '{}' is no number of operations", name, value));
    }
  }
  return maximum;
}

Result<CapabilitySet> read_capabilities(const Settings& settings) {
  const std::vector<std::string> words = settings.list("capabilities");
  if (words.size() == 1 && words[0] == "default") return kDefaultCapabilities;
  if (words.size() == 1 && words[0] == "all") return kAllCapabilities;
  if (words.size() == 1 && words[0] == "none") return CapabilitySet{0};
  Result<CapabilitySet> set = parse_capabilities(words);
  if (!set) return std::unexpected(std::move(set).error().in("--capabilities"));
  return set;
}

Result<std::vector<std::string>> read_devices(const Settings& settings) {
  std::vector<std::string> rules = default_devices();
  for (std::string& rule : settings.list("devices")) {
    if (Result<DeviceRule> valid = parse_device_rule(rule); !valid) {
      return std::unexpected(std::move(valid).error().in("--devices"));
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace

std::vector<Option> isolation_options() {
  std::vector<Option> options = {
      list_option(
          "isolation", "auto",
          "What keeps containers apart. auto: all that this machine can; what it cannot is "
          "said at the start and shown by `tepui agents`. Names beside it are required: the "
          "agent does not start without; a name with - in front is left out. Without auto "
          "exactly the named ones. none: nothing. Names: " +
              list_isolators() + "."),
      list_option("capabilities", "default",
                  "What root may in a container, as CAP_NET_RAW,CAP_KILL; default: be root among "
                  "its own files, users and ports; all; none."),
      flag_option("allow-unconfined",
                  "A task may ask for a container without the filter of system calls."),
      list_option("volume-host-paths", "",
                  "Directories of this machine of which tasks may have everything as volumes, to "
                  "read and to write; none if none is given."),
      list_option("image-dir", "",
                  "Directories of this machine below which the root file systems and images are "
                  "that tasks may ask for; none if none is given."),
      user_ids_option(),
      flag_option("enforce-cpu-requests",
                  "What a task requests of cpus is also the most it gets, where it has no limit."),
      percent_option("cpu-burst-percent", kPercent,
                     "How much of a cpu limit may be saved up for 100 ms and used at once."),
      flag_option("revocable-cpu-idle",
                  "Tasks of revocable cpus alone run only when nobody else wants to, and not by a "
                  "low weight."),
      percent_option("memory-high-percent", kPercent - 1,
                     "From which part of its memory limit on a container is slowed down and its "
                     "memory reclaimed; 0 is nowhere."),
      percent_option("swap-percent", kPercent,
                     "How much swap a container may use, as a part of its memory limit."),
      list_option("io-devices", "",
                  "The disks that limits of io are for, as devices or any paths on them; the one "
                  "of the work directory if none is given."),
      list_option(
          "io-max", "",
          "What each container may read and write a second of each disk, as "
          "rbps=100MB,wbps=50MB,riops=1000,wiops=1000 or some of them. A task that requests "
          "the resources io_rbps, io_wbps (MB), io_riops or io_wiops gets that instead."),
      list_option("devices", "",
                  "What containers may use beside null, zero, full, tty, console, random, urandom, "
                  "ptmx and pts, as 'c 10:200 rw'."),
  };
  Option latency = text_option(
      "io-latency",
      "What reads and writes of tasks that are not revocable should take at most; others "
      "are slowed down for it. 0secs is no target.");
  latency.kind = OptionKind::kDuration;
  latency.fallback = "0secs";
  options.push_back(std::move(latency));
  options.push_back(text_option(
      "egress-max",
      "What each container may send to the network a second, as 10MB; all if nothing is given. A "
      "task that requests the resource network_egress (MB) gets that instead."));
  Option pids =
      text_option("pids-max", "Processes and threads that one container may have; 0 is unlimited.");
  pids.kind = OptionKind::kInteger;
  pids.fallback = "4096";
  options.push_back(std::move(pids));
  for (Option& option : options) option.group = "Isolation";
  return options;
}

Result<void> read_isolation(const Settings& settings, GroundOptions& ground) {
  ground.isolators = settings.list("isolation");
  ground.capabilities = TRY(read_capabilities(settings));
  ground.allow_unconfined = settings.flag("allow-unconfined");
  ground.image_directories = settings.list("image-dir");
  ground.volume_host_paths = settings.list("volume-host-paths");
  ground.ids = TRY(read_user_ids(settings));
  ground.io_devices = settings.list("io-devices");
  IsolationSettings& isolation = ground.isolation;
  isolation.cpu_max_of_requests = settings.flag("enforce-cpu-requests");
  isolation.cpu_burst_percent = settings.integer("cpu-burst-percent");
  isolation.revocable_idle = settings.flag("revocable-cpu-idle");
  isolation.memory_high_percent = settings.integer("memory-high-percent");
  isolation.swap_percent = settings.integer("swap-percent");
  isolation.pids_max = settings.integer("pids-max");
  isolation.io_latency_us = settings.duration("io-latency").count() / 1000;
  Result<IoMaximum> io_max = parse_io_maximum(settings.list("io-max"));
  if (!io_max) return std::unexpected(std::move(io_max).error().in("--io-max"));
  isolation.io_max = *io_max;
  if (const std::string text = settings.text("egress-max"); !text.empty()) {
    Result<int64_t> bytes = parse_bytes(text);
    if (!bytes) return std::unexpected(std::move(bytes).error().in("--egress-max"));
    isolation.egress_max_bytes = *bytes;
  }
  isolation.devices = TRY(read_devices(settings));
  return {};
}

}  // namespace tepui
