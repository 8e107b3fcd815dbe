#include "perf/usage_generator.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tepui::perf {

namespace {

constexpr size_t kTasks = 1200;

double uniform(Rng& rng) { return static_cast<double>(rng.next() >> 11) * 0x1p-53; }

// Box and Muller.
double normal(Rng& rng) {
  const double radius = std::sqrt(-2 * std::log(1 - uniform(rng)));
  return radius * std::cos(2 * std::numbers::pi * uniform(rng));
}

}  // namespace

std::vector<int64_t> generated_usage(Rng& rng, int64_t limit_milli, size_t samples) {
  const double level = std::min(0.08 * std::exp(0.8 * normal(rng)), 0.7);
  const double wave = 0.3 * level * uniform(rng);
  const double phase = 2 * std::numbers::pi * uniform(rng);
  const double deviation = 0.6 * level * uniform(rng);
  const double bursts_a_day = 0.25 * std::pow(32, uniform(rng));
  double noise = 0;
  double burst = 0;
  std::vector<int64_t> usage;
  usage.reserve(samples);
  for (size_t i = 0; i < samples; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / kSamplesADay;
    noise = 0.6 * noise + 0.8 * deviation * normal(rng);
    if (burst > 0) {
      if (uniform(rng) < 1.0 / 3) burst = 0;
    } else if (uniform(rng) < bursts_a_day / kSamplesADay) {
      burst = (1 - level) * uniform(rng);
    }
    const double part = level + wave * std::sin(angle + phase) + noise + burst;
    usage.push_back(std::llround(std::clamp(part, 0.0, 1.0) * static_cast<double>(limit_milli)));
  }
  return usage;
}

UsageTrace generated_trace(uint64_t seed) {
  Rng rng(seed);
  UsageTrace trace{.name = "synthetic"};
  for (size_t i = 0; i < kTasks; ++i) {
    trace.tasks.push_back({.usage_milli = generated_usage(rng, 1000, kSamplesADay)});
  }
  return trace;
}

UsageTrace generated_churn(uint64_t seed) {
  Rng rng(seed);
  UsageTrace trace{.name = "synthetic-churn"};
  for (size_t i = 0; i < kTasks; ++i) {
    const int64_t limit = 500 << rng.below(5);
    size_t first = 0;
    size_t end = kSamplesADay;
    if (rng.chance(1, 2)) {
      first = rng.below(kSamplesADay);
      end = first + 1 + rng.below(kSamplesADay - first);
    }
    trace.tasks.push_back({.limit_milli = limit,
                           .first = first,
                           .usage_milli = generated_usage(rng, limit, end - first)});
  }
  return trace;
}

}  // namespace tepui::perf
