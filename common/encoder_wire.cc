#include "common/conversation_wire.h"
#include "common/wire.h"
#include "common/writer_wire.h"

namespace tepui {

struct Encoder::State {
  template <class Message>
  std::span<const std::byte> encode(uint32_t session, const Message& message) {
    writer.begin();
    write(writer, session, message);
    return std::as_bytes(
        std::span(writer.builder().GetBufferPointer(), writer.builder().GetSize()));
  }

  WireWriter writer;
};

Encoder::Encoder() : state_(std::make_unique<State>()) {}
Encoder::~Encoder() = default;

std::span<const std::byte> Encoder::encode(uint32_t session, const SchedulerToMaster& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const MasterToScheduler& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const AgentToMaster& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const MasterToAgent& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const ExecutorToAgent& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const AgentToExecutor& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const OperatorToServer& message) {
  return state_->encode(session, message);
}
std::span<const std::byte> Encoder::encode(uint32_t session, const ServerToOperator& message) {
  return state_->encode(session, message);
}

}  // namespace tepui
