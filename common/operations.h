#pragma once
// Operations change what kind of resources some resources are: RESERVE and UNRESERVE push and pop
// an entry of the stack of reservations, CREATE and DESTROY make a persistent volume of reserved
// disk and undo it, GROW_VOLUME and SHRINK_VOLUME resize one.
//
// Invariant: an operation takes resources away and puts others in their place (convert), and the
// quantities of both are the same: nothing is made, nothing is lost. RESERVE and UNRESERVE of the
// same resources undo each other, so do CREATE and DESTROY, GROW_VOLUME and SHRINK_VOLUME.
//
// Numbers of types and states are those of Apache Mesos' v1 API. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/ids.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui {

struct Operation {
  enum class Type : uint8_t {
    kReserve = 2,
    kUnreserve = 3,
    kCreate = 4,
    kDestroy = 5,
    kGrowVolume = 11,
    kShrinkVolume = 12,
  };
  Type type = Type::kReserve;
  OperationId id;  // empty: its framework does not want to hear of it
  // Always with the reservation or volume that is made or undone: kReserve, as it will be;
  // kUnreserve, as it is; kCreate and kDestroy, the volumes; the other two, the volume as it is.
  Resources resources;
  Resources source;          // kReserve: what it is now, unless it only lacks the last reservation
  Resources addition;        // kGrowVolume: the disk that the volume takes in
  int64_t subtract_milli{};  // kShrinkVolume: how much of the volume becomes plain disk
  bool operator==(const Operation&) const = default;
};

enum class OperationState : uint8_t {
  kUnsupported = 0,
  kPending = 1,
  kFinished = 2,
  kFailed = 3,
  kError = 4,
  kDropped = 5,
  kUnreachable = 6,
  kGoneByOperator = 7,
  kRecovering = 8,
  kUnknown = 9,
};
inline constexpr int kOperationStateCount = 10;

// FINISHED, FAILED, ERROR, DROPPED, GONE_BY_OPERATOR.
bool is_terminal(OperationState state);
// "OPERATION_FINISHED"; "RESERVE", "GROW_VOLUME".
std::string_view to_text(OperationState state);
std::string_view to_text(Operation::Type type);

struct OperationStatus {
  OperationId operation_id;  // empty: the operation has none
  OperationState state = OperationState::kPending;
  std::string message;
  Resources converted;  // kFinished: what the operation made
  Uuid uuid;            // nil: not to be acknowledged
  AgentId agent_id;
};

// An operation as masters and agents exchange it.
struct AgentOperation {
  Uuid uuid;                 // of the operation, given by the master
  FrameworkId framework_id;  // empty: an operator's
  Operation operation;
  OperationStatus status;  // kPending: not applied yet
};

// What an operation does: `from` goes, `to` takes its place.
struct Conversion {
  Resources from;
  Resources to;
};
// Fails where the operation does not fit its resources (nothing to pop, no volume, too little).
Result<Conversion> convert(const Operation& operation);

// Whom an operation is judged for, and on what.
struct OperationContext {
  std::string_view principal;  // of who asks; empty: none
  std::string_view role;       // of the offers; empty: an operator asks
  bool reservation_refinement = true;
  bool shared_resources = true;
  // Of the agent, as the operations before this one leave it.
  const Resources& total;
  // What tasks and launches hold of it.
  const Resources& used;
};
// Everything that the operation alone and the agent can tell. The error is the message of
// OPERATION_ERROR: what is wrong, and what was expected.
Result<void> validate(const Operation& operation, const OperationContext& context);

// A persistent volume.
bool is_volume(const Resource& item);
// Persistent volumes and disks of source MOUNT are given, used and converted as a whole. The error
// names what of `part` is only a piece of what `all` has; what `all` lacks is none.
Result<void> check_whole(const Resources& part, const Resources& all);
// Where a task sees a volume: relative to its sandbox, below it, not empty.
Result<void> validate_container_path(std::string_view path);

}  // namespace tepui
