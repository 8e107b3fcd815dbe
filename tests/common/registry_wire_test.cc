#include "common/registry_wire.h"

#include <gtest/gtest.h>

#include <string>

#include "schemas/registry_generated.h"

namespace tepui {
namespace {

AgentInfo agent() {
  ResourceKind volume{.name = "disk", .disk = Disk{.persistence_id = "v", .container_path = "d"}};
  volume.reservations = {{.type = Reservation::Type::kStatic, .role = "eng"}};
  AgentInfo info{.id = {"7f3a9c12-e3-a17"}, .hostname = "node1", .address = "127.0.0.1:5051"};
  info.resources = Resources::parse("cpus:4;mem:1GB;ports:[1-9,20-30];zones:{a,b}").value() +
                   Resources::create({{make_kind(volume), Amount{5000}}}).value();
  info.attributes = parse_attributes("rack:r1;cores:64;ports:[1-2];zones:{a}").value();
  info.controllers = {"cpu", "memory"};
  return info;
}

TEST(RegistryWire, ValuesComeBackAsTheyWere) {
  EXPECT_EQ(decode_agent(encode_agent(agent())).value(), agent());
  EXPECT_EQ(decode_cluster(encode_cluster("7f3a9c12")).value(), "7f3a9c12");
  const Departed departed{.since = WallTime(Duration(1795374000123)), .by_operator = true};
  EXPECT_EQ(decode_departed(encode_departed(departed)).value(), departed);
}

TEST(RegistryWire, EqualValuesAreEqualBytes) {
  EXPECT_EQ(encode_agent(agent()), encode_agent(agent()));
}

TEST(RegistryWire, AnotherFormatIsRefusedByNumber) {
  flatbuffers::FlatBufferBuilder builder;
  const auto value = wire::CreateDepartedEntry(builder, 1);
  wire::FinishRegistryEntryBuffer(
      builder,
      wire::CreateRegistryEntry(builder, 2, 0, wire::RegistryValue::DepartedEntry, value.Union()));
  const std::string bytes(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                          builder.GetSize());
  EXPECT_EQ(decode_departed(bytes).error().message, "entry has format 2, this program reads 1");
}

TEST(RegistryWire, AnotherKindOfValueIsRefused) {
  EXPECT_EQ(decode_agent(encode_cluster("c")).error().message,
            "entry holds another kind of value than its key says");
}

// Every cut and every changed byte is answered with a value or an error, never with a crash; a cut
// that loses nothing but padding gives the value.
TEST(RegistryWire, DamagedBytesAreAnswered) {
  const std::string bytes = encode_agent(agent());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Result<AgentInfo> decoded = decode_agent(std::string_view(bytes).substr(0, length));
    if (decoded) {
      EXPECT_EQ(*decoded, agent()) << length;
    }
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int bit : {1, 0x80}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ bit);
      const Result<AgentInfo> decoded = decode_agent(damaged);
      if (!decoded) {
        EXPECT_FALSE(decoded.error().message.empty());
      }
    }
  }
  EXPECT_FALSE(decode_agent("").has_value());
}

}  // namespace
}  // namespace tepui
