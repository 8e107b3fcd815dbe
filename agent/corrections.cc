#include "agent/corrections.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "agent/isolators/megabytes.h"
#include "agent/isolators/weight.h"

namespace tepui {

namespace {

constexpr int64_t kPeriodUs = 100'000;
constexpr int64_t kQuotaUsMin = 1'000;
constexpr int64_t kNone = INT64_MAX;

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

// The number that a value begins with, or that follows `key`; kNone for "max" and for none.
int64_t number_in(std::string_view value, std::string_view key = {}) {
  const size_t at = value.find(key);
  if (at == std::string_view::npos) return kNone;
  const std::string_view rest = value.substr(at + key.size());
  int64_t number = kNone;
  const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  return problem == std::errc() ? number : kNone;
}

std::string maximum(int64_t value) {
  return value == kNone ? std::string("max") : fmt::format("{}", value);
}

class Merger {
 public:
  Merger(const IsolationInput& input, const Corrections& corrections)
      : input_(input), corrections_(corrections), plan_(plan_isolation(input)) {}

  IsolationPlan merge() {
    if (contains(input_.controllers, "cpu")) {
      idle();
      cpu_max();
    } else {
      add({std::string(kSchedIdle), "", corrections_.idle ? "1" : "0"});
      const int64_t permille = corrections_.cpu_time_permille;
      add({std::string(kFreezeDuty), "", fmt::format("{}", permille > 0 ? permille : 1000)});
    }
    if (contains(input_.controllers, "cpuset")) cpuset();
    if (contains(input_.controllers, "memory")) memory_high();
    if (contains(input_.controllers, "io")) io_max();
    if (contains(input_.controllers, "network/egress")) egress();
    // Last, so that whoever is thawed has its limits already.
    add({"", std::string(kFreezeFile), corrections_.frozen ? "1" : "0"});
    return std::move(plan_);
  }

 private:
  void add(ControlWrite write) { plan_.push_back(std::move(write)); }
  // Takes what the plan has for a file out of it.
  std::optional<std::string> take(std::string_view file) {
    const auto found = std::ranges::find(plan_, file, &ControlWrite::file);
    if (found == plan_.end()) return std::nullopt;
    std::string value = std::move(found->value);
    plan_.erase(found);
    return value;
  }

  void idle() {
    const bool has_class = !contains(input_.settings.missing_files, "cpu.idle");
    const bool planned = take("cpu.idle").has_value();
    const std::string weight =
        take("cpu.weight").value_or(fmt::format("{}", weight_of(input_.resources)));
    if (has_class && (planned || corrections_.idle)) {
      add({"cpu", "cpu.idle", "1"});  // and the kernel takes no weight beside it
      return;
    }
    if (has_class) add({"cpu", "cpu.idle", "0"});
    add({"cpu", "cpu.weight", corrections_.idle ? "1" : weight});
  }

  void cpu_max() {
    const int64_t planned = number_in(take("cpu.max").value_or(""));
    const std::optional<std::string> burst = take("cpu.max.burst");
    int64_t quota = planned;
    if (corrections_.cpu_max_milli > 0) {
      const int64_t milli = std::min(corrections_.cpu_max_milli, int64_t{1} << 32);
      quota = std::min(quota, std::max(milli * kPeriodUs / 1000, kQuotaUsMin));
    }
    // A burst is at most the quota, at every moment.
    if (burst) add({"cpu", "cpu.max.burst", "0"});
    add({"cpu", "cpu.max", fmt::format("{} {}", maximum(quota), kPeriodUs)});
    if (burst && quota == planned) add({"cpu", "cpu.max.burst", *burst});
  }

  void cpuset() {
    // Who was placed on a node when it was made stays there.
    if (std::ranges::find(plan_, "cpuset.mems", &ControlWrite::file) != plan_.end()) return;
    const int64_t cpus = corrections_.cpuset_cpus;
    add({"cpuset", "cpuset.cpus", cpus > 0 ? fmt::format("{}{}", kLastCpus, cpus) : ""});
  }

  void memory_high() {
    int64_t high = number_in(take("memory.high").value_or(""));
    if (corrections_.memory_high_bytes > 0) {
      high = std::min(high, corrections_.memory_high_bytes & ~(kPageBytes - 1));
    }
    add({"memory", "memory.high", maximum(high)});
  }

  void io_max() {
    for (const std::string& device : input_.settings.io_devices) {
      const auto is_for = [&device](const ControlWrite& write) {
        return write.file == "io.max" && write.value.starts_with(device + " ");
      };
      const auto found = std::ranges::find_if(plan_, is_for);
      const std::string planned = found == plan_.end() ? std::string() : found->value;
      int64_t reads = number_in(planned, " rbps=");
      int64_t writes = number_in(planned, " wbps=");
      if (corrections_.io_max_bytes > 0) {
        reads = std::min(reads, corrections_.io_max_bytes);
        writes = std::min(writes, corrections_.io_max_bytes);
      }
      // After the plan's, of which the other two maxima stay.
      add({"io", "io.max",
           fmt::format("{} rbps={} wbps={}", device, maximum(reads), maximum(writes))});
    }
  }

  void egress() {
    const auto is_for = [](const ControlWrite& write) {
      return write.controller == "network/egress";
    };
    const auto found = std::ranges::find_if(plan_, is_for);
    // Without one there is no program on its cgroup.
    if (found == plan_.end() || corrections_.egress_max_bytes <= 0) return;
    found->value = maximum(std::min(number_in(found->value), corrections_.egress_max_bytes));
  }

  const IsolationInput& input_;
  const Corrections& corrections_;
  IsolationPlan plan_;
};

}  // namespace

bool is_revocable(const Resources& resources) {
  return !resources.revocable().empty() && resources.non_revocable().total_milli("cpus") == 0;
}

Corrections allowed(Corrections corrections, const Resources& resources) {
  if (!is_revocable(resources)) return {};
  if (resources.non_revocable().total_milli("mem") > 0) corrections.memory_high_bytes = 0;
  return corrections;
}

IsolationPlan plan_corrected(const IsolationInput& input, const Corrections& corrections) {
  return Merger(input, corrections).merge();
}

std::string to_text(const Corrections& corrections) {
  std::string text;
  const auto add = [&text](std::string part) { text += (text.empty() ? "" : ", ") + part; };
  if (corrections.idle) add("idle class");
  if (corrections.cpu_max_milli > 0) {
    add(fmt::format("at most {:g} cpus", static_cast<double>(corrections.cpu_max_milli) / 1000));
  }
  if (corrections.cpu_time_permille > 0) {
    add(fmt::format("{:g} % of the time", static_cast<double>(corrections.cpu_time_permille) / 10));
  }
  if (corrections.cpuset_cpus > 0) {
    add(fmt::format("on {} processor{}", corrections.cpuset_cpus,
                    corrections.cpuset_cpus == 1 ? "" : "s"));
  }
  if (corrections.memory_high_bytes > 0) {
    add(fmt::format("memory above {} MB reclaimed", corrections.memory_high_bytes >> 20));
  }
  if (corrections.io_max_bytes > 0) {
    add(fmt::format("io at most {} kB/s", corrections.io_max_bytes >> 10));
  }
  if (corrections.egress_max_bytes > 0) {
    add(fmt::format("sends at most {} kB/s", corrections.egress_max_bytes >> 10));
  }
  if (corrections.frozen) add("frozen");
  return text;
}

}  // namespace tepui
