#pragma once
// Wire turns messages into the payload of a frame and back. The schemas are in schemas/, the bytes
// are explained in docs/wire.md.
//
// Decoding verifies first (bounded depth, tables and size), then checks what the schema cannot say:
// indices within their tables, enums within their range, strings within their limits, resources
// that are valid. The error says which field of which message was wrong and what was expected. A
// union member that this build does not know decodes to an Error with the text
// "unknown message"; newer peers must not send it after protocol negotiation.
//
// `session` numbers the conversation within its link; the client chooses it.
//
// Pure.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/messages.h"
#include "common/result.h"

namespace tepui {

template <class Message>
struct Inbound {
  uint32_t session = 0;
  Message message;
};

Result<Inbound<SchedulerToMaster>> decode_scheduler_to_master(std::span<const std::byte> payload);
Result<Inbound<MasterToScheduler>> decode_master_to_scheduler(std::span<const std::byte> payload);
Result<Inbound<AgentToMaster>> decode_agent_to_master(std::span<const std::byte> payload);
Result<Inbound<MasterToAgent>> decode_master_to_agent(std::span<const std::byte> payload);
Result<Inbound<ExecutorToAgent>> decode_executor_to_agent(std::span<const std::byte> payload);
Result<Inbound<AgentToExecutor>> decode_agent_to_executor(std::span<const std::byte> payload);
Result<Inbound<OperatorToServer>> decode_operator_to_server(std::span<const std::byte> payload);
Result<Inbound<ServerToOperator>> decode_server_to_operator(std::span<const std::byte> payload);

// Encodes into a buffer of its own that is reused: the span is valid until the next encode().
class Encoder {
 public:
  Encoder();
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  std::span<const std::byte> encode(uint32_t session, const SchedulerToMaster& message);
  std::span<const std::byte> encode(uint32_t session, const MasterToScheduler& message);
  std::span<const std::byte> encode(uint32_t session, const AgentToMaster& message);
  std::span<const std::byte> encode(uint32_t session, const MasterToAgent& message);
  std::span<const std::byte> encode(uint32_t session, const ExecutorToAgent& message);
  std::span<const std::byte> encode(uint32_t session, const AgentToExecutor& message);
  std::span<const std::byte> encode(uint32_t session, const OperatorToServer& message);
  std::span<const std::byte> encode(uint32_t session, const ServerToOperator& message);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tepui
