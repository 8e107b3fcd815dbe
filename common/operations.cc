#include "common/operations.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace tepui {

namespace {

// The same resource of another kind.
Resource of_kind(const Resource& item, ResourceKind kind) {
  return {.kind = make_kind(std::move(kind)), .amount = item.amount, .shares = item.shares};
}

// `change(kind)` of every item; fails where it answers an error.
template <class Change>
Result<Resources> changed(const Resources& resources, Change change) {
  std::vector<Resource> items;
  items.reserve(resources.items().size());
  for (const Resource& item : resources.items()) {
    ResourceKind kind = *item.kind;
    TRY(change(item, kind));
    items.push_back(of_kind(item, std::move(kind)));
  }
  return Resources::create(std::move(items));
}

Result<Resources> without_innermost_reservation(const Resources& resources) {
  return changed(resources, [](const Resource& item, ResourceKind& kind) -> Result<void> {
    if (kind.reservations.empty()) {
      return fail(fmt::format("'{}' has no reservation", item.name()));
    }
    kind.reservations.pop_back();
    return {};
  });
}

void strip_volume(ResourceKind& kind) {
  kind.shared = false;
  if (kind.disk->source == Disk::Source::kRoot) {
    kind.disk.reset();
  } else {
    kind.disk = Disk{.source = kind.disk->source, .source_root = std::move(kind.disk->source_root)};
  }
}

// The disk that volumes are made of.
Result<Resources> without_volumes(const Resources& resources) {
  return changed(resources, [](const Resource& item, ResourceKind& kind) -> Result<void> {
    if (!is_volume(item)) {
      return fail(
          fmt::format("'{}' is not a persistent volume: it has no persistence id", item.name()));
    }
    strip_volume(kind);
    return {};
  });
}

// The one volume that is resized.
Result<const Resource*> only_volume(const Resources& resources) {
  if (resources.items().size() != 1 || !is_volume(resources.items().front())) {
    return fail("expected exactly one persistent volume");
  }
  const Resource& volume = resources.items().front();
  if (volume.kind->shared) return fail("a shared volume cannot be resized");
  if (volume.kind->disk->source == Disk::Source::kMount) {
    return fail("a volume on a mounted disk is always all of it and cannot be resized");
  }
  return &volume;
}

Result<Resources> of_amount(const Resource& item, KindRef kind, int64_t milli) {
  return Resources::create({{.kind = std::move(kind), .amount = milli, .shares = item.shares}});
}

Result<Conversion> grow(const Operation& operation) {
  const Resource* volume = TRY(only_volume(operation.resources));
  ResourceKind plain = *volume->kind;
  strip_volume(plain);
  const Resources& addition = operation.addition;
  if (addition.items().size() != 1 || *addition.items().front().kind != plain) {
    return fail("the addition must be disk of the reservation and source of the volume");
  }
  const int64_t grown = volume->scalar_milli() + addition.items().front().scalar_milli();
  return Conversion{.from = operation.resources + addition,
                    .to = TRY(of_amount(*volume, volume->kind, grown))};
}

Result<Conversion> shrink(const Operation& operation) {
  const Resource* volume = TRY(only_volume(operation.resources));
  const int64_t left = volume->scalar_milli() - operation.subtract_milli;
  if (operation.subtract_milli <= 0 || left <= 0) {
    return fail(fmt::format("the volume has {} MB, {} MB cannot be taken off it",
                            milli_to_text(volume->scalar_milli()),
                            milli_to_text(operation.subtract_milli)));
  }
  ResourceKind plain = *volume->kind;
  strip_volume(plain);
  Resources to = TRY(of_amount(*volume, volume->kind, left));
  to += TRY(of_amount(*volume, make_kind(std::move(plain)), operation.subtract_milli));
  return Conversion{.from = operation.resources, .to = std::move(to)};
}

}  // namespace

bool is_volume(const Resource& item) {
  return item.kind->disk.has_value() && !item.kind->disk->persistence_id.empty();
}

Result<void> check_whole(const Resources& part, const Resources& all) {
  for (const Resource& item : part.items()) {
    const std::optional<Disk>& disk = item.kind->disk;
    const bool is_mounted = disk && disk->source == Disk::Source::kMount;
    if (!is_mounted && !is_volume(item)) continue;
    const Resource* piece_of = nullptr;
    for (const Resource& other : all.items()) {
      if (*other.kind != *item.kind) continue;
      piece_of = &other;
      if (other.amount == item.amount) break;
    }
    if (piece_of == nullptr || piece_of->amount == item.amount) continue;
    return fail(
        fmt::format("{} has {} MB and goes only as a whole, not {} MB of it",
                    is_volume(item) ? fmt::format("volume '{}'", disk->persistence_id)
                                    : fmt::format("the disk mounted at '{}'", disk->source_root),
                    milli_to_text(piece_of->scalar_milli()), milli_to_text(item.scalar_milli())));
  }
  return {};
}

bool is_terminal(OperationState state) {
  switch (state) {
    case OperationState::kFinished:
    case OperationState::kFailed:
    case OperationState::kError:
    case OperationState::kDropped:
    case OperationState::kGoneByOperator:
      return true;
    case OperationState::kUnsupported:
    case OperationState::kPending:
    case OperationState::kUnreachable:
    case OperationState::kRecovering:
    case OperationState::kUnknown:
      return false;
  }
  return false;
}

std::string_view to_text(OperationState state) {
  switch (state) {
    case OperationState::kUnsupported:
      return "OPERATION_UNSUPPORTED";
    case OperationState::kPending:
      return "OPERATION_PENDING";
    case OperationState::kFinished:
      return "OPERATION_FINISHED";
    case OperationState::kFailed:
      return "OPERATION_FAILED";
    case OperationState::kError:
      return "OPERATION_ERROR";
    case OperationState::kDropped:
      return "OPERATION_DROPPED";
    case OperationState::kUnreachable:
      return "OPERATION_UNREACHABLE";
    case OperationState::kGoneByOperator:
      return "OPERATION_GONE_BY_OPERATOR";
    case OperationState::kRecovering:
      return "OPERATION_RECOVERING";
    case OperationState::kUnknown:
      return "OPERATION_UNKNOWN";
  }
  return "";
}

std::string_view to_text(Operation::Type type) {
  switch (type) {
    case Operation::Type::kReserve:
      return "RESERVE";
    case Operation::Type::kUnreserve:
      return "UNRESERVE";
    case Operation::Type::kCreate:
      return "CREATE";
    case Operation::Type::kDestroy:
      return "DESTROY";
    case Operation::Type::kGrowVolume:
      return "GROW_VOLUME";
    case Operation::Type::kShrinkVolume:
      return "SHRINK_VOLUME";
  }
  return "";
}

Result<Conversion> convert(const Operation& operation) {
  const Resources& resources = operation.resources;
  if (resources.empty()) return fail("the operation names no resources");
  switch (operation.type) {
    case Operation::Type::kReserve:
      if (!operation.source.empty()) {
        return Conversion{.from = operation.source, .to = resources};
      }
      return Conversion{.from = TRY(without_innermost_reservation(resources)), .to = resources};
    case Operation::Type::kUnreserve:
      return Conversion{.from = resources, .to = TRY(without_innermost_reservation(resources))};
    case Operation::Type::kCreate:
      return Conversion{.from = TRY(without_volumes(resources)), .to = resources};
    case Operation::Type::kDestroy:
      return Conversion{.from = resources, .to = TRY(without_volumes(resources))};
    case Operation::Type::kGrowVolume:
      return grow(operation);
    case Operation::Type::kShrinkVolume:
      return shrink(operation);
  }
  return fail("the type of the operation is not known");
}

}  // namespace tepui
