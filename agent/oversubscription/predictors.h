#pragma once
// The predictors by name.
//
// Pure.

#include <array>
#include <memory>
#include <string_view>

#include "agent/oversubscription/peak_predictor.h"
#include "common/result.h"

namespace tepui {

inline constexpr std::array<std::string_view, 6> kPredictorNames = {
    "limits", "borg-default", "percentile", "n-sigma", "max", "burst"};

// Fails for another name, and for settings that no predictor can work with.
Result<std::unique_ptr<PeakPredictor>> make_predictor(std::string_view name,
                                                      const PredictorSettings& settings);

}  // namespace tepui
