// Goal: operations only change what kind resources are, and undo each other.
// Method: random sequences of valid operations on the resources of one agent; after every step the
// quantities are those of the beginning, and undoing all of them in reverse leads back to it.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "common/operations.h"

namespace tepui {
namespace {

using Type = Operation::Type;

Resources one(const Resource& item, ResourceKind kind, int64_t milli) {
  return *Resources::create(
      {{.kind = make_kind(std::move(kind)), .amount = milli, .shares = item.shares}});
}

const Resource& pick(const Resources& total) {
  return total.items()[*rc::gen::inRange<size_t>(0, total.items().size())];
}

int64_t part_of(int64_t milli) { return *rc::gen::inRange<int64_t>(1, milli + 1); }

// Some operation on some of the resources; it may be invalid.
Operation any_operation(const Resources& total) {
  const Resource& item = pick(total);
  Operation operation;
  operation.type = *rc::gen::element(Type::kReserve, Type::kUnreserve, Type::kCreate,
                                     Type::kDestroy, Type::kGrowVolume, Type::kShrinkVolume);
  ResourceKind kind = *item.kind;
  int64_t milli = item.scalar_milli();
  switch (operation.type) {
    case Type::kReserve: {
      static const std::string kRoles[] = {"a", "a/b", "a/b/c"};
      if (kind.reservations.size() < 3) {
        kind.reservations.push_back({.type = Reservation::Type::kDynamic,
                                     .role = kRoles[kind.reservations.size()],
                                     .principal = "p"});
      }
      milli = part_of(milli);
      break;
    }
    case Type::kUnreserve:
      milli = part_of(milli);
      break;
    case Type::kCreate:
      if (kind.name == "disk" && !kind.disk) {
        kind.disk = Disk{.persistence_id = *rc::gen::element<std::string>("u", "v", "w"),
                         .principal = "p",
                         .container_path = "data"};
        kind.shared = *rc::gen::inRange(0, 3) == 0;
      }
      milli = part_of(milli);
      break;
    case Type::kDestroy:
      break;
    case Type::kGrowVolume: {
      ResourceKind plain = kind;
      plain.disk.reset();
      plain.shared = false;
      if (plain.name == "disk") operation.addition = one(item, plain, part_of(milli));
      break;
    }
    case Type::kShrinkVolume:
      operation.subtract_milli = part_of(milli);
      break;
  }
  const Result<Resources> named = Resources::create(
      {{.kind = make_kind(std::move(kind)), .amount = milli, .shares = item.shares}});
  if (named) operation.resources = *named;
  return operation;
}

Operation inverse(const Operation& operation) {
  const Conversion conversion = *convert(operation);
  switch (operation.type) {
    case Type::kReserve:
      return {.type = Type::kUnreserve, .resources = operation.resources};
    case Type::kUnreserve:
      return {.type = Type::kReserve, .resources = operation.resources};
    case Type::kCreate:
      return {.type = Type::kDestroy, .resources = operation.resources};
    case Type::kDestroy:
      return {.type = Type::kCreate, .resources = operation.resources};
    case Type::kGrowVolume:
      return {.type = Type::kShrinkVolume,
              .resources = conversion.to,
              .subtract_milli = operation.addition.items().front().scalar_milli()};
    case Type::kShrinkVolume: {
      const auto is_it = [](const Resource& item) { return is_volume(item); };
      const Resources volume = conversion.to.filter(is_it);
      return {
          .type = Type::kGrowVolume, .resources = volume, .addition = conversion.to.minus(volume)};
    }
  }
  return {};
}

void apply(Resources& total, const Operation& operation) {
  const Conversion conversion = *convert(operation);
  RC_ASSERT(total.contains(conversion.from));
  RC_ASSERT(conversion.from.quantities() == conversion.to.quantities());
  total -= conversion.from;
  total += conversion.to;
}

RC_GTEST_PROP(OperationsProperty, KeepQuantitiesAndUndoEachOther, ()) {
  const Resources start = Resources::scalars({{"cpus", 4000}, {"disk", 9000}, {"mem", 2000}});
  Resources total = start;
  std::vector<Operation> applied;
  int tried = 0;
  while (applied.size() < 12 && ++tried < 100) {
    const Operation operation = any_operation(total);
    if (!validate(operation, {.principal = "p", .role = "", .total = total, .used = {}})) continue;
    apply(total, operation);
    RC_ASSERT(total.quantities() == start.quantities());
    applied.push_back(operation);
  }
  RC_TAG(applied.size());
  for (; !applied.empty(); applied.pop_back()) apply(total, inverse(applied.back()));
  RC_ASSERT(total == start);
}

}  // namespace
}  // namespace tepui
