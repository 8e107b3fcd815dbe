#include "agent/isolators/io.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/isolators/megabytes.h"
#include "agent/isolators/weight.h"

namespace tepui {

namespace {

// More than any device does in a second, and a number that stays one when it is multiplied.
constexpr int64_t kMilliMax = int64_t{1} << 42;

// A maximum in the words of io.max; nothing if there is none. The kernel refuses 0.
void add(std::string_view name, int64_t requested_milli, int64_t unit, int64_t configured,
         std::string& text) {
  const int64_t requested = std::min(requested_milli, kMilliMax) * unit / 1000;
  const int64_t maximum = requested_milli > 0 ? std::max<int64_t>(requested, 1) : configured;
  if (maximum > 0) text += fmt::format(" {}={}", name, maximum);
}

std::string maximum_of(const IsolationInput& input) {
  const Resources& resources = input.resources;
  const IoMaximum& configured = input.settings.io_max;
  std::string text;
  add("rbps", resources.total_milli("io_rbps"), kBytesPerMb, configured.read_bytes, text);
  add("wbps", resources.total_milli("io_wbps"), kBytesPerMb, configured.write_bytes, text);
  add("riops", resources.total_milli("io_riops"), 1, configured.read_operations, text);
  add("wiops", resources.total_milli("io_wiops"), 1, configured.write_operations, text);
  return text;
}

}  // namespace

void plan_io(const IsolationInput& input, IsolationPlan& plan) {
  plan.push_back({"io", "io.weight", fmt::format("default {}", weight_of(input.resources))});
  const std::string maximum = maximum_of(input);
  const bool protects =
      input.settings.io_latency_us > 0 && !input.resources.non_revocable().empty();
  for (const std::string& device : input.settings.io_devices) {
    if (!maximum.empty()) plan.push_back({"io", "io.max", device + maximum});
    if (protects) {
      plan.push_back(
          {"io", "io.latency", fmt::format("{} target={}", device, input.settings.io_latency_us)});
    }
  }
}

}  // namespace tepui
