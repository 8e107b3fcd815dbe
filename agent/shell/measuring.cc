#include "agent/shell/measuring.h"

#include <fmt/format.h>

#include <utility>

#include "agent/linux/container_files.h"
#include "common/check.h"

namespace tepui {

Measuring::Measuring(Reactor& reactor, Log& log, const CgroupRoot* cgroups,
                     const MeasuringOptions& options)
    : log_(log) {
  if (options.mode == MeasuringOptions::Mode::kOff || cgroups == nullptr) return;
  SamplerOwner& owner = *this;
  opening_ = std::make_unique<Sampler>(
      reactor,
      Sampler::Options{.cgroup = cgroups->path(),
                       .best = options.mode == MeasuringOptions::Mode::kFiles
                                   ? SampleSource::kFiles
                                   : SampleSource::kIterator,
                       .interval = options.interval,
                       .waits = options.waits},
      owner);
  Result<std::unique_ptr<Worker>> worker = Worker::create(reactor, {.threads = 1, .queue_max = 1});
  if (!worker) {
    give_up(worker.error());
    return;
  }
  worker_ = *std::move(worker);
  const bool submitted = worker_->submit(*this);
  CHECK(submitted);
}

Measuring::~Measuring() = default;

void Measuring::give_up(const Error& error) {
  opening_.reset();
  launched_.clear();
  expected_.clear();
  log_.write(
      {.severity = Severity::kWarning, .name = "sampling.off", .fields = {{"why", error.message}}});
}

void Measuring::on_done() {
  if (const Result<void> begun = opening_->begin(); !begun) return give_up(begun.error());
  sampler_ = std::move(opening_);
  SampleSink& passed_on = *this;
  if (!sinks_.empty()) sampler_->pass_to(passed_on);
  log_.write({.severity = Severity::kInfo,
              .name = "sampling.on",
              .fields = {{"source", name_of(sampler_->source())}}});
  for (const std::string& note : sampler_->notes()) {
    log_.write(
        {.severity = Severity::kWarning, .name = "sampling.degraded", .fields = {{"why", note}}});
  }
  for (const ContainerId& id : std::exchange(launched_, {})) on_launched(id);
}

void Measuring::expect(const LaunchSpec& spec) {
  if (sampler_ == nullptr && opening_ == nullptr) return;
  expected_[spec.id] = container_directory(cgroup_of(spec));
}

void Measuring::on_launched(const ContainerId& id) {
  const auto found = expected_.find(id);
  if (found == expected_.end()) return;
  if (sampler_ == nullptr) {
    launched_.insert(id);
    return;
  }
  // One that has ended already has no cgroup any more; one too many is in the metrics.
  sampler_->add(id, found->second);
  expected_.erase(found);
}

void Measuring::forget(const ContainerId& id) {
  expected_.erase(id);
  launched_.erase(id);
  if (sampler_ != nullptr) sampler_->remove(id);
}

void Measuring::pass_to(SampleSink& sink) {
  SampleSink& passed_on = *this;
  if (sinks_.empty() && sampler_ != nullptr) sampler_->pass_to(passed_on);
  sinks_.push_back(&sink);
}

void Measuring::on_sample(const ContainerId& id, const Sample& sample) {
  for (SampleSink* sink : sinks_) sink->on_sample(id, sample);
}

void Measuring::on_sampled() {
  for (SampleSink* sink : sinks_) sink->on_sampled();
}

const SampleHistory* Measuring::find(const ContainerId& id) const {
  return sampler_ == nullptr ? nullptr : sampler_->find(id);
}

void Measuring::add_metrics(std::vector<MetricRow>& rows) const {
  const auto add = [&rows](std::string key, double value) {
    rows.push_back({.key = std::move(key), .value = value});
  };
  add("sampling/on", sampler_ != nullptr ? 1 : 0);
  if (sampler_ == nullptr) return;
  const Sampler::Counts counts = sampler_->counts();
  for (const SampleSource source :
       {SampleSource::kIterator, SampleSource::kHooks, SampleSource::kFiles}) {
    add(fmt::format("sampling/source/{}", name_of(source)), sampler_->source() == source ? 1 : 0);
  }
  add("sampling/containers", static_cast<double>(counts.containers));
  add("sampling/samplings", static_cast<double>(counts.samplings));
  add("sampling/failures", static_cast<double>(counts.failures));
  add("sampling/skipped", static_cast<double>(counts.skipped));
  add("sampling/refused", static_cast<double>(counts.refused));
  add("sampling/exits_seen", static_cast<double>(counts.exits));
  add("sampling/oom_victims_seen", static_cast<double>(counts.oom_victims));
  add("sampling/events_lost", static_cast<double>(counts.events_lost));
  add("sampling/last_ms", to_millis(counts.last));
}

void Measuring::on_oom_victim(const ContainerId& id, int64_t pid) {
  log_.write({.severity = Severity::kWarning,
              .name = "container.oom_victim",
              .fields = {{"container", id.value}, {"pid", fmt::format("{}", pid)}}});
}

void Measuring::on_sampling_failed(const Error& error) {
  if (error.message == last_failure_) return;
  last_failure_ = error.message;
  log_.write({.severity = Severity::kWarning,
              .name = "sampling.failed",
              .fields = {{"why", error.message}, {"action", "trying again"}}});
}

}  // namespace tepui
