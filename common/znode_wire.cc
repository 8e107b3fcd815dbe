#include "common/znode_wire.h"

#include <flatbuffers/flatbuffers.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>

#include "common/check.h"
#include "common/limits.h"
#include "schemas/znode_generated.h"

namespace tepui {

static_assert(std::endian::native == std::endian::little, "frames lie as they do in memory");

namespace {

constexpr uint32_t kMagic = 0x464e5a54;  // "TZNF" in memory
constexpr uint8_t kVersion = 1;
constexpr uint16_t kFormat = 1;
constexpr size_t kKeyBytesMax = 255;

struct Frame {
  uint32_t magic = kMagic;
  uint8_t version = kVersion;
  uint8_t zeros[3] = {};
  uint32_t length = 0;
  uint32_t zero = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(Frame) == 24);

uint64_t checksum_of(std::string_view name, std::string_view content) {
  return XXH64(content.data(), content.size(), XXH64(name.data(), name.size(), 0));
}

std::string framed(std::string_view name, const flatbuffers::FlatBufferBuilder& builder) {
  const std::string_view content(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                                 builder.GetSize());
  const Frame frame{.length = static_cast<uint32_t>(content.size()),
                    .checksum = checksum_of(name, content)};
  std::string bytes(sizeof(Frame) + content.size(), '\0');
  std::memcpy(bytes.data(), &frame, sizeof(Frame));
  std::memcpy(bytes.data() + sizeof(Frame), content.data(), content.size());
  return bytes;
}

// The FlatBuffer inside a frame, in aligned memory.
Result<std::vector<uint64_t>> unframe(std::string_view name, std::string_view bytes) {
  Frame frame;
  if (bytes.size() < sizeof(Frame)) {
    return fail(fmt::format("has {} bytes, a frame alone takes {}", bytes.size(), sizeof(Frame)));
  }
  std::memcpy(&frame, bytes.data(), sizeof(Frame));
  const std::string_view content = bytes.substr(sizeof(Frame));
  if (frame.magic != kMagic) return fail("does not begin with TZNF");
  if (frame.version != kVersion) {
    return fail(
        fmt::format("has frame version {}, this program reads {}", frame.version, kVersion));
  }
  if (frame.length != content.size()) {
    return fail(fmt::format("should have {} bytes after its frame and has {}", frame.length,
                            content.size()));
  }
  if (const uint64_t found = checksum_of(name, content); found != frame.checksum) {
    return fail(fmt::format("has checksum {:016x}, its bytes give {:016x}", frame.checksum, found));
  }
  std::vector<uint64_t> aligned(content.size() / sizeof(uint64_t) + 1);
  std::memcpy(aligned.data(), content.data(), content.size());
  return aligned;
}

Result<const wire::Znode*> verified(const std::vector<uint64_t>& aligned, size_t size) {
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kVerifierDepthMax;
  options.max_tables = limits::kVerifierTablesMax;
  flatbuffers::Verifier verifier(data, size, options);
  if (!wire::VerifyZnodeBuffer(verifier)) return fail("is not a node of the registry");
  const wire::Znode* node = wire::GetZnode(data);
  if (node->format() != kFormat) {
    return fail(fmt::format("has format {}, this program reads {}", node->format(), kFormat));
  }
  return node;
}

Result<ZnodeEntry> read_entry(const wire::ZnodeEntry& from) {
  if (from.key() == nullptr || from.key()->size() == 0 || from.key()->size() > kKeyBytesMax) {
    return fail(fmt::format("has a key that is not 1 to {} bytes long", kKeyBytesMax));
  }
  ZnodeEntry entry{.key = from.key()->str(), .piece = from.piece(), .pieces = from.pieces()};
  if (entry.piece >= entry.pieces) {
    return fail(fmt::format("has piece {} of {} of '{}'", entry.piece, entry.pieces, entry.key));
  }
  if (from.removed()) return entry;
  entry.value.emplace();
  if (const auto* value = from.value()) {
    entry.value->assign(reinterpret_cast<const char*>(value->data()), value->size());
  }
  return entry;
}

}  // namespace

std::string encode_znode(std::string_view name, std::span<const ZnodeEntry> entries) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::ZnodeEntry>> offsets;
  offsets.reserve(entries.size());
  for (const ZnodeEntry& entry : entries) {
    CHECK(!entry.key.empty() && entry.key.size() <= kKeyBytesMax);
    const auto key = builder.CreateString(entry.key);
    flatbuffers::Offset<flatbuffers::Vector<uint8_t>> value;
    if (entry.value) {
      value = builder.CreateVector(reinterpret_cast<const uint8_t*>(entry.value->data()),
                                   entry.value->size());
    }
    offsets.push_back(wire::CreateZnodeEntry(builder, key, entry.piece, entry.pieces,
                                             !entry.value.has_value(), value));
  }
  const auto node = wire::CreateEntriesNode(builder, builder.CreateVector(offsets));
  wire::FinishZnodeBuffer(
      builder, wire::CreateZnode(builder, kFormat, wire::ZnodeContent::EntriesNode, node.Union()));
  return framed(name, builder);
}

std::string encode_znode(std::string_view name, const ZnodeEpoch& epoch) {
  flatbuffers::FlatBufferBuilder builder;
  const auto node = wire::CreateEpochNode(builder, epoch.epoch, epoch.serial, epoch.chunks);
  wire::FinishZnodeBuffer(
      builder, wire::CreateZnode(builder, kFormat, wire::ZnodeContent::EpochNode, node.Union()));
  return framed(name, builder);
}

// A table of five fields with its share of the vtable, two vectors, and their padding.
size_t znode_bytes(const ZnodeEntry& entry) {
  return 64 + entry.key.size() + (entry.value ? entry.value->size() : 0);
}

Result<std::vector<ZnodeEntry>> decode_znode_entries(std::string_view name,
                                                     std::string_view bytes) {
  const std::vector<uint64_t> aligned = TRY(unframe(name, bytes));
  const wire::Znode* node = TRY(verified(aligned, bytes.size() - sizeof(Frame)));
  const auto* content = node->content_as_EntriesNode();
  if (content == nullptr) return fail("holds something else than entries");
  std::vector<ZnodeEntry> entries;
  if (content->entries() == nullptr) return entries;
  entries.reserve(content->entries()->size());
  for (const wire::ZnodeEntry* entry : *content->entries()) {
    entries.push_back(TRY(read_entry(*entry)));
  }
  return entries;
}

Result<ZnodeEpoch> decode_znode_epoch(std::string_view name, std::string_view bytes) {
  const std::vector<uint64_t> aligned = TRY(unframe(name, bytes));
  const wire::Znode* node = TRY(verified(aligned, bytes.size() - sizeof(Frame)));
  const auto* content = node->content_as_EpochNode();
  if (content == nullptr) return fail("holds something else than an epoch");
  return ZnodeEpoch{
      .epoch = content->epoch(), .serial = content->serial(), .chunks = content->chunks()};
}

}  // namespace tepui
