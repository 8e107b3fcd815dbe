#include "agent/oversubscription/predictors.h"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/oversubscription/burst_predictor.h"
#include "agent/oversubscription/limits_predictor.h"
#include "agent/oversubscription/max_predictor.h"
#include "agent/oversubscription/percentile_predictor.h"
#include "agent/oversubscription/sigma_predictor.h"

namespace tepui {

namespace {

Result<void> check(const PredictorSettings& settings) {
  const auto zero = Duration::zero();
  if (settings.moments_half_life <= zero || settings.percentile_half_life <= zero) {
    return fail("a half-life of a predictor must be longer than nothing");
  }
  if (settings.min_history < zero || settings.max_silence < zero) {
    return fail("min_history and max_silence of a predictor must not be negative");
  }
  if (settings.borg_permille > 1000 || settings.percentile_permille > 1000) {
    return fail(fmt::format("borg_permille is {} and percentile_permille {}, expected at most 1000",
                            settings.borg_permille, settings.percentile_permille));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<PeakPredictor>> make_predictor(std::string_view name,
                                                      const PredictorSettings& settings) {
  TRY(check(settings));
  if (name == "limits") return std::make_unique<LimitsPredictor>(settings, 1000);
  if (name == "borg-default") {
    return std::make_unique<LimitsPredictor>(settings, settings.borg_permille);
  }
  if (name == "percentile") return std::make_unique<PercentilePredictor>(settings);
  if (name == "n-sigma") return std::make_unique<SigmaPredictor>(settings);
  if (name == "burst") return std::make_unique<BurstPredictor>(settings);
  if (name == "max") {
    std::vector<std::unique_ptr<PeakPredictor>> parts;
    parts.push_back(std::make_unique<SigmaPredictor>(settings));
    parts.push_back(std::make_unique<PercentilePredictor>(settings));
    return std::make_unique<MaxPredictor>(std::move(parts));
  }
  return fail(fmt::format("there is no predictor '{}', expected {}", name,
                          fmt::join(kPredictorNames, ", ")));
}

}  // namespace tepui
