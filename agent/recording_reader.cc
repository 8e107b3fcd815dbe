#include "agent/recording_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/sample_wire.h"

namespace tepui {

Result<std::optional<RecordingReader::Item>> RecordingReader::next() {
  while (!damaged_) {
    const uint64_t offset = journal_.offset();
    const auto damaged = [this, offset](std::string_view why) {
      damaged_ = true;
      return fail(fmt::format("the recording is damaged at offset {}: {}", offset, why));
    };
    Result<std::optional<JournalRecord>> record = journal_.next();
    if (!record) {
      damaged_ = true;
      // A file that grew, and whose last blocks the machine did not come to write.
      torn_ = std::ranges::all_of(segment_.subspan(offset),
                                  [](std::byte byte) { return byte == std::byte{0}; });
      if (torn_) return std::nullopt;
      return std::unexpected(std::move(record).error());
    }
    if (!record->has_value()) {
      torn_ = journal_.torn() && !record_follows(segment_, offset);
      if (torn_ || !journal_.torn()) return std::nullopt;
      return damaged("the record ends behind the next one");
    }
    const JournalRecord& frame = **record;
    auto entry = decode_recorded(frame.payload, frame.now.mono, base_);
    if (!entry) return damaged(entry.error().message);
    if (!entry->has_value()) continue;
    if (const Result<void> applied = apply(**entry); !applied) {
      return damaged(applied.error().message);
    }
    return Item{.now = frame.now, .entry = **std::move(entry)};
  }
  return std::nullopt;
}

Result<void> RecordingReader::apply(const recorded::Entry& entry) {
  if (const auto* agent = std::get_if<recorded::Agent>(&entry)) {
    begun_ = true;
    agent_ = *agent;
    return {};
  }
  if (!begun_) return fail("a segment begins with its agent");
  if (const auto* container = std::get_if<recorded::Container>(&entry)) {
    containers_.insert_or_assign(container->number, *container);
  } else if (const auto* ended = std::get_if<recorded::ContainerEnded>(&entry)) {
    if (containers_.erase(ended->number) == 0) {
      return fail(fmt::format("container {} ends and was never begun", ended->number));
    }
    base_.forget(ended->number);
  } else {
    for (const NumberedSample& one : std::get<recorded::Samples>(entry).samples) {
      if (!containers_.contains(one.number)) {
        return fail(fmt::format("a sample of container {}, which was never begun", one.number));
      }
    }
  }
  return {};
}

}  // namespace tepui
