#include "agent/shell/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tepui {

namespace {

// Short enough to lose few at a rotation, long enough not to state all that lives again and again.
constexpr uint64_t kSegmentBytesMax = 32 << 20;
constexpr uint64_t kSegmentsMin = 8;
constexpr Duration kRetry = std::chrono::seconds(10);

}  // namespace

Result<std::unique_ptr<Recording>> Recording::create(Reactor& reactor, Log& log,
                                                     const RecordingOptions& options,
                                                     const RecordingOwner& owner) {
  const uint64_t segment_max = std::min(kSegmentBytesMax, options.bytes_max / kSegmentsMin);
  std::unique_ptr<Recording> made(new Recording(reactor, log, owner, segment_max));
  RecordingFilesOwner& told = *made;
  made->files_ = TRY(RecordingFiles::create(
      reactor,
      {.directory = options.directory, .bytes_max = options.bytes_max, .segment_max = segment_max},
      told));
  log.write({.severity = Severity::kInfo,
             .name = "recording.on",
             .fields = {{"directory", options.directory}}});
  return made;
}

void Recording::on_changed(const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found != containers_.end()) found->second.changed = true;
}

void Recording::on_gone(const ContainerId& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return;
  const uint32_t number = found->second.number;
  containers_.erase(found);
  // A new segment knows nothing of it; and its sample may be in the sampling under way.
  if (begin_segment_) return;
  if (sampling_ == Sampling::kRecorded) {
    gone_.push_back(number);
  } else {
    writer_.end(reactor_.now(), number);
  }
}

bool Recording::begin_sampling() {
  began_ = reactor_.now();
  if (began_.mono < not_before_) return false;
  if (files_->is_full()) {
    if (!std::exchange(behind_, true)) {
      say(Severity::kWarning, "recording.behind", "the disk is slow: samplings are left out");
    }
    begin_segment_ = true;
    return false;
  }
  if (std::exchange(behind_, false)) {
    say(Severity::kInfo, "recording.caught_up", fmt::format("{} samplings left out", left_out_));
  }
  recorded::Agent agent = owner_.recorded_agent();
  if (begin_segment_ || writer_.segment_bytes() >= segment_max_) {
    begin_segment_ = false;
    ++segments_;
    writer_.bytes().clear();
    files_->begin_segment();
    writer_.begin_segment(began_, agent);
    agent_ = std::move(agent);
  } else if (agent != agent_) {
    writer_.state(began_, agent);
    agent_ = std::move(agent);
  }
  return true;
}

void Recording::on_sample(const ContainerId& id, const Sample& sample) {
  if (sampling_ == Sampling::kNone) {
    sampling_ = begin_sampling() ? Sampling::kRecorded : Sampling::kLeftOut;
    if (sampling_ == Sampling::kLeftOut) ++left_out_;
  }
  if (sampling_ == Sampling::kLeftOut) return;
  began_.mono = sample.at;
  Container& container = containers_[id];
  if (container.number == 0 || container.changed || !writer_.is_stated(container.number)) {
    std::optional<ContainerFacts> facts = owner_.facts_of(id);
    if (!facts) {
      if (container.number == 0) containers_.erase(id);
      return;
    }
    if (container.number == 0) container.number = ++last_number_;
    container.changed = false;
    writer_.state(reactor_.now(), {.number = container.number, .facts = *std::move(facts)});
  }
  writer_.add(container.number, sample);
  ++samples_;
}

void Recording::on_sampled() {
  if (std::exchange(sampling_, Sampling::kNone) != Sampling::kRecorded) return;
  if (begin_segment_) return writer_.bytes().clear();  // a write has failed meanwhile
  writer_.finish(began_);
  for (const uint32_t number : std::exchange(gone_, {})) writer_.end(reactor_.now(), number);
  files_->write(writer_.bytes());
}

void Recording::on_write_failed(const Error& error) {
  ++failures_;
  begin_segment_ = true;
  not_before_ = later(reactor_.now().mono, kRetry);
  if (error.message == std::exchange(failure_, error.message)) return;
  say(Severity::kWarning, "recording.failed", error.message);
}

void Recording::on_written() {
  if (failure_.empty()) return;
  failure_.clear();
  say(Severity::kInfo, "recording.resumed", fmt::format("{} samplings left out", left_out_));
}

void Recording::say(Severity severity, std::string_view name, std::string why) {
  log_.write({.severity = severity, .name = name, .fields = {{"why", std::move(why)}}});
}

void Recording::add_metrics(std::vector<MetricRow>& rows) const {
  const auto add = [&rows](std::string key, uint64_t value) {
    rows.push_back({.key = std::move(key), .value = static_cast<double>(value)});
  };
  add("recording/samples", samples_);
  add("recording/samplings_left_out", left_out_);
  add("recording/segments", segments_);
  add("recording/bytes", files_->bytes_written());
  add("recording/failures", failures_);
}

}  // namespace tepui
