#pragma once
// The frame of every conversation: a root table with a session, the text, and one of the messages
// of that direction as its body. The conversations give the list of messages; this does the rest.
//
// Pure.

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "common/limits.h"
#include "common/values_wire.h"
#include "common/wire.h"

namespace tepui {

void write(WireWriter& out, uint32_t session, const SchedulerToMaster& message);
void write(WireWriter& out, uint32_t session, const MasterToScheduler& message);
void write(WireWriter& out, uint32_t session, const AgentToMaster& message);
void write(WireWriter& out, uint32_t session, const MasterToAgent& message);
void write(WireWriter& out, uint32_t session, const ExecutorToAgent& message);
void write(WireWriter& out, uint32_t session, const AgentToExecutor& message);
void write(WireWriter& out, uint32_t session, const OperatorToServer& message);
void write(WireWriter& out, uint32_t session, const ServerToOperator& message);

// Writes the body and then the root around it: write_body(alternative) answers the table that it
// wrote, and Traits<that table>::enum_value is its number in the union.
template <template <class> class Traits, class RootBuilder, class Message, class WriteBody>
void write_root(WireWriter& out, uint32_t session, const Message& message, WriteBody write_body) {
  std::remove_cv_t<decltype(Traits<void>::enum_value)> type{};
  const auto erase = [&type]<class Table>(Offset<Table> table) {
    type = Traits<Table>::enum_value;
    return table.Union();
  };
  const Offset<void> body =
      std::visit([&](const auto& alternative) { return erase(write_body(alternative)); }, message);
  const auto text = out.finish_text();
  RootBuilder root(out.builder());
  root.add_session(session);
  root.add_text(text);
  root.add_body_type(type);
  root.add_body(body);
  out.builder().Finish(root.Finish());
}

// Verifies, then lets read_body(reader, root) answer the message, or nothing where this build does
// not know that member of the union. `direction` opens the error: "scheduler to master".
template <class Root, class Message, class ReadBody>
Result<Inbound<Message>> decode_root(std::span<const std::byte> payload, const char* direction,
                                     ReadBody read_body) {
  if (payload.size() > limits::kFrameBytesMax) {
    return fail(fmt::format("{}: message of {} bytes, at most {} are allowed", direction,
                            payload.size(), limits::kFrameBytesMax));
  }
  // Frames are aligned; a caller with other bytes pays for a copy.
  std::vector<uint64_t> aligned;
  const std::byte* data = payload.data();
  if (reinterpret_cast<uintptr_t>(data) % alignof(uint64_t) != 0) {
    aligned.resize(payload.size() / sizeof(uint64_t) + 1);
    std::memcpy(aligned.data(), data, payload.size());
    data = reinterpret_cast<const std::byte*>(aligned.data());
  }
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kVerifierDepthMax;
  options.max_tables = limits::kVerifierTablesMax;
  const auto* bytes = reinterpret_cast<const uint8_t*>(data);
  flatbuffers::Verifier verifier(bytes, payload.size(), options);
  if (!verifier.VerifyBuffer<Root>()) {
    return fail(
        fmt::format("{}: the {} bytes are not a well-formed message", direction, payload.size()));
  }
  const Root& root = *flatbuffers::GetRoot<Root>(bytes);
  if (root.body() == nullptr) return fail(fmt::format("{}: message without a body", direction));
  WireReader in(root.text());
  std::optional<Message> message = read_body(in, root);
  if (!in.ok()) return std::unexpected(in.take_error());
  if (!message) return fail("unknown message");
  return Inbound<Message>{.session = root.session(), .message = *std::move(message)};
}

// Offer ids are plain numbers on the wire.
inline flatbuffers::Offset<flatbuffers::Vector<uint64_t>> write(
    WireWriter& out, const std::vector<OfferId>& offers) {
  static_assert(sizeof(OfferId) == sizeof(uint64_t));
  if (offers.empty()) return 0;
  return out.builder().CreateVector(&offers.front().value, offers.size());
}

inline std::vector<OfferId> read(WireReader& in, const flatbuffers::Vector<uint64_t>* offers,
                                 const WirePath& at) {
  const std::span<const uint64_t> ids = in.items(offers, at);
  std::vector<OfferId> result;
  if (!in.charge(ids.size_bytes(), at)) return result;
  result.reserve(ids.size());
  for (const uint64_t id : ids) result.push_back(OfferId{id});
  return result;
}

}  // namespace tepui
