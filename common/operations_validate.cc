// What a valid operation is.

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/operations.h"
#include "common/roles.h"

namespace tepui {

namespace {

std::string_view or_none(std::string_view principal) {
  return principal.empty() ? "nobody" : principal;
}

Result<void> check_principal(std::string_view what, std::string_view named,
                             const OperationContext& context) {
  if (named == context.principal) return {};
  return fail(fmt::format("{} names the principal '{}', but '{}' asks", what, or_none(named),
                          or_none(context.principal)));
}

Result<void> check_reserved(const Resource& item, const OperationContext& context) {
  const ResourceKind& kind = *item.kind;
  if (kind.revocable) {
    return fail(fmt::format("'{}' is revocable and cannot be reserved", item.name()));
  }
  if (is_volume(item)) {
    return fail(fmt::format("volume '{}' must be destroyed before its reservation can change",
                            kind.disk->persistence_id));
  }
  if (!kind.is_reserved()) return fail(fmt::format("'{}' names no reservation", item.name()));
  if (kind.reservations.back().type != Reservation::Type::kDynamic) {
    return fail(
        fmt::format("'{}' is reserved statically to '{}', only the agent's configuration "
                    "can change that",
                    item.name(), kind.reservation_role()));
  }
  if (!context.reservation_refinement && kind.reservations.size() > 1) {
    return fail("refined reservations need the capability RESERVATION_REFINEMENT");
  }
  return {};
}

Result<void> check_reserve(const Operation& operation, const OperationContext& context) {
  for (const Resource& item : operation.resources.items()) {
    TRY(check_reserved(item, context));
    const Reservation& pushed = item.kind->reservations.back();
    if (!context.role.empty() && pushed.role != context.role) {
      return fail(fmt::format("the offer is to role '{}', it cannot be reserved to '{}'",
                              context.role, pushed.role));
    }
    TRY(check_principal("the reservation", pushed.principal, context));
  }
  if (operation.source.empty()) return {};
  if (!context.role.empty()) return fail("only an operator may give the source of a reservation");
  for (const Resource& item : operation.source.items()) {
    if (item.kind->is_reserved()) TRY(check_reserved(item, context));
    if (item.kind->revocable) return fail("the source is revocable and cannot be reserved");
  }
  // Without any reservation, both must be the same.
  const auto bare = [](const Resources& resources) {
    std::vector<Resource> items(resources.items().begin(), resources.items().end());
    for (Resource& item : items) {
      ResourceKind kind = *item.kind;
      kind.reservations.clear();
      item.kind = make_kind(std::move(kind));
    }
    return Resources::create(std::move(items));
  };
  if (TRY(bare(operation.source)) != TRY(bare(operation.resources))) {
    return fail(fmt::format("the source {} and the result {} are not the same resources",
                            to_text(operation.source), to_text(operation.resources)));
  }
  return {};
}

Result<void> check_unreserve(const Operation& operation, const OperationContext& context) {
  for (const Resource& item : operation.resources.items()) TRY(check_reserved(item, context));
  return {};
}

// Volumes are told apart by role and persistence id.
bool is_same_volume(const Resource& a, const Resource& b) {
  return is_volume(a) && is_volume(b) &&
         a.kind->disk->persistence_id == b.kind->disk->persistence_id &&
         a.kind->reservation_role() == b.kind->reservation_role();
}

Result<void> check_unique(const Operation& operation, size_t index, const Resources& total) {
  const std::span<const Resource> items = operation.resources.items();
  const auto is_taken = [&](const Resource& other) { return is_same_volume(items[index], other); };
  if (std::ranges::any_of(total.items(), is_taken) ||
      std::ranges::any_of(items.first(index), is_taken)) {
    return fail(fmt::format("role '{}' has a volume '{}' on this agent already",
                            items[index].kind->reservation_role(),
                            items[index].kind->disk->persistence_id));
  }
  return {};
}

// A mounted disk becomes a volume as a whole.
Result<void> check_whole(const Resource& item, const Resources& total) {
  const Disk& disk = *item.kind->disk;
  if (disk.source != Disk::Source::kMount) return {};
  int64_t size = 0;
  for (const Resource& other : total.items()) {
    if (other.kind->disk && other.kind->disk->source == Disk::Source::kMount &&
        other.kind->disk->source_root == disk.source_root) {
      size += other.scalar_milli();
    }
  }
  if (size == item.scalar_milli()) return {};
  return fail(fmt::format("the disk mounted at '{}' has {} MB, a volume on it takes all of them",
                          disk.source_root, milli_to_text(size)));
}

Result<void> check_create(const Operation& operation, const OperationContext& context) {
  const std::span<const Resource> items = operation.resources.items();
  for (size_t i = 0; i < items.size(); ++i) {
    const Resource& item = items[i];
    if (!is_volume(item)) return fail("a volume needs disk with a persistence id");
    const Disk& disk = *item.kind->disk;
    if (!item.kind->is_reserved()) {
      return fail(
          fmt::format("volume '{}' needs reserved disk; reserve it first", disk.persistence_id));
    }
    if (item.kind->shared && !context.shared_resources) {
      return fail("shared volumes need the capability SHARED_RESOURCES");
    }
    if (item.shares != 1) return fail("a new volume has one holder");
    if (disk.read_only) return fail("a persistent volume is created writable");
    TRY(validate_container_path(disk.container_path));
    TRY(check_principal("the volume", disk.principal, context));
    TRY(check_unique(operation, i, context.total));
    TRY(check_whole(item, context.total));
  }
  return {};
}

Result<void> check_destroy(const Operation& operation, const OperationContext& context) {
  for (const Resource& item : operation.resources.items()) {
    if (!is_volume(item)) return fail("only persistent volumes can be destroyed");
    if (item.shares != 1) return fail("a volume is destroyed once, whoever shares it");
    const std::string& id = item.kind->disk->persistence_id;
    const auto is_it = [&item](const Resource& other) { return *other.kind == *item.kind; };
    if (std::ranges::none_of(context.total.items(), is_it)) {
      return fail(fmt::format("the agent has no such volume '{}'", id));
    }
    if (std::ranges::any_of(context.used.items(), is_it)) {
      return fail(fmt::format("volume '{}' is in use by a task", id));
    }
  }
  return {};
}

// Whoever reserved or made it.
ResourceKind without_owners(ResourceKind kind) {
  for (Reservation& reservation : kind.reservations) {
    reservation.principal.clear();
    reservation.labels.clear();
  }
  if (kind.disk) kind.disk->principal.clear();
  return kind;
}

// Who has of the total what differs from these only in principals and labels; empty: nobody.
std::string other_owners(const Resources& resources, const Resources& total) {
  std::vector<std::string> owners;
  for (const Resource& item : resources.items()) {
    for (const Resource& other : total.items()) {
      if (!other.kind->is_reserved() || *other.kind == *item.kind ||
          without_owners(*other.kind) != without_owners(*item.kind)) {
        continue;
      }
      const Reservation& reservation = other.kind->reservations.back();
      std::string owner = fmt::format("'{}'", or_none(reservation.principal));
      for (const Label& label : reservation.labels) {
        owner += fmt::format(" with the label {}={}", label.key, label.value);
      }
      if (std::ranges::find(owners, owner) == owners.end()) owners.push_back(std::move(owner));
    }
  }
  std::string text;
  for (const std::string& owner : owners) text += (text.empty() ? "" : ", ") + owner;
  return text;
}

}  // namespace

Result<void> validate_container_path(std::string_view path) {
  if (path.empty()) return fail("a volume needs a container path");
  if (path.front() == '/') {
    return fail(
        fmt::format("container path '{}' is absolute; without a root filesystem of its own "
                    "a task sees volumes only below its sandbox",
                    path));
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return fail(fmt::format("container path '{}' has the component '{}'", path, part));
    }
    begin = end + 1;
  }
  if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    return fail("the container path contains a control character");
  }
  return {};
}

Result<void> validate(const Operation& operation, const OperationContext& context) {
  if (!operation.id.empty()) TRY(validate_id(operation.id.value, "operation id"));
  if (operation.resources.empty()) return fail("the operation names no resources");
  switch (operation.type) {
    case Operation::Type::kReserve:
      TRY(check_reserve(operation, context));
      break;
    case Operation::Type::kUnreserve:
      TRY(check_unreserve(operation, context));
      break;
    case Operation::Type::kCreate:
      TRY(check_create(operation, context));
      break;
    case Operation::Type::kDestroy:
      TRY(check_destroy(operation, context));
      break;
    case Operation::Type::kGrowVolume:
    case Operation::Type::kShrinkVolume:
      break;
  }
  const Conversion conversion = TRY(convert(operation));
  if (context.total.contains(conversion.from)) {
    return check_whole(conversion.from, context.total);
  }
  const std::string owners = other_owners(conversion.from, context.total);
  if (owners.empty()) {
    return fail(fmt::format("the agent does not have {}", to_text(conversion.from)));
  }
  return fail(
      fmt::format("the agent has {} only as reserved by {}", to_text(conversion.from), owners));
}

}  // namespace tepui
