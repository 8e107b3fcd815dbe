#pragma once
// RecordingReader takes one segment of a recording apart, entry by entry:
//
//   RecordingReader reader(bytes);
//   while (true) {
//     const Result<std::optional<RecordingReader::Item>> item = reader.next();
//     …an error: the segment is damaged from here on; nothing: its end
//   }
//
// A record that ends too early at the end of the segment, and zeros there, are torn (the writer or
// its machine died) and are left out; torn() tells. Anything else that is broken is damage, and its
// error names the offset.
//
// Pure. The bytes outlive the reader.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "agent/recorded.h"
#include "common/journal.h"
#include "common/result.h"
#include "common/time.h"

namespace tepui {

class RecordingReader {
 public:
  explicit RecordingReader(std::span<const std::byte> segment)
      : segment_(segment), journal_(segment, "recording") {}

  struct Item {
    Now now{};  // of samples: when the reading began
    recorded::Entry entry;
  };
  // Kinds that a later program added are left out. After an error there is nothing more.
  Result<std::optional<Item>> next();

  bool torn() const { return torn_; }
  uint64_t offset() const { return journal_.offset(); }  // behind what was read

  // As of the entry that was read last. Samples name only containers that are here.
  const recorded::Agent& agent() const { return agent_; }
  const std::map<uint32_t, recorded::Container>& containers() const { return containers_; }

 private:
  Result<void> apply(const recorded::Entry& entry);

  const std::span<const std::byte> segment_;
  JournalReader journal_;
  SampleBase base_;
  bool begun_ = false;
  bool damaged_ = false;
  bool torn_ = false;
  recorded::Agent agent_;
  std::map<uint32_t, recorded::Container> containers_;
};

}  // namespace tepui
