#pragma once
// RegistryAccess reads a whole registry without taking part in the cluster, and writes a whole one,
// for the operator's command: a directory (file:DIR) or ZooKeeper (zk://…/PATH), whether a master
// uses it or not. These calls block.
//
// Reading changes nothing. What a master writes meanwhile is there as a whole or not at all.
// Writing begins an epoch, as a leader does, so that no leader of before can write any more.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/store.h"
#include "common/time.h"

namespace tepui {

struct RegistryImage {
  uint64_t epoch = 0;
  StoreContents contents;
  // What cannot be read, each with its file and offset or its znode. Then `contents` is what can.
  std::vector<std::string> damages;
  // What is odd and harmless.
  std::vector<std::string> notes;
};

// The error: there is no registry, or it cannot be reached.
Result<RegistryImage> read_registry(std::string_view where, Duration timeout);

// Replaces all that the registry says; one that is not there is made. Refuses one that says
// something already unless `force`, and one that masters stand for election at.
enum class Overwrite : uint8_t { kNo, kYes };
Result<void> write_registry(std::string_view where, const StoreContents& contents,
                            Overwrite overwrite, Duration timeout);

}  // namespace tepui
