#include "common/operations.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

Resource scalar(ResourceKind kind, int64_t milli) {
  return {.kind = make_kind(std::move(kind)), .amount = milli};
}
Resources resources(std::vector<Resource> items) {
  const Result<Resources> made = Resources::create(std::move(items));
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
  return made.value_or(Resources{});
}
Reservation dynamic(std::string role, std::string principal = "p") {
  return {.type = Reservation::Type::kDynamic,
          .role = std::move(role),
          .principal = std::move(principal)};
}
ResourceKind reserved(std::string name, std::vector<Reservation> stack) {
  return {.name = std::move(name), .reservations = std::move(stack)};
}
ResourceKind volume(std::string id, std::string path = "data", std::string role = "eng") {
  ResourceKind kind = reserved("disk", {dynamic(std::move(role))});
  kind.disk = Disk{.persistence_id = std::move(id), .principal = "p", .container_path = path};
  return kind;
}

struct Asked {
  std::string principal = "p";
  std::string role = "eng";
  bool refinement = true;
  bool shared = true;
  Resources total;
  Resources used;
};
std::string verdict(const Operation& operation, const Asked& asked) {
  const Result<void> valid = validate(operation, {.principal = asked.principal,
                                                  .role = asked.role,
                                                  .reservation_refinement = asked.refinement,
                                                  .shared_resources = asked.shared,
                                                  .total = asked.total,
                                                  .used = asked.used});
  return valid ? "" : valid.error().message;
}

const Resources kPlain = Resources::scalars({{"cpus", 4000}, {"disk", 100'000}});

Operation reserve(std::vector<Resource> items) {
  return {.type = Operation::Type::kReserve, .resources = resources(std::move(items))};
}
Operation create(std::vector<Resource> items) {
  return {.type = Operation::Type::kCreate, .resources = resources(std::move(items))};
}
Resources reserved_disk(int64_t milli, std::string role = "eng") {
  return resources({scalar(reserved("disk", {dynamic(std::move(role))}), milli)});
}

// ------------------------------------------------------------------------------- conversion

TEST(Operations, ReservePushesAndUnreservePops) {
  const Operation push = reserve({scalar(reserved("cpus", {dynamic("eng")}), 1000)});
  const Conversion there = *convert(push);
  EXPECT_EQ(there.from, Resources::scalars({{"cpus", 1000}}));
  EXPECT_EQ(there.to, push.resources);
  const Conversion back =
      *convert({.type = Operation::Type::kUnreserve, .resources = push.resources});
  EXPECT_EQ(back.from, there.to);
  EXPECT_EQ(back.to, there.from);
}

TEST(Operations, RefinementKeepsTheReservationsBelow) {
  const Conversion there =
      *convert(reserve({scalar(reserved("cpus", {dynamic("eng"), dynamic("eng/search")}), 1000)}));
  EXPECT_EQ(there.from, resources({scalar(reserved("cpus", {dynamic("eng")}), 1000)}));
}

TEST(Operations, CreateMakesAVolumeOfReservedDisk) {
  EXPECT_EQ(convert(create({scalar(volume("v"), 5000)}))->from, reserved_disk(5000));
}

TEST(Operations, AVolumeOnADiskOfItsOwnKeepsTheSource) {
  ResourceKind kind = volume("v");
  kind.disk->source = Disk::Source::kPath;
  kind.disk->source_root = "/mnt/a";
  ResourceKind plain = reserved("disk", {dynamic("eng")});
  plain.disk = Disk{.source = Disk::Source::kPath, .source_root = "/mnt/a"};
  EXPECT_EQ(convert(create({scalar(kind, 5000)}))->from, resources({scalar(plain, 5000)}));
}

TEST(Operations, GrowAndShrinkMoveDiskIntoAndOutOfTheVolume) {
  const Resources small = resources({scalar(volume("v"), 5000)});
  const Resources large = resources({scalar(volume("v"), 8000)});
  const Conversion grown = *convert(
      {.type = Operation::Type::kGrowVolume, .resources = small, .addition = reserved_disk(3000)});
  EXPECT_EQ(grown.from, small + reserved_disk(3000));
  EXPECT_EQ(grown.to, large);
  const Conversion shrunk = *convert(
      {.type = Operation::Type::kShrinkVolume, .resources = large, .subtract_milli = 3000});
  EXPECT_EQ(shrunk.from, large);
  EXPECT_EQ(shrunk.to, small + reserved_disk(3000));
}

TEST(Operations, WhatDoesNotFitCannotBeConverted) {
  const Resources whole = resources({scalar(volume("v"), 5000)});
  const auto error = [](const Operation& operation) {
    const Result<Conversion> result = convert(operation);
    return result ? "" : result.error().message;
  };
  using Type = Operation::Type;
  EXPECT_EQ(error({.type = Type::kReserve}), "the operation names no resources");
  EXPECT_EQ(error({.type = Type::kUnreserve, .resources = kPlain}), "'cpus' has no reservation");
  EXPECT_EQ(error({.type = Type::kDestroy, .resources = reserved_disk(1)}),
            "'disk' is not a persistent volume: it has no persistence id");
  EXPECT_EQ(error({.type = Type::kShrinkVolume, .resources = whole, .subtract_milli = 5000}),
            "the volume has 5 MB, 5 MB cannot be taken off it");
  EXPECT_EQ(
      error({.type = Type::kGrowVolume, .resources = whole, .addition = reserved_disk(5, "other")}),
      "the addition must be disk of the reservation and source of the volume");
  ResourceKind shared = volume("v");
  shared.shared = true;
  EXPECT_EQ(error({.type = Type::kShrinkVolume,
                   .resources = resources({scalar(shared, 5000)}),
                   .subtract_milli = 1}),
            "a shared volume cannot be resized");
  ResourceKind mounted = volume("v");
  mounted.disk->source = Disk::Source::kMount;
  mounted.disk->source_root = "/mnt/m";
  EXPECT_EQ(error({.type = Type::kShrinkVolume,
                   .resources = resources({scalar(mounted, 5000)}),
                   .subtract_milli = 1}),
            "a volume on a mounted disk is always all of it and cannot be resized");
}

// ------------------------------------------------------------------------------- validation

TEST(Operations, AReservationIsForTheRoleOfTheOfferAndNamesWhoAsks) {
  const auto of = [](std::string role, std::string principal) {
    return reserve({scalar(reserved("cpus", {dynamic(role, principal)}), 1000)});
  };
  EXPECT_EQ(verdict(of("eng", "p"), {.total = kPlain}), "");
  EXPECT_EQ(verdict(of("ops", "p"), {.total = kPlain}),
            "the offer is to role 'eng', it cannot be reserved to 'ops'");
  EXPECT_EQ(verdict(of("ops", "p"), {.role = "", .total = kPlain}), "") << "an operator may";
  EXPECT_EQ(verdict(of("eng", "q"), {.total = kPlain}),
            "the reservation names the principal 'q', but 'p' asks");
  EXPECT_EQ(verdict(of("eng", ""), {.total = kPlain}),
            "the reservation names the principal 'nobody', but 'p' asks");
}

TEST(Operations, StaticReservationsAreOfTheConfiguration) {
  const Resources total = *Resources::parse("cpus(eng):4");
  const std::string why =
      "'cpus' is reserved statically to 'eng', only the agent's configuration can change that";
  EXPECT_EQ(verdict({.type = Operation::Type::kUnreserve, .resources = total}, {.total = total}),
            why);
  EXPECT_EQ(verdict({.type = Operation::Type::kReserve, .resources = total}, {.total = total}),
            why);
}

TEST(Operations, RefinementNeedsTheCapability) {
  const Operation refine =
      reserve({scalar(reserved("cpus", {dynamic("eng"), dynamic("eng/search")}), 1000)});
  const Resources total = resources({scalar(reserved("cpus", {dynamic("eng")}), 1000)});
  EXPECT_EQ(verdict(refine, {.role = "eng/search", .total = total}), "");
  EXPECT_EQ(verdict(refine, {.role = "eng/search", .refinement = false, .total = total}),
            "refined reservations need the capability RESERVATION_REFINEMENT");
}

TEST(Operations, RevocableResourcesAndVolumesAreNotReserved) {
  const Resources revocable = resources({scalar({.name = "cpus", .revocable = true}, 1000)});
  EXPECT_EQ(
      verdict({.type = Operation::Type::kReserve, .resources = revocable}, {.total = revocable}),
      "'cpus' is revocable and cannot be reserved");
  const Resources whole = resources({scalar(volume("v"), 5000)});
  EXPECT_EQ(verdict({.type = Operation::Type::kUnreserve, .resources = whole}, {.total = whole}),
            "volume 'v' must be destroyed before its reservation can change");
}

TEST(Operations, OnlyAnOperatorReservesAnewFromASource) {
  Operation move = reserve({scalar(reserved("cpus", {dynamic("ops")}), 1000)});
  move.source = resources({scalar(reserved("cpus", {dynamic("eng")}), 1000)});
  EXPECT_EQ(verdict(move, {.role = "", .total = move.source}), "");
  EXPECT_EQ(verdict(move, {.role = "ops", .total = move.source}),
            "only an operator may give the source of a reservation");
  move.source = resources({scalar(reserved("cpus", {dynamic("eng")}), 2000)});
  EXPECT_NE(verdict(move, {.role = "", .total = move.source}).find("not the same resources"),
            std::string::npos);
}

TEST(Operations, WhatTheAgentDoesNotHaveIsRefused) {
  EXPECT_EQ(verdict(reserve({scalar(reserved("cpus", {dynamic("eng")}), 5000)}), {.total = kPlain}),
            "the agent does not have cpus:5");
}

TEST(Operations, WhatOthersReservedIsNamedByItsOwners) {
  Reservation labelled = dynamic("eng", "q");
  labelled.labels = {{"rack", "r1"}};
  const Resources total = resources({scalar(reserved("cpus", {dynamic("eng", "")}), 1000),
                                     scalar(reserved("cpus", {labelled}), 1000)});
  const Operation unreserve{
      .type = Operation::Type::kUnreserve,
      .resources = resources({scalar(reserved("cpus", {dynamic("eng")}), 1000)})};
  EXPECT_EQ(verdict(unreserve, {.total = total}),
            "the agent has cpus(eng):1 only as reserved by 'nobody', 'q' with the label rack=r1");
}

TEST(Operations, AVolumeIsMadeOfReservedDiskAndOncePerRole) {
  const Resources total = reserved_disk(20'000);
  EXPECT_EQ(verdict(create({scalar(volume("v"), 5000)}), {.total = total}), "");
  ResourceKind loose = volume("v");
  loose.reservations.clear();
  EXPECT_EQ(verdict(create({scalar(loose, 5000)}), {.total = kPlain}),
            "volume 'v' needs reserved disk; reserve it first");
  const Resources taken = total + resources({scalar(volume("v", "elsewhere"), 1000)});
  const std::string twice = "role 'eng' has a volume 'v' on this agent already";
  EXPECT_EQ(verdict(create({scalar(volume("v"), 5000)}), {.total = taken}), twice);
  EXPECT_EQ(verdict(create({scalar(volume("v"), 5000), scalar(volume("v", "b"), 5000)}),
                    {.total = total}),
            twice);
  const Resources other = total + resources({scalar(volume("v", "data", "ops"), 1000)});
  EXPECT_EQ(verdict(create({scalar(volume("v"), 5000)}), {.total = other}), "") << "another role";
}

TEST(Operations, AVolumeSaysWhoMadeItAndWhereItIsSeen) {
  const Resources total = reserved_disk(20'000);
  const auto at = [](std::string path) { return create({scalar(volume("v", path), 5000)}); };
  EXPECT_EQ(verdict(at("a/b"), {.total = total}), "");
  EXPECT_EQ(verdict(at(""), {.total = total}), "a volume needs a container path");
  EXPECT_NE(verdict(at("/data"), {.total = total}).find("'/data' is absolute"), std::string::npos);
  EXPECT_EQ(verdict(at("a/../b"), {.total = total}),
            "container path 'a/../b' has the component '..'");
  EXPECT_EQ(verdict(at("a//b"), {.total = total}), "container path 'a//b' has the component ''");
  EXPECT_EQ(verdict(at("a"), {.principal = "q", .total = total}),
            "the volume names the principal 'p', but 'q' asks");
  ResourceKind locked = volume("v");
  locked.disk->read_only = true;
  EXPECT_EQ(verdict(create({scalar(locked, 5000)}), {.total = total}),
            "a persistent volume is created writable");
}

TEST(Operations, SharedVolumesNeedTheCapability) {
  ResourceKind shared = volume("v");
  shared.shared = true;
  const Operation operation = create({scalar(shared, 5000)});
  EXPECT_EQ(verdict(operation, {.total = reserved_disk(5000)}), "");
  EXPECT_EQ(verdict(operation, {.shared = false, .total = reserved_disk(5000)}),
            "shared volumes need the capability SHARED_RESOURCES");
}

TEST(Operations, AMountedDiskBecomesAVolumeAsAWhole) {
  ResourceKind kind = volume("v");
  kind.disk->source = Disk::Source::kMount;
  kind.disk->source_root = "/mnt/m";
  ResourceKind plain = reserved("disk", {dynamic("eng")});
  plain.disk = Disk{.source = Disk::Source::kMount, .source_root = "/mnt/m"};
  const Resources total = resources({scalar(plain, 5000)});
  EXPECT_EQ(verdict(create({scalar(kind, 5000)}), {.total = total}), "");
  EXPECT_EQ(verdict(create({scalar(kind, 4000)}), {.total = total}),
            "the disk mounted at '/mnt/m' has 5 MB, a volume on it takes all of them");
}

Resources mounted(std::vector<Reservation> stack, int64_t milli) {
  ResourceKind kind = reserved("disk", std::move(stack));
  kind.disk = Disk{.source = Disk::Source::kMount, .source_root = "/mnt/m"};
  return resources({scalar(std::move(kind), milli)});
}

TEST(Operations, AMountedDiskIsReservedAsAWhole) {
  const Resources total = mounted({}, 5000);
  const auto push = [](int64_t milli) {
    return Operation{.type = Operation::Type::kReserve,
                     .resources = mounted({dynamic("eng")}, milli)};
  };
  EXPECT_EQ(verdict(push(5000), {.total = total}), "");
  EXPECT_EQ(verdict(push(4000), {.total = total}),
            "the disk mounted at '/mnt/m' has 5 MB and goes only as a whole, not 4 MB of it");
  const Operation pop{.type = Operation::Type::kUnreserve,
                      .resources = mounted({dynamic("eng")}, 1000)};
  EXPECT_NE(verdict(pop, {.total = mounted({dynamic("eng")}, 5000)}), "");
}

TEST(Operations, AVolumeIsDestroyedAndResizedAsAWhole) {
  const Resources whole = resources({scalar(volume("v"), 5000)});
  const Resources piece = resources({scalar(volume("v"), 4000)});
  const std::string why = "volume 'v' has 5 MB and goes only as a whole, not 4 MB of it";
  using Type = Operation::Type;
  EXPECT_EQ(verdict({.type = Type::kDestroy, .resources = piece}, {.total = whole}), why);
  EXPECT_EQ(verdict({.type = Type::kShrinkVolume, .resources = piece, .subtract_milli = 1},
                    {.total = whole}),
            why);
  EXPECT_EQ(
      verdict({.type = Type::kGrowVolume, .resources = piece, .addition = reserved_disk(1000)},
              {.total = whole + reserved_disk(1000)}),
      why);
}

TEST(Operations, WholeIsWhatHasTheSameSizeAndWhatIsNotThereIsNoPiece) {
  const Resources whole = resources({scalar(volume("v"), 5000)});
  EXPECT_TRUE(check_whole(whole, whole + kPlain));
  EXPECT_TRUE(check_whole(resources({scalar(volume("w"), 1)}), whole)) << "another volume";
  EXPECT_TRUE(check_whole(Resources::scalars({{"disk", 1}}), kPlain)) << "plain disk";
  EXPECT_FALSE(check_whole(resources({scalar(volume("v"), 5001)}), whole));
  // Two sizes of a shared volume are two items.
  ResourceKind shared = volume("v");
  shared.shared = true;
  const Resources both = resources({scalar(shared, 5000), scalar(shared, 6000)});
  EXPECT_TRUE(check_whole(resources({scalar(shared, 6000)}), both));
  EXPECT_FALSE(check_whole(resources({scalar(shared, 7000)}), both));
}

TEST(Operations, AVolumeInUseIsNotDestroyed) {
  const Resources whole = resources({scalar(volume("v"), 5000)});
  const Operation destroy{.type = Operation::Type::kDestroy, .resources = whole};
  EXPECT_EQ(verdict(destroy, {.total = whole}), "");
  EXPECT_EQ(verdict(destroy, {.total = whole, .used = whole}), "volume 'v' is in use by a task");
  EXPECT_EQ(verdict(destroy, {.total = kPlain}), "the agent has no such volume 'v'");
}

TEST(Operations, AnOperationIdHasTheSyntaxOfAllIds) {
  Operation operation = reserve({scalar(reserved("cpus", {dynamic("eng")}), 1000)});
  operation.id = {"a/b"};
  EXPECT_NE(verdict(operation, {.total = kPlain}).find("operation id"), std::string::npos);
}

TEST(Operations, StatesSayWhetherTheyAreTheLast) {
  EXPECT_TRUE(is_terminal(OperationState::kFinished));
  EXPECT_TRUE(is_terminal(OperationState::kGoneByOperator));
  EXPECT_FALSE(is_terminal(OperationState::kPending));
  EXPECT_FALSE(is_terminal(OperationState::kUnreachable));
  EXPECT_EQ(to_text(OperationState::kDropped), "OPERATION_DROPPED");
  EXPECT_EQ(to_text(Operation::Type::kShrinkVolume), "SHRINK_VOLUME");
}

}  // namespace
}  // namespace tepui
