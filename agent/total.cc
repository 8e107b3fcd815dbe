#include "agent/total.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/loans.h"
#include "common/operations.h"

namespace tepui {

namespace {

bool is_made(const Resource& item) {
  const std::vector<Reservation>& stack = item.kind->reservations;
  return is_volume(item) || (!stack.empty() && stack.back().type == Reservation::Type::kDynamic);
}

// What the operations made this of.
Resource origin(const Resource& item) {
  ResourceKind kind = *item.kind;
  std::erase_if(kind.reservations, [](const Reservation& reservation) {
    return reservation.type == Reservation::Type::kDynamic;
  });
  kind.shared = false;
  if (is_volume(item)) {
    const Disk& disk = *item.kind->disk;
    if (disk.source == Disk::Source::kRoot) {
      kind.disk.reset();
    } else {
      *kind.disk = Disk{.source = disk.source, .source_root = disk.source_root};
    }
  }
  return {.kind = make_kind(std::move(kind)), .amount = item.amount};
}

}  // namespace

bool can_hold(const Resources& total, const Resources& in_use) {
  if (!check_whole(in_use, total)) return false;
  const auto is_shared = [](const Resource& item) { return item.kind->shared; };
  const Resources shared = in_use.filter(is_shared);
  if (shared.empty()) return total.contains(in_use);
  const std::span<const Resource> items = total.items();
  const bool has_all = std::ranges::all_of(shared.items(), [items](const Resource& wanted) {
    return std::ranges::any_of(items, [&wanted](const Resource& item) {
      return *item.kind == *wanted.kind && item.amount == wanted.amount;
    });
  });
  const auto is_exclusive = [](const Resource& item) { return !item.kind->shared; };
  return has_all && total.contains(in_use.filter(is_exclusive));
}

bool can_take(const Resources& total, const Resources& in_use, const Resources& task) {
  const Resources regular = in_use.non_revocable() + task.non_revocable();
  if (!can_hold(total.non_revocable(), regular)) return false;
  if (task.revocable().empty()) return true;
  const Resources lacking = (in_use + task).revocable().minus(total.revocable());
  return as_revocable(lendable(total.minus(regular))).contains(lacking);
}

bool covers(const Resources& total, const Resources& in_use) {
  if (!can_hold(total.non_revocable(), in_use.non_revocable())) return false;
  const Resources lacking = in_use.revocable().minus(total.revocable());
  return lacking.empty() ||
         as_revocable(lendable(total.minus(in_use.non_revocable()))).contains(lacking);
}

Result<Resources> restore_total(const Resources& configured, const Resources& checkpointed) {
  const Resources made = checkpointed.filter(is_made);
  std::vector<Resource> origins;
  for (const Resource& item : made.items()) origins.push_back(origin(item));
  const Resources needed = TRY(Resources::create(std::move(origins)));
  if (!configured.contains(needed)) {
    return fail(fmt::format(
        "{} are reserved or hold volumes on this agent, made of {}, of which the configured "
        "resources {} lack {}; configure them again, or remove the checkpoint to give them up",
        to_text(made), to_text(needed), to_text(configured), to_text(needed.minus(configured))));
  }
  if (Result<void> whole = check_whole(needed, configured); !whole) {
    return std::unexpected(std::move(whole).error().in(
        fmt::format("{} are reserved or hold volumes on this agent; configure their disks with "
                    "the size they had",
                    to_text(made))));
  }
  return configured - needed + made;
}

}  // namespace tepui
