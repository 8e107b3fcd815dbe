#include "master/registry_wire.h"

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "common/limits.h"
#include "common/values_wire.h"
#include "schemas/registry_generated.h"

namespace tepui {

namespace {

// Writes a value and the entry around it: write_value(writer) answers the table it wrote.
template <class WriteValue>
std::string encode(WriteValue write_value) {
  WireWriter out;
  out.begin();
  const auto erase = []<class Table>(Offset<Table> table) {
    // A copy: the generated constant has no address to bind to.
    const wire::RegistryValue type = wire::RegistryValueTraits<Table>::enum_value;
    return std::pair(type, table.Union());
  };
  const auto [type, value] = erase(write_value(out));
  const auto text = out.finish_text();
  wire::FinishRegistryEntryBuffer(
      out.builder(), wire::CreateRegistryEntry(out.builder(), kRegistryFormat, text, type, value));
  const auto* bytes = reinterpret_cast<const char*>(out.builder().GetBufferPointer());
  return std::string(bytes, out.builder().GetSize());
}

// Verifies the entry, then lets read_value(reader, value) answer.
template <class Value, class ReadValue>
auto decode(std::string_view bytes, ReadValue read_value)
    -> Result<decltype(read_value(std::declval<WireReader&>(), std::declval<const Value&>()))> {
  // A store hands out bytes that lie anywhere.
  std::vector<uint64_t> aligned(bytes.size() / sizeof(uint64_t) + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kVerifierDepthMax;
  options.max_tables = limits::kVerifierTablesMax;
  flatbuffers::Verifier verifier(data, bytes.size(), options);
  if (!wire::VerifyRegistryEntryBuffer(verifier)) {
    return fail(fmt::format("the {} bytes are not an entry of the registry", bytes.size()));
  }
  const wire::RegistryEntry& entry = *wire::GetRegistryEntry(data);
  if (entry.format() != kRegistryFormat) {
    return fail(
        fmt::format("entry has format {}, this program reads {}", entry.format(), kRegistryFormat));
  }
  const Value* value = entry.value_as<Value>();
  if (value == nullptr) return fail("entry holds another kind of value than its key says");
  WireReader in(entry.text());
  auto decoded = read_value(in, *value);
  if (!in.ok()) return std::unexpected(in.take_error());
  return decoded;
}

}  // namespace

std::string encode_cluster(std::string_view cluster) {
  return encode([cluster](WireWriter& out) {
    return wire::CreateClusterEntry(out.builder(), out.field(cluster));
  });
}

std::string encode_agent(const AgentInfo& info) {
  return encode(
      [&info](WireWriter& out) { return wire::CreateAgentEntry(out.builder(), write(out, info)); });
}

std::string encode_departed(WallTime since) {
  return encode(
      [since](WireWriter& out) { return wire::CreateDepartedEntry(out.builder(), to_ns(since)); });
}

Result<std::string> decode_cluster(std::string_view bytes) {
  return decode<wire::ClusterEntry>(bytes, [](WireReader& in, const wire::ClusterEntry& entry) {
    return in.line(entry.id(), WirePath{.field = "id"});
  });
}

Result<AgentInfo> decode_agent(std::string_view bytes) {
  return decode<wire::AgentEntry>(bytes, [](WireReader& in, const wire::AgentEntry& entry) {
    return read(in, entry.info(), WirePath{.field = "info"});
  });
}

Result<WallTime> decode_departed(std::string_view bytes) {
  return decode<wire::DepartedEntry>(bytes, [](WireReader&, const wire::DepartedEntry& entry) {
    return WallTime(Duration(entry.since_ns()));
  });
}

}  // namespace tepui
