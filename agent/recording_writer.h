#pragma once
// RecordingWriter makes the bytes of a recording's segments.
//
// A segment is a file of records as those of a journal (common/journal.h has the 48 bytes of their
// header, with length, time and a checksum that depends on the offset). The payload is one entry
// (agent/sample_wire.h); the kinds begin at 0xc0, so that no journal is taken for a recording.
// Every segment begins with the agent and can be read without the others: what lives is stated in
// it before its first sample there.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "agent/recorded.h"
#include "agent/sample_wire.h"
#include "common/journal.h"
#include "common/time.h"

namespace tepui {

enum class RecordedKind : uint8_t {
  kAgent = 0xc0,
  kContainer = 0xc1,
  kContainerEnded = 0xc2,
  kSamples = 0xc3,
};

class RecordingWriter {
 public:
  // Whatever follows is in a new segment: nothing in it is known yet.
  void begin_segment(Now now, const recorded::Agent& agent);
  void state(Now now, const recorded::Agent& agent);
  void state(Now now, const recorded::Container& container);
  bool is_stated(uint32_t number) const { return stated_.contains(number); }
  // Says so where the segment knows it.
  void end(Now now, uint32_t number);

  // One sampling: add() for each container, then finish(); `now` is when the reading began.
  void add(uint32_t number, const Sample& sample) { deltas_.add(number, sample); }
  void finish(Now now);

  // What goes to the end of the segment's file; whoever writes it takes it out.
  std::vector<std::byte>& bytes() { return bytes_; }
  uint64_t segment_bytes() const { return offset_; }

 private:
  void append(RecordedKind kind, Now now, uint64_t subject, std::span<const std::byte> payload);

  RecordedEncoder encoder_;
  SampleDeltaWriter deltas_;
  std::set<uint32_t> stated_;
  std::vector<std::byte> bytes_;
  uint64_t offset_ = 0;
};

}  // namespace tepui
