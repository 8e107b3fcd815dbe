#include "agent/isolators/cpuset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "agent/corrections.h"

namespace tepui {

namespace {

constexpr std::string_view kRequestPrefix = "numa ";

std::optional<int64_t> read_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = problem == std::errc() && end == text.data() + text.size() && value >= 0;
  return whole ? std::optional(value) : std::nullopt;
}

}  // namespace

void plan_cpuset(const IsolationInput& input, IsolationPlan& plan) {
  const auto asks = [](const Label& label) {
    return label.key == kCpusetLabel && label.value == kCpusetNuma;
  };
  if (std::ranges::none_of(input.labels, asks)) return;
  plan.push_back({"cpuset", "cpuset.mems",
                  fmt::format("{}{}", kRequestPrefix, input.resources.total_milli("cpus"))});
}

std::optional<int64_t> numa_request(const ControlWrite& write) {
  if (write.file != "cpuset.mems" || !write.value.starts_with(kRequestPrefix)) return std::nullopt;
  return read_number(std::string_view(write.value).substr(kRequestPrefix.size()));
}

const NumaNode* choose_node(const std::vector<NumaNode>& nodes, int64_t request_milli) {
  const auto left = [](const NumaNode& node) { return node.cpus_milli - node.taken_milli; };
  const NumaNode* best = nullptr;
  for (const NumaNode& node : nodes) {
    if (node.cpus_milli < request_milli || node.cpus_milli == 0) continue;
    if (best == nullptr || left(node) > left(*best)) best = &node;
  }
  return best;
}

std::optional<int64_t> last_cpus(std::string_view value) {
  if (!value.starts_with(kLastCpus)) return std::nullopt;
  return read_number(value.substr(kLastCpus.size()));
}

Result<std::string> last_of_cpus(std::string_view list, int64_t count) {
  const std::string_view whole = list.substr(0, list.find('\n'));
  std::string_view rest = whole;
  std::string chosen;
  while (count > 0 && !rest.empty()) {
    const size_t comma = rest.rfind(',');
    const std::string_view part = comma == rest.npos ? rest : rest.substr(comma + 1);
    rest = comma == rest.npos ? std::string_view() : rest.substr(0, comma);
    const size_t dash = part.find('-');
    const auto first = read_number(part.substr(0, dash));
    const auto last = dash == part.npos ? first : read_number(part.substr(dash + 1));
    if (!first || !last || *last < *first) {
      return fail(fmt::format("'{}' is no list of processors", whole));
    }
    const int64_t from = std::max(*first, *last - count + 1);
    count -= *last - from + 1;
    const std::string range =
        from == *last ? fmt::format("{}", from) : fmt::format("{}-{}", from, *last);
    chosen = chosen.empty() ? range : range + "," + chosen;
  }
  return chosen;
}

std::optional<int64_t> count_cpus(std::string_view list) {
  int64_t count = 0;
  while (!list.empty()) {
    const std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(part.size() + 1, list.size()));
    const size_t dash = part.find('-');
    const auto first = read_number(part.substr(0, dash));
    const auto last = dash == part.npos ? first : read_number(part.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    count += *last - *first + 1;
  }
  return count;
}

}  // namespace tepui
