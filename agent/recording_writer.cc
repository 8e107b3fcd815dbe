#include "agent/recording_writer.h"

namespace tepui {

void RecordingWriter::append(RecordedKind kind, Now now, uint64_t subject,
                             std::span<const std::byte> payload) {
  offset_ += append_record(
      bytes_, offset_,
      {.kind = static_cast<uint8_t>(kind), .now = now, .subject = subject, .payload = payload});
}

void RecordingWriter::begin_segment(Now now, const recorded::Agent& agent) {
  offset_ = 0;
  stated_.clear();
  deltas_.base().clear();
  deltas_.begin();
  state(now, agent);
}

void RecordingWriter::state(Now now, const recorded::Agent& agent) {
  append(RecordedKind::kAgent, now, 0, encoder_.encode(agent));
}

void RecordingWriter::state(Now now, const recorded::Container& container) {
  stated_.insert(container.number);
  append(RecordedKind::kContainer, now, container.number, encoder_.encode(container));
}

void RecordingWriter::end(Now now, uint32_t number) {
  if (stated_.erase(number) == 0) return;
  deltas_.base().forget(number);
  append(RecordedKind::kContainerEnded, now, number,
         encoder_.encode(recorded::ContainerEnded{.number = number}));
}

void RecordingWriter::finish(Now now) {
  append(RecordedKind::kSamples, now, deltas_.samples(), encoder_.encode_samples(deltas_.bytes()));
  deltas_.begin();
}

}  // namespace tepui
