#include "sdk/operations.h"

#include <utility>

namespace tepui {

namespace {

// The same resources, each of the kind that `change` makes of its own.
template <class Change>
Resources changed(const Resources& resources, Change change) {
  Resources sum;
  for (const Resource& item : resources.items()) {
    ResourceKind kind = *item.kind;
    change(kind);
    Result<Resources> one =
        Resources::create({{.kind = make_kind(std::move(kind)), .amount = item.amount}});
    // What cannot be made is left out, and the master says what it misses.
    if (one) sum += *one;
  }
  return sum;
}

OfferOperation conversion(Operation::Type type, Resources resources, std::string id) {
  OfferOperation made{.type = OfferOperation::Type::kConvert};
  made.operation = {
      .type = type, .id = {std::move(id)}, .resources = std::move(resources), .source = {}};
  return made;
}

}  // namespace

Resources reserved(const Resources& resources, const std::string& role,
                   const std::string& principal, const Labels& labels) {
  return changed(resources, [&](ResourceKind& kind) {
    kind.reservations.push_back({.type = Reservation::Type::kDynamic,
                                 .role = role,
                                 .principal = principal,
                                 .labels = labels});
  });
}

Resources volume_on(const Resources& resources, const VolumeOptions& options) {
  const Resources disk =
      resources.filter([](const Resource& item) { return item.name() == "disk"; });
  return changed(disk, [&options](ResourceKind& kind) {
    Disk volume = kind.disk.value_or(Disk{});
    volume.persistence_id = options.id;
    volume.principal = options.principal;
    volume.container_path = options.path;
    kind.disk = std::move(volume);
    kind.shared = options.shared;
  });
}

OfferOperation launch_tasks(std::vector<TaskInfo> tasks) {
  return {.type = OfferOperation::Type::kLaunch, .tasks = std::move(tasks), .operation = {}};
}

OfferOperation reserve(Resources reserved, std::string id) {
  return conversion(Operation::Type::kReserve, std::move(reserved), std::move(id));
}

OfferOperation unreserve(Resources reserved, std::string id) {
  return conversion(Operation::Type::kUnreserve, std::move(reserved), std::move(id));
}

OfferOperation create_volume(Resources volume, std::string id) {
  return conversion(Operation::Type::kCreate, std::move(volume), std::move(id));
}

OfferOperation destroy_volume(Resources volume, std::string id) {
  return conversion(Operation::Type::kDestroy, std::move(volume), std::move(id));
}

OfferOperation grow_volume(Resources volume, Resources addition, std::string id) {
  OfferOperation made = conversion(Operation::Type::kGrowVolume, std::move(volume), std::move(id));
  made.operation.addition = std::move(addition);
  return made;
}

OfferOperation shrink_volume(Resources volume, int64_t subtract_milli, std::string id) {
  OfferOperation made =
      conversion(Operation::Type::kShrinkVolume, std::move(volume), std::move(id));
  made.operation.subtract_milli = subtract_milli;
  return made;
}

}  // namespace tepui
