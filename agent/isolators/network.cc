#include "agent/isolators/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "agent/corrections.h"
#include "agent/isolators/megabytes.h"
#include "common/ranges.h"

namespace tepui {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
// So that the program's products fit 64 bits; a hundred times the fastest of today's ports.
constexpr int64_t kRateMax = 80'000'000'000;
constexpr int64_t kMilliMax = kRateMax / kBytesPerMb * 1000;
constexpr int64_t kBurstsASecond = 10;
// Twice what one packet of TCP may be before the device cuts it into segments.
constexpr int64_t kBurstMin = 128 << 10;
constexpr uint64_t kPortMax = 65535;
constexpr std::string_view kNoPorts = "none";

std::optional<uint64_t> read_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = problem == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

void plan_egress(const IsolationInput& input, IsolationPlan& plan) {
  const int64_t requested =
      std::min(input.resources.total_milli(kEgressResource), kMilliMax) * kBytesPerMb / 1000;
  int64_t rate = requested > 0 ? requested : input.settings.egress_max_bytes;
  // So that there is something to lower: a program can only be put on a cgroup that is still empty.
  if (rate <= 0 && is_revocable(input.resources)) rate = kRateMax;
  if (rate <= 0) return;
  plan.push_back({std::string(kEgressIsolator), "network.egress.max",
                  fmt::format("{}", std::min(rate, kRateMax))});
}

void plan_ports(const IsolationInput& input, IsolationPlan& plan) {
  Ranges ports;
  for (const Resource& item : input.resources.items()) {
    const auto* ranges = std::get_if<Ranges>(&item.amount);
    if (item.kind->name == "ports" && ranges != nullptr) unite(ports, *ranges);
  }
  std::string value;
  for (const Range& range : ports) {
    if (range.first > kPortMax) break;
    fmt::format_to(std::back_inserter(value), "{}{}-{}", value.empty() ? "" : ",", range.first,
                   std::min(range.last, kPortMax));
  }
  plan.push_back({std::string(kPortsIsolator), "network.ports.allow",
                  value.empty() ? std::string(kNoPorts) : value});
}

}  // namespace

void plan_network(const IsolationInput& input, IsolationPlan& plan) {
  plan_egress(input, plan);
  plan_ports(input, plan);
}

Result<EgressBucket> parse_egress(std::string_view value) {
  const std::optional<uint64_t> rate = read_number(value);
  if (!rate || *rate == 0 || *rate > uint64_t{kRateMax}) {
    return fail(fmt::format("'{}' is no limit of egress; expected 1 to {} bytes a second", value,
                            kRateMax));
  }
  EgressBucket bucket{.bytes_per_second = static_cast<int64_t>(*rate)};
  bucket.burst_bytes = std::max(bucket.bytes_per_second / kBurstsASecond, kBurstMin);
  // Rounded up. What is left fits: it is a tenth of the rate, or less than the smallest burst.
  const int64_t left = bucket.burst_bytes % bucket.bytes_per_second;
  bucket.fill_ns = bucket.burst_bytes / bucket.bytes_per_second * kSecondNs +
                   left * kSecondNs / bucket.bytes_per_second + 1;
  return bucket;
}

Result<Ranges> parse_ports(std::string_view value) {
  Ranges ports;
  if (value == kNoPorts) return ports;
  const std::string_view whole = value;
  while (true) {
    const std::string_view part = value.substr(0, value.find(','));
    const size_t dash = std::min(part.find('-'), part.size());
    const auto first = read_number(part.substr(0, dash));
    const auto last = read_number(part.substr(std::min(dash + 1, part.size())));
    if (!first || !last || *first > *last || *last > kPortMax) {
      return fail(fmt::format("'{}' are no ports; expected '31000-31009,31020-31020'", whole));
    }
    ports.push_back({.first = *first, .last = *last});
    if (part.size() == value.size()) break;
    value.remove_prefix(part.size() + 1);
  }
  normalize(ports);
  return ports;
}

}  // namespace tepui
