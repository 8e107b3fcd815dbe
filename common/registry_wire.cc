#include "common/registry_wire.h"

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

std::string encode_departed(const Departed& departed) {
  return encode([&departed](WireWriter& out) {
    return wire::CreateDepartedEntry(out.builder(), to_ns(departed.since), departed.by_operator);
  });
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

Result<Departed> decode_departed(std::string_view bytes) {
  return decode<wire::DepartedEntry>(bytes, [](WireReader&, const wire::DepartedEntry& entry) {
    return Departed{.since = WallTime(Duration(entry.since_ns())),
                    .by_operator = entry.by_operator()};
  });
}

std::string encode_quota(const Quota& quota) {
  return encode([&quota](WireWriter& out) {
    return wire::CreateQuotaEntry(out.builder(), write(out, quota));
  });
}

std::string encode_weight(int64_t weight_milli) {
  return encode([weight_milli](WireWriter& out) {
    return wire::CreateWeightEntry(out.builder(), weight_milli);
  });
}

std::string encode_machine(const Machine& machine) {
  return encode([&machine](WireWriter& out) {
    return wire::CreateMachineEntry(out.builder(), write(out, machine.unavailability),
                                    machine.drain, machine.drain_begun, machine.down);
  });
}

std::string encode_standing(const Standing& standing) {
  return encode([&standing](WireWriter& out) {
    wire::StandingEntryBuilder table(out.builder());
    table.add_deactivated(standing.deactivated);
    table.add_drain(static_cast<wire::Drain>(standing.drain));
    if (standing.max_grace) table.add_max_grace_ns(standing.max_grace->count());
    table.add_mark_gone(standing.mark_gone);
    return table.Finish();
  });
}

Result<Quota> decode_quota(std::string_view bytes) {
  return decode<wire::QuotaEntry>(bytes, [](WireReader& in, const wire::QuotaEntry& entry) {
    return read(in, entry.quota(), WirePath{.field = "quota"});
  });
}

Result<int64_t> decode_weight(std::string_view bytes) {
  return decode<wire::WeightEntry>(
      bytes, [](WireReader&, const wire::WeightEntry& entry) { return entry.weight_milli(); });
}

Result<Machine> decode_machine(std::string_view bytes) {
  return decode<wire::MachineEntry>(bytes, [](WireReader& in, const wire::MachineEntry& entry) {
    return Machine{.unavailability = read_unavailability(in, entry.unavailability(),
                                                         WirePath{.field = "unavailability"}),
                   .drain = entry.drain(),
                   .drain_begun = entry.drain_begun(),
                   .down = entry.down()};
  });
}

Result<Standing> decode_standing(std::string_view bytes) {
  return decode<wire::StandingEntry>(bytes, [](WireReader& in, const wire::StandingEntry& entry) {
    Standing standing{.deactivated = entry.deactivated(),
                      .drain = in.enumeration<Standing::Drain>(entry.drain(), kDrainCount,
                                                               WirePath{.field = "drain"}),
                      .mark_gone = entry.mark_gone()};
    const auto max_grace = entry.max_grace_ns();
    if (max_grace.has_value()) standing.max_grace = Duration(*max_grace);
    return standing;
  });
}

}  // namespace tepui
