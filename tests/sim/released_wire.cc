#include "tests/sim/released_wire.h"

#include <flatbuffers/flatbuffers.h>
#include <flatbuffers/reflection.h>
#include <flatbuffers/util.h>

#include <cstdint>

#include "common/check.h"

namespace tepui::sim {

namespace {

const char* name_of(WireTable table) {
  switch (table) {
    case WireTable::kAgentToMaster:
      return "tepui.wire.AgentToMaster";
    case WireTable::kMasterToAgent:
      return "tepui.wire.MasterToAgent";
    case WireTable::kSchedulerToMaster:
      return "tepui.wire.SchedulerToMaster";
    case WireTable::kMasterToScheduler:
      return "tepui.wire.MasterToScheduler";
  }
  return "";
}

bool is_of_agents(WireTable table) {
  return table == WireTable::kAgentToMaster || table == WireTable::kMasterToAgent;
}

}  // namespace

ReleasedWire::ReleasedWire() {
  CHECK(flatbuffers::LoadFile(TEPUI_RELEASED_SCHEMAS "/agent.bfbs", true, &agent_));
  CHECK(flatbuffers::LoadFile(TEPUI_RELEASED_SCHEMAS "/scheduler.bfbs", true, &scheduler_));
}

std::optional<std::vector<std::byte>> ReleasedWire::strip(WireTable table,
                                                          std::span<const std::byte> payload) {
  const std::string& text = is_of_agents(table) ? agent_ : scheduler_;
  const reflection::Schema& schema = *reflection::GetSchema(text.data());
  const reflection::Object* type = schema.objects()->LookupByKey(name_of(table));
  CHECK(type != nullptr);
  const auto& root = *flatbuffers::GetAnyRoot(reinterpret_cast<const uint8_t*>(payload.data()));
  const reflection::Field* kind = type->fields()->LookupByKey("body_type");
  CHECK(kind != nullptr);
  const int64_t value = flatbuffers::GetAnyFieldI(root, *kind);
  const reflection::Enum* kinds = schema.enums()->Get(static_cast<uint32_t>(kind->type()->index()));
  if (kinds->values()->LookupByKey(value) == nullptr) return std::nullopt;
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(flatbuffers::CopyTable(builder, schema, *type, root));
  const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return std::vector<std::byte>(begin, begin + builder.GetSize());
}

}  // namespace tepui::sim
