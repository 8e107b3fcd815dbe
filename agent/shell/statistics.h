#pragma once
// Statistics writes what is known of containers as JSON, on a thread of its own, for readers over
// HTTP. docs/operations.md documents the fields; those that Mesos has in its /containers have its
// names and units.
//
// One thread, the loop's.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/container_facts.h"
#include "agent/sample.h"
#include "common/ids.h"
#include "common/io/document.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

struct ContainerReading {
  ContainerFacts facts;
  std::vector<Sample> samples;  // the oldest first
};

// What somebody asks for: /containers?history=N&framework=ID&task=ID
struct StatisticsQuery {
  size_t history = 1;        // the newest so many samples of each
  FrameworkId framework_id;  // empty: of any
  TaskId task_id;
  bool wants(const ContainerFacts& facts) const;
};
// Nothing if no container is meant by this target; an error for what is wrong with the query.
Result<std::optional<StatisticsQuery>> parse_statistics_target(std::string_view target);

Document document_of(const std::vector<ContainerReading>& containers, Now now);

class StatisticsOwner {
 public:
  virtual ~StatisticsOwner() = default;
  virtual void on_statistics(uint64_t request, std::string json) = 0;
};

class Statistics {
 public:
  static Result<std::unique_ptr<Statistics>> create(Reactor& reactor, StatisticsOwner& owner);
  ~Statistics();

  // -> on_statistics. False: too many are under way.
  bool start(uint64_t request, std::vector<ContainerReading> containers, Now now);

 private:
  class Writing;

  explicit Statistics(StatisticsOwner& owner);

  StatisticsOwner& owner_;
  std::vector<std::unique_ptr<Writing>> under_way_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace tepui
