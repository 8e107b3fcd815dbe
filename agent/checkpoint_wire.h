#pragma once
// The bytes of an agent's file of checkpointed resources: a 24-byte header and a FlatBuffer
// (schemas/checkpoint.fbs). All numbers are little endian:
//
//   0  u32  magic     "TCKF"
//   4  u32  version   1
//   8  u64  length    of what follows the header
//  16  u64  checksum  XXH64 of what follows the header, seed: the length
//
// The file is written beside the old one and renamed over it, so a file that is damaged was damaged
// later: that is an error which names what is wrong, never a guess.
//
// Pure.

#include <string>
#include <string_view>
#include <vector>

#include "agent/volumes.h"
#include "common/messages.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

struct StoredCheckpoint {
  Resources total;
  std::vector<AgentOperation> operations;
  // Of volumes that were destroyed; what was in them may still be there.
  std::vector<VolumePlace> destroying;
};

std::string encode_checkpoint(const StoredCheckpoint& checkpoint);
Result<StoredCheckpoint> decode_checkpoint(std::string_view bytes);

}  // namespace tepui
