#include "agent/checkpoint_wire.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>

#include "common/limits.h"
#include "common/values_wire.h"
#include "schemas/checkpoint_generated.h"

namespace tepui {

namespace {

constexpr uint32_t kMagic = 0x464b4354;  // "TCKF"
constexpr uint32_t kVersion = 1;
constexpr uint16_t kFormat = 1;

struct Header {
  uint32_t magic = kMagic;
  uint32_t version = kVersion;
  uint64_t length = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(Header) == 24);

Result<void> check(const Header& header, std::string_view body) {
  if (header.magic != kMagic) return fail("it is not a checkpoint of an agent's resources");
  if (header.version != kVersion) {
    return fail(fmt::format("it has version {}, this program reads {}", header.version, kVersion));
  }
  if (header.length != body.size()) {
    return fail(
        fmt::format("{} bytes follow the header, which announces {}", body.size(), header.length));
  }
  if (header.checksum != XXH64(body.data(), body.size(), header.length)) {
    return fail("its checksum is wrong");
  }
  return {};
}

}  // namespace

std::string encode_checkpoint(const StoredCheckpoint& checkpoint) {
  WireWriter out;
  out.begin();
  const auto total = write(out, checkpoint.total);
  const auto operations = write(out, checkpoint.operations);
  const auto destroying =
      out.tables<wire::VolumePlace>(checkpoint.destroying, [&out](const VolumePlace& place) {
        wire::VolumePlaceBuilder table(out.builder());
        table.add_base(out.field(place.base));
        table.add_directory(out.field(place.directory));
        return table.Finish();
      });
  const auto text = out.finish_text();
  wire::FinishCheckpointBuffer(
      out.builder(),
      wire::CreateCheckpoint(out.builder(), kFormat, text, total, operations, destroying));
  const auto* bytes = reinterpret_cast<const char*>(out.builder().GetBufferPointer());
  Header header{.length = out.builder().GetSize()};
  header.checksum = XXH64(bytes, header.length, header.length);
  std::string file(sizeof header, '\0');
  std::memcpy(file.data(), &header, sizeof header);
  return file.append(bytes, header.length);
}

Result<StoredCheckpoint> decode_checkpoint(std::string_view bytes) {
  Header header;
  if (bytes.size() < sizeof header) {
    return fail(fmt::format("it has {} bytes, less than its header", bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::string_view body = bytes.substr(sizeof header);
  TRY(check(header, body));
  std::vector<uint64_t> aligned(body.size() / sizeof(uint64_t) + 1);
  std::memcpy(aligned.data(), body.data(), body.size());
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kVerifierDepthMax;
  options.max_tables = limits::kVerifierTablesMax;
  flatbuffers::Verifier verifier(data, body.size(), options);
  if (!wire::VerifyCheckpointBuffer(verifier)) return fail("its content is not well-formed");
  const wire::Checkpoint& root = *wire::GetCheckpoint(data);
  if (root.format() != kFormat) {
    return fail(fmt::format("it has format {}, this program reads {}", root.format(), kFormat));
  }
  WireReader in(root.text());
  const WirePath at{.field = "checkpoint"};
  const auto place = [&in](const wire::VolumePlace& source, const WirePath& path) {
    return VolumePlace{.base = in.line(source.base(), path / "base"),
                       .directory = in.line(source.directory(), path / "directory")};
  };
  StoredCheckpoint checkpoint{.total = read(in, root.total(), at / "total"),
                              .operations = read(in, root.operations(), at / "operations"),
                              .destroying = in.tables(root.destroying(), at / "destroying", place)};
  if (!in.ok()) return std::unexpected(in.take_error());
  return checkpoint;
}

}  // namespace tepui
