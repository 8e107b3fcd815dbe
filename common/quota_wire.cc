#include <map>
#include <string>
#include <utility>

#include "common/values_wire.h"

namespace tepui {

namespace {

using Scalars = flatbuffers::Vector<const wire::Scalar*>;

std::vector<Quantities::Item> read_items(WireReader& in, const Scalars* scalars,
                                         const WirePath& at) {
  auto items = in.structs(scalars, at, [&in](const wire::Scalar& scalar, const WirePath& path) {
    return Quantities::Item{.name = in.line(scalar.name(), path / "name"), .milli = scalar.milli()};
  });
  in.check_count(items.size(), limits::kResourceItemsMax, at, "scalars");
  for (size_t i = 0; i < items.size() && in.ok(); ++i) {
    if (const Result<void> valid = validate_resource_name(items[i].name, "name"); !valid) {
      in.fail(at[i], valid.error().message);
    }
    if (items[i].milli < 0) in.fail(at[i], "is negative");
  }
  return in.ok() ? std::move(items) : std::vector<Quantities::Item>{};
}

}  // namespace

StructVector<wire::Scalar> write(WireWriter& out, const Quantities& quantities) {
  return out.structs<wire::Scalar>(quantities.items(), [&out](const Quantities::Item& item) {
    return wire::Scalar(item.milli, out.text(item.name));
  });
}

Quantities read_quantities(WireReader& in, const Scalars* scalars, const WirePath& at) {
  Quantities quantities;
  for (const Quantities::Item& item : read_items(in, scalars, at)) {
    if (quantities.get(item.name) != 0) in.fail(at, "name a resource twice");
    if (item.milli > 0 && in.ok()) quantities.add(item.name, item.milli);
  }
  return quantities;
}

Offset<wire::Quota> write(WireWriter& out, const Quota& quota) {
  const auto guarantees = write(out, quota.guarantees);
  const auto limits = out.structs<wire::Scalar>(quota.limits_milli, [&out](const auto& limit) {
    return wire::Scalar(limit.second, out.text(limit.first));
  });
  return wire::CreateQuota(out.builder(), guarantees, limits);
}

Quota read(WireReader& in, const wire::Quota* quota, const WirePath& at) {
  if (quota == nullptr) return {};
  Quota result{.guarantees = read_quantities(in, quota->guarantees(), at / "guarantees"),
               .limits_milli = {}};
  for (Quantities::Item& item : read_items(in, quota->limits(), at / "limits")) {
    const auto [place, is_new] = result.limits_milli.emplace(std::move(item.name), item.milli);
    if (!is_new) in.fail(at / "limits", "name a resource twice");
  }
  return result;
}

Offset<wire::Unavailability> write(WireWriter& out, const Unavailability& unavailability) {
  wire::UnavailabilityBuilder table(out.builder());
  table.add_start_ns(to_ns(unavailability.start));
  if (unavailability.duration) table.add_duration_ns(unavailability.duration->count());
  return table.Finish();
}

Offset<wire::Unavailability> write(WireWriter& out,
                                   const std::optional<Unavailability>& unavailability) {
  return unavailability ? write(out, *unavailability) : 0;
}

std::optional<Unavailability> read(WireReader&, const wire::Unavailability* unavailability,
                                   const WirePath&) {
  if (unavailability == nullptr) return std::nullopt;
  Unavailability result{.start = WallTime(Duration(unavailability->start_ns()))};
  const auto duration = unavailability->duration_ns();
  if (duration.has_value()) result.duration = Duration(*duration);
  return result;
}

Unavailability read_unavailability(WireReader& in, const wire::Unavailability* unavailability,
                                   const WirePath& at) {
  const std::optional<Unavailability> result = read(in, unavailability, at);
  if (!result) in.fail(at, "is missing");
  return result.value_or(Unavailability{});
}

}  // namespace tepui
