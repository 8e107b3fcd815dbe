#include "agent/isolation_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace tepui {

namespace {

constexpr int64_t kWeightPerCpu = 100;
constexpr int64_t kWeightPerRevocableCpu = 1;
constexpr int64_t kWeightMin = 1;
constexpr int64_t kWeightMax = 10000;

constexpr int64_t kPeriodUs = 100'000;
constexpr int64_t kQuotaUsMin = 1'000;
// A million processors: more than any machine has, and a quota that the kernel still takes.
constexpr int64_t kCpusMilliMax = 1'000'000'000;

constexpr int64_t kBytesPerMb = int64_t{1} << 20;
constexpr int64_t kMemoryBytesMin = 32 * kBytesPerMb;
// The kernel rounds down to pages; so do we, so that what is read back is what was written.
constexpr int64_t kPageBytes = 4096;
constexpr int64_t kMemoryBytesMax = INT64_MAX & ~(kPageBytes - 1);

// Thousandths of a MB in bytes, rounded down to a page, at most kMemoryBytesMax.
int64_t bytes_of(int64_t mem_milli) {
  const int64_t whole = mem_milli / 1000;
  const int64_t rest = mem_milli % 1000;
  if (whole >= kMemoryBytesMax / kBytesPerMb) return kMemoryBytesMax;
  return (whole * kBytesPerMb + rest * kBytesPerMb / 1000) & ~(kPageBytes - 1);
}

class Planner {
 public:
  explicit Planner(const IsolationInput& input) : input_(input) {}

  IsolationPlan plan() {
    plan_cpu();
    plan_memory();
    if (input_.pids_max > 0) write("pids", "pids.max", fmt::format("{}", input_.pids_max));
    return std::move(plan_);
  }

 private:
  void plan_cpu() {
    const int64_t regular = input_.resources.non_revocable().total_milli("cpus");
    const int64_t revocable = input_.resources.revocable().total_milli("cpus");
    const int64_t weight = (std::min(regular, kCpusMilliMax) * kWeightPerCpu +
                            std::min(revocable, kCpusMilliMax) * kWeightPerRevocableCpu) /
                           1000;
    write("cpu", "cpu.weight", fmt::format("{}", std::clamp(weight, kWeightMin, kWeightMax)));

    const std::optional<int64_t> limit = input_.limits.cpus_milli;
    if (!limit || *limit > kCpusMilliMax) return;
    const int64_t quota = std::max(*limit * kPeriodUs / 1000, kQuotaUsMin);
    write("cpu", "cpu.max", fmt::format("{} {}", quota, kPeriodUs));
  }

  void plan_memory() {
    const int64_t request = input_.resources.total_milli("mem");
    // Revocable memory is what others did not use: it is taken back before it is protected.
    const int64_t guaranteed = input_.resources.non_revocable().total_milli("mem");
    if (guaranteed > 0) {
      write("memory", "memory.low",
            fmt::format("{}", std::max(bytes_of(guaranteed), kMemoryBytesMin)));
    }
    const int64_t maximum = input_.limits.mem_milli.value_or(request);
    if (maximum != kUnlimited) {
      write("memory", "memory.max",
            fmt::format("{}", std::max(bytes_of(maximum), kMemoryBytesMin)));
    }
    // A command that lost one of its processes is not worth keeping: all go, and the status says
    // so.
    write("memory", "memory.oom.group", "1");
  }

  void write(std::string_view controller, std::string_view file, std::string value) {
    if (std::ranges::find(input_.controllers, controller) == input_.controllers.end()) return;
    plan_.push_back(ControlWrite{.controller = std::string(controller),
                                 .file = std::string(file),
                                 .value = std::move(value)});
  }

  const IsolationInput& input_;
  IsolationPlan plan_;
};

}  // namespace

IsolationPlan plan_isolation(const IsolationInput& input) { return Planner(input).plan(); }

}  // namespace tepui
