#pragma once
// What a recording says, as plain structs: the samples of an agent's containers, and what one must
// know to run a predictor or a controller on them again.
//
// Pure.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/container_facts.h"
#include "agent/sample_deltas.h"
#include "common/ids.h"
#include "common/resources.h"
#include "common/time.h"

namespace tepui::recorded {

// The agent and its machine. The first entry of every segment, and again where it has changed.
struct Agent {
  AgentId id;  // empty: not registered yet
  std::string hostname;
  std::string boot_id;
  Duration interval{};  // between samplings
  Resources total;      // as it is offered, what is revocable included
  bool operator==(const Agent&) const = default;
};

// A container that began, changed (an executor got another task), or lives as a segment begins.
// What a new segment does not name before its first samples has ended.
struct Container {
  uint32_t number = 0;  // for the samples; never used again in the life of the agent
  ContainerFacts facts;
  bool operator==(const Container&) const = default;
};

struct ContainerEnded {
  uint32_t number = 0;
  bool operator==(const ContainerEnded&) const = default;
};

// One reading of all containers.
struct Samples {
  std::vector<NumberedSample> samples;
};

using Entry = std::variant<Agent, Container, ContainerEnded, Samples>;

}  // namespace tepui::recorded
