#include "agent/oversubscription/estimator.h"

#include <utility>

#include "agent/oversubscription/predictors.h"

namespace tepui {

namespace {

Result<std::unique_ptr<PeakPredictor>> part(std::string_view of, const std::string& name,
                                            const PredictorSettings& settings,
                                            const SlackSettings& slack) {
  auto predictor = make_predictor(name, settings);
  if (!predictor) return std::unexpected(std::move(predictor).error().in(of));
  auto checked = check(slack);
  if (!checked) return std::unexpected(std::move(checked).error().in(of));
  return predictor;
}

}  // namespace

Result<Estimator> Estimator::make(const EstimatorSettings& settings) {
  auto cpu = TRY(part("cpus", settings.cpu_predictor, settings.cpu, settings.cpu_slack));
  auto memory =
      TRY(part("memory", settings.memory_predictor, settings.memory, settings.memory_slack));
  return Estimator(settings, std::move(cpu), std::move(memory));
}

Estimator::Estimator(const EstimatorSettings& settings, std::unique_ptr<PeakPredictor> cpu,
                     std::unique_ptr<PeakPredictor> memory)
    : cpu_(std::move(cpu)),
      memory_(std::move(memory)),
      cpu_slack_(settings.cpu_slack),
      memory_slack_(settings.memory_slack) {}

void Estimator::on_task_added(TaskSlot slot, const TaskTerms& cpus_milli,
                              const TaskTerms& memory_bytes) {
  cpu_->on_task_added(slot, cpus_milli);
  memory_->on_task_added(slot, memory_bytes);
}

void Estimator::on_task_removed(TaskSlot slot) {
  cpu_->on_task_removed(slot);
  memory_->on_task_removed(slot);
}

void Estimator::on_cpu_sample(TaskSlot slot, Instant at, int64_t cpus_milli) {
  cpu_->on_sample(slot, at, cpus_milli);
}

void Estimator::on_memory_sample(TaskSlot slot, Instant at, int64_t working_set_bytes) {
  memory_->on_sample(slot, at, working_set_bytes);
}

Revocable Estimator::revocable(Instant now) {
  return {.cpus_milli = cpu_slack_.on_prediction(now, cpu_->predict(now)),
          .memory_bytes = memory_slack_.on_prediction(now, memory_->predict(now))};
}

}  // namespace tepui
