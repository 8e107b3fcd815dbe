#pragma once
// Recording keeps the samples of an agent's containers on disk, with what later replays must know
// of the containers (agent/recorded.h). It is beside the agent's work: whatever happens to the
// disk, the agent goes on.
//
//   - While the disk is so slow that too much waits, samplings are left out, counted, and said
//   once.
//   - When a write fails (a full disk), what waits is lost. The next attempt is some seconds later,
//     in a new segment.
//
// One thread, the loop's.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/linux/sampler.h"
#include "agent/recording_writer.h"
#include "agent/shell/recording_files.h"
#include "common/io/log.h"
#include "common/io/reactor.h"
#include "common/messages.h"

namespace tepui {

struct RecordingOptions {
  std::string directory;  // empty: nothing is recorded
  uint64_t bytes_max = 0;

  // So that each of eight segments holds more than a moment.
  static constexpr uint64_t kBytesMin = 16 << 20;
};

class RecordingOwner {
 public:
  virtual ~RecordingOwner() = default;
  virtual recorded::Agent recorded_agent() const = 0;
  // Nothing of a container that is not to be recorded.
  virtual std::optional<ContainerFacts> facts_of(const ContainerId& id) const = 0;
};

class Recording final : public SampleSink, private RecordingFilesOwner {
 public:
  static Result<std::unique_ptr<Recording>> create(Reactor& reactor, Log& log,
                                                   const RecordingOptions& options,
                                                   const RecordingOwner& owner);

  // What its tasks are, or what they may use, has changed.
  void on_changed(const ContainerId& id);
  void on_gone(const ContainerId& id);

  // SampleSink
  void on_sample(const ContainerId& id, const Sample& sample) override;
  void on_sampled() override;

  void add_metrics(std::vector<MetricRow>& rows) const;

 private:
  struct Container {
    uint32_t number = 0;
    bool changed = false;
  };

  Recording(Reactor& reactor, Log& log, const RecordingOwner& owner, uint64_t segment_max)
      : reactor_(reactor), log_(log), owner_(owner), segment_max_(segment_max) {}
  // At the first sample of a sampling; whether it is recorded.
  bool begin_sampling();
  void on_write_failed(const Error& error) override;
  void on_written() override;
  void say(Severity severity, std::string_view name, std::string why);

  Reactor& reactor_;
  Log& log_;
  const RecordingOwner& owner_;
  const uint64_t segment_max_;
  RecordingWriter writer_;
  std::map<ContainerId, Container> containers_;
  std::vector<uint32_t> gone_;  // during the sampling under way
  uint32_t last_number_ = 0;
  recorded::Agent agent_;  // as it was stated last
  Now began_{};            // the sampling under way
  enum class Sampling : uint8_t { kNone, kRecorded, kLeftOut };
  Sampling sampling_ = Sampling::kNone;
  bool begin_segment_ = true;
  bool behind_ = false;   // the disk is too slow
  std::string failure_;   // of the last write; empty: it is well
  Instant not_before_{};  // after a failure
  uint64_t samples_ = 0;
  uint64_t left_out_ = 0;
  uint64_t segments_ = 0;
  uint64_t failures_ = 0;
  std::unique_ptr<RecordingFiles> files_;
};

}  // namespace tepui
