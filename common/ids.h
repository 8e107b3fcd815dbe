#pragma once
// Names of things. A text id is durable and unique across leaders: the master puts its cluster and
// its epoch in it (`7f3a9c12-e3-a17`). A handle is small, and means something only to the process
// or session that gave it out: an index into a slot and the generation of that slot.
//
// Pure.

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"

namespace tepui {

template <class Tag>
struct TextId {
  std::string value;

  bool empty() const { return value.empty(); }
  auto operator<=>(const TextId&) const = default;
  bool operator==(const TextId&) const = default;
};

using FrameworkId = TextId<struct FrameworkIdTag>;
using AgentId = TextId<struct AgentIdTag>;
using ExecutorId = TextId<struct ExecutorIdTag>;
using ContainerId = TextId<struct ContainerIdTag>;
using TaskId = TextId<struct TaskIdTag>;
using OperationId = TextId<struct OperationIdTag>;

// Index and generation. A handle of an object that is gone is recognised by its generation.
template <class Tag>
struct Handle {
  uint32_t index = UINT32_MAX;
  uint32_t generation = 0;

  bool is_null() const { return index == UINT32_MAX; }
  auto operator<=>(const Handle&) const = default;
  bool operator==(const Handle&) const = default;
};

using AgentHandle = Handle<struct AgentHandleTag>;
using FrameworkHandle = Handle<struct FrameworkHandleTag>;
using TaskHandle = Handle<struct TaskHandleTag>;

// An offer lives shorter than its master: epoch (24 bits) and a counter (40 bits) in one number.
struct OfferId {
  uint64_t value = 0;

  auto operator<=>(const OfferId&) const = default;
  bool operator==(const OfferId&) const = default;
};

// One conversation with one peer, as the shell or the simulation numbers it: higher the later its
// link came up, so that what arrives late over a link that its peer gave up long ago is known for
// stale. Never reused while the process lives. A link can carry many sessions.
struct SessionId {
  uint64_t value = 0;

  bool is_null() const { return value == 0; }
  auto operator<=>(const SessionId&) const = default;
  bool operator==(const SessionId&) const = default;
};

// 16 bytes that name one status update, so that an acknowledgement says which one it means.
struct Uuid {
  uint64_t high = 0;
  uint64_t low = 0;

  bool is_nil() const { return high == 0 && low == 0; }
  auto operator<=>(const Uuid&) const = default;
  bool operator==(const Uuid&) const = default;
};

// "0123456789abcdef0123456789abcdef"
std::string to_text(Uuid uuid);

// `e3-o991`, the text form of an offer id, and back.
std::string to_text(OfferId id);
Result<OfferId> parse_offer_id(std::string_view text);

// The syntax all text ids share: not empty, at most 255 bytes, not "." or "..", no control
// character, no '/' or '\'. `what` names the id in the error ("task id").
Result<void> validate_id(std::string_view text, std::string_view what);

}  // namespace tepui

template <class Tag>
struct std::hash<tepui::TextId<Tag>> {
  size_t operator()(const tepui::TextId<Tag>& id) const noexcept {
    return std::hash<std::string_view>{}(id.value);
  }
};
template <class Tag>
struct std::hash<tepui::Handle<Tag>> {
  size_t operator()(tepui::Handle<Tag> h) const noexcept {
    return std::hash<uint64_t>{}((uint64_t{h.generation} << 32) | h.index);
  }
};
template <>
struct std::hash<tepui::OfferId> {
  size_t operator()(tepui::OfferId id) const noexcept { return std::hash<uint64_t>{}(id.value); }
};
template <>
struct std::hash<tepui::SessionId> {
  size_t operator()(tepui::SessionId id) const noexcept { return std::hash<uint64_t>{}(id.value); }
};
