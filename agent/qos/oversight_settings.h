#pragma once
// All that an operator can set of how an agent lends and takes back: the tables [qos] and
// [oversubscription] of one file.
//
// Pure.

#include "agent/oversubscription/revocable_pool.h"
#include "agent/qos/settings.h"
#include "common/entries.h"
#include "common/result.h"

namespace tepui {

struct OversightSettings {
  QosSettings qos;
  OversubscriptionSettings oversubscription;
};

// Of a whole file. Other tables are refused; errors name the line.
Result<OversightSettings> read_oversight_settings(const Entries& entries);

}  // namespace tepui
