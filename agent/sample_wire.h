#pragma once
// The entries of a recording as FlatBuffers (schemas/sample.fbs), one root for each.
//
// Samples are a blob of changes (agent/sample_deltas.h) and not a vector of structs: most counts of
// most containers stand still from one sample to the next, and a struct writes them all again.
//
// Pure.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "agent/recorded.h"
#include "common/result.h"

namespace tepui {

class WireWriter;

class RecordedEncoder {
 public:
  RecordedEncoder();
  ~RecordedEncoder();

  // Valid until the next call.
  std::span<const std::byte> encode(const recorded::Agent& agent);
  std::span<const std::byte> encode(const recorded::Container& container);
  std::span<const std::byte> encode(const recorded::ContainerEnded& ended);
  std::span<const std::byte> encode_samples(std::span<const std::byte> deltas);

 private:
  std::unique_ptr<WireWriter> out_;
};

// Verifies and decodes one entry; nothing for a kind that a later program has added. `at` is the
// time of samples, `base` the counts before them. The error says what is wrong with the bytes.
Result<std::optional<recorded::Entry>> decode_recorded(std::span<const std::byte> bytes, Instant at,
                                                       SampleBase& base);

}  // namespace tepui
