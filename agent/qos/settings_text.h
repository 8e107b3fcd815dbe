#pragma once
// The settings of the controllers as an operator writes them in the table [qos] of a configuration
// file, and as they are shown. docs/qos-tuning.md documents every key.
//
//   profile = "balanced"      what is not said here is as there
//   step-gap = "500ms"
//   [qos.ladders]
//   cpu = ["offer-less", "idle", "freeze"]
//   [[qos.rules]]             rules replace those of the profile
//   name = "slow"
//   signal = "run_queue_p99"
//   threshold = 4000
//
// Pure.

#include <string>

#include "agent/qos/settings.h"
#include "common/entries.h"
#include "common/result.h"

namespace tepui {

// Paths begin below `qos`. The result is checked. Errors name the line and the key, what is wrong
// with it and what is expected.
Result<QosSettings> read_qos_settings(const Entries& entries);

// All of them, as TOML that read_qos_settings() reads back to the same.
std::string to_toml(const QosSettings& settings);

}  // namespace tepui
