#include <utility>

#include "common/values_wire.h"

namespace tepui {

namespace {

StructVector<wire::Scalar> write_scalars(WireWriter& out, std::span<const Quantities::Item> items) {
  return out.structs<wire::Scalar>(items, [&out](const Quantities::Item& item) {
    return wire::Scalar(item.milli, out.text(item.name));
  });
}

QuotaLimits read_scalars(WireReader& in, const flatbuffers::Vector<const wire::Scalar*>* scalars,
                         const WirePath& at) {
  auto items = in.structs(scalars, at, [&in](const wire::Scalar& scalar, const WirePath& path) {
    return Quantities::Item{.name = in.line(scalar.name(), path / "name"), .milli = scalar.milli()};
  });
  if (!in.ok()) return {};
  Result<QuotaLimits> made = make_limits(std::move(items));
  if (made.has_value()) return *std::move(made);
  in.fail(at, made.error().message);
  return {};
}

}  // namespace

StructVector<wire::Scalar> write(WireWriter& out, const Quantities& quantities) {
  return write_scalars(out, quantities.items());
}

Quantities read_quantities(WireReader& in, const flatbuffers::Vector<const wire::Scalar*>* scalars,
                           const WirePath& at) {
  Quantities quantities;
  const QuotaLimits items = read_scalars(in, scalars, at);
  for (const Quantities::Item& item : items) quantities.add(item.name, item.milli);
  return quantities;
}

Offset<wire::Quota> write(WireWriter& out, const Quota& quota) {
  const auto guarantees = write(out, quota.guarantees);
  const auto limits = write_scalars(out, quota.limits);
  return wire::CreateQuota(out.builder(), guarantees, limits);
}

Quota read(WireReader& in, const wire::Quota* quota, const WirePath& at) {
  if (quota == nullptr) return {};
  return Quota{.guarantees = read_quantities(in, quota->guarantees(), at / "guarantees"),
               .limits = read_scalars(in, quota->limits(), at / "limits")};
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
