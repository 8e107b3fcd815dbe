#pragma once
// Recorder hands an agent's records to its effects, and knows which of them are durable.
//
// Invariant: records become durable in the order in which they were appended, so one number says
// all.
//
// Pure. `effects` outlives it.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "agent/effects.h"
#include "agent/records.h"

namespace tepui {

class Recorder {
 public:
  explicit Recorder(AgentEffects& effects) : effects_(effects) {}

  // The serial with which it will be durable.
  uint64_t append(AgentRecord record) {
    effects_.append(++last_, std::move(record));
    return last_;
  }
  void on_appended(uint64_t serial) { durable_ = std::max(durable_, serial); }

  uint64_t last() const { return last_; }
  uint64_t durable() const { return durable_; }
  bool busy() const { return durable_ < last_; }

 private:
  AgentEffects& effects_;
  uint64_t last_ = 0;
  uint64_t durable_ = 0;
};

}  // namespace tepui
