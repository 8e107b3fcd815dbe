#include <algorithm>
#include <functional>
#include <iterator>
#include <ranges>
#include <utility>

#include "common/values_wire.h"

namespace tepui {

static_assert(sizeof(wire::Label) == 16);
static_assert(sizeof(wire::Range) == 16);
static_assert(sizeof(wire::Scalar) == 16);

namespace {

constexpr int kReservationTypeCount = 2;
constexpr int kDiskSourceCount = 3;
constexpr int kAmountTypeCount = 4;

using WireRanges = flatbuffers::Vector<const wire::Range*>;

bool is_plain(const Resource& item) {
  const ResourceKind& kind = *item.kind;
  return item.is_scalar() && kind.reservations.empty() && !kind.disk && !kind.revocable &&
         !kind.shared;
}

StructVector<wire::Range> write(WireWriter& out, const Ranges& ranges) {
  return out.structs<wire::Range>(
      ranges, [](const Range& range) { return wire::Range(range.first, range.last); });
}

Ranges read(WireReader& in, const WireRanges* ranges, const WirePath& at) {
  return in.structs(ranges, at, [](const wire::Range& range, const WirePath&) {
    return Range{.first = range.first(), .last = range.last()};
  });
}

Offset<wire::Disk> write(WireWriter& out, const Disk& disk) {
  wire::DiskBuilder table(out.builder());
  table.add_source(static_cast<wire::DiskSource>(disk.source));
  table.add_source_root(out.field(disk.source_root));
  table.add_persistence_id(out.field(disk.persistence_id));
  table.add_principal(out.field(disk.principal));
  table.add_container_path(out.field(disk.container_path));
  table.add_read_only(disk.read_only);
  return table.Finish();
}

Disk read(WireReader& in, const wire::Disk& disk, const WirePath& at) {
  return Disk{
      .source = in.enumeration<Disk::Source>(disk.source(), kDiskSourceCount, at / "source"),
      .source_root = in.line(disk.source_root(), at / "source_root"),
      .persistence_id = in.line(disk.persistence_id(), at / "persistence_id"),
      .principal = in.line(disk.principal(), at / "principal"),
      .container_path = in.line(disk.container_path(), at / "container_path"),
      .read_only = disk.read_only(),
  };
}

Offset<wire::Reservation> write(WireWriter& out, const Reservation& reservation) {
  const auto labels = tepui::write(out, reservation.labels);
  wire::ReservationBuilder table(out.builder());
  table.add_type(static_cast<wire::ReservationType>(reservation.type));
  table.add_role(out.field(reservation.role));
  table.add_principal(out.field(reservation.principal));
  table.add_labels(labels);
  return table.Finish();
}

Reservation read(WireReader& in, const wire::Reservation& reservation, const WirePath& at) {
  return Reservation{
      .type =
          in.enumeration<Reservation::Type>(reservation.type(), kReservationTypeCount, at / "type"),
      .role = in.line(reservation.role(), at / "role"),
      .principal = in.line(reservation.principal(), at / "principal"),
      .labels = tepui::read(in, reservation.labels(), at / "labels"),
  };
}

Offset<wire::Resource> write(WireWriter& out, const Resource& item) {
  const ResourceKind& kind = *item.kind;
  const auto type = static_cast<wire::AmountType>(item.amount.index());
  StructVector<wire::Range> ranges = 0;
  StructVector<wire::Text> set = 0;
  if (const auto* amount = std::get_if<Ranges>(&item.amount)) ranges = write(out, *amount);
  if (const auto* amount = std::get_if<Set>(&item.amount)) set = out.texts(*amount);
  const auto reservations = out.tables<wire::Reservation>(
      kind.reservations,
      [&out](const Reservation& reservation) { return write(out, reservation); });
  const Offset<wire::Disk> disk = kind.disk ? write(out, *kind.disk) : 0;
  wire::ResourceBuilder table(out.builder());
  table.add_name(out.field(kind.name));
  table.add_type(type);
  table.add_scalar_milli(item.scalar_milli());
  table.add_ranges(ranges);
  table.add_set(set);
  table.add_reservations(reservations);
  table.add_disk(disk);
  table.add_revocable(kind.revocable);
  table.add_shared(kind.shared);
  table.add_shares(item.shares);
  return table.Finish();
}

Amount read_amount(WireReader& in, const wire::Resource& item, const WirePath& at) {
  switch (item.type()) {
    case wire::AmountType::Scalar:
      return item.scalar_milli();
    case wire::AmountType::Ranges:
      return read(in, item.ranges(), at / "ranges");
    case wire::AmountType::Set:
      return in.lines(item.set(), at / "set");
    case wire::AmountType::Text:
      break;
  }
  in.fail(at / "type", "is not scalar, ranges or set");
  return Amount{};
}

Resource read(WireReader& in, const wire::Resource& item, const WirePath& at) {
  ResourceKind kind{
      .name = in.line(item.name(), at / "name"),
      .reservations = in.tables(item.reservations(), at / "reservations",
                                [&in](const wire::Reservation& reservation, const WirePath& path) {
                                  return read(in, reservation, path);
                                }),
      .revocable = item.revocable(),
      .shared = item.shared(),
  };
  if (item.disk() != nullptr) kind.disk = read(in, *item.disk(), at / "disk");
  Amount amount = read_amount(in, item, at);
  return Resource{
      .kind = make_kind(std::move(kind)), .amount = std::move(amount), .shares = item.shares()};
}

// Resources normalise what they are made of; attributes are taken as they are.
void check_normal(WireReader& in, const Attribute& attribute, const WirePath& at) {
  if (const auto* ranges = std::get_if<Ranges>(&attribute.value)) {
    for (size_t i = 0; i < ranges->size(); ++i) {
      const Range& range = (*ranges)[i];
      const bool inverted = range.first > range.last;
      if (inverted || (i > 0 && range.first - 1 <= (*ranges)[i - 1].last)) {
        return in.fail((at / "ranges")[i], "is not in order, or touches the one before");
      }
    }
  }
  if (const auto* set = std::get_if<Set>(&attribute.value)) {
    if (std::adjacent_find(set->begin(), set->end(), std::greater_equal<>()) != set->end()) {
      in.fail(at / "set", "is not sorted and unique");
    }
  }
}

Offset<wire::Attribute> write(WireWriter& out, const Attribute& attribute) {
  StructVector<wire::Range> ranges = 0;
  StructVector<wire::Text> set = 0;
  if (const auto* value = std::get_if<Ranges>(&attribute.value)) ranges = write(out, *value);
  if (const auto* value = std::get_if<Set>(&attribute.value)) set = out.texts(*value);
  wire::AttributeBuilder table(out.builder());
  table.add_name(out.field(attribute.name));
  table.add_type(static_cast<wire::AmountType>(attribute.value.index()));
  if (const auto* value = std::get_if<int64_t>(&attribute.value)) table.add_scalar_milli(*value);
  table.add_ranges(ranges);
  table.add_set(set);
  if (const auto* value = std::get_if<std::string>(&attribute.value)) {
    table.add_text(out.field(*value));
  }
  return table.Finish();
}

Attribute read(WireReader& in, const wire::Attribute& table, const WirePath& at) {
  Attribute attribute{.name = in.line(table.name(), at / "name"), .value = {}};
  in.enumeration<wire::AmountType>(table.type(), kAmountTypeCount, at / "type");
  switch (table.type()) {
    case wire::AmountType::Scalar:
      attribute.value = table.scalar_milli();
      break;
    case wire::AmountType::Ranges:
      attribute.value = read(in, table.ranges(), at / "ranges");
      break;
    case wire::AmountType::Set:
      attribute.value = in.lines(table.set(), at / "set");
      break;
    case wire::AmountType::Text:
      attribute.value = in.line(table.text(), at / "text");
      break;
  }
  check_normal(in, attribute, at);
  return attribute;
}

}  // namespace

StructVector<wire::Label> write(WireWriter& out, const Labels& labels) {
  return out.structs<wire::Label>(labels, [&out](const Label& label) {
    return wire::Label(out.text(label.key), out.text(label.value));
  });
}

Labels read(WireReader& in, const flatbuffers::Vector<const wire::Label*>* labels,
            const WirePath& at) {
  return in.structs(labels, at, [&in](const wire::Label& label, const WirePath& path) {
    return Label{.key = in.text(label.key(), path / "key", limits::kTextBytesMax),
                 .value = in.text(label.value(), path / "value", limits::kTextBytesMax)};
  });
}

Offset<wire::Resources> write(WireWriter& out, const Resources& resources) {
  const std::span<const Resource> items = resources.items();
  const auto plain = static_cast<size_t>(std::count_if(items.begin(), items.end(), is_plain));
  StructVector<wire::Scalar> scalars = 0;
  const auto others = out.tables_if<wire::Resource>(
      items, std::not_fn(is_plain), [&out](const Resource& item) { return write(out, item); });
  if (plain != 0) {
    auto next = items.begin();
    scalars = out.structs<wire::Scalar>(std::views::iota(size_t{0}, plain), [&](size_t) {
      next = std::find_if(next, items.end(), is_plain);
      const wire::Scalar scalar(next->scalar_milli(), out.text(next->name()));
      ++next;
      return scalar;
    });
  }
  wire::ResourcesBuilder table(out.builder());
  table.add_scalars(scalars);
  table.add_others(others);
  return table.Finish();
}

Resources read(WireReader& in, const wire::Resources* resources, const WirePath& at) {
  if (resources == nullptr || !in.ok()) return {};
  std::vector<Resource> items =
      in.structs(resources->scalars(), at / "scalars",
                 [&in](const wire::Scalar& scalar, const WirePath& path) {
                   const std::string name = in.line(scalar.name(), path / "name");
                   return Resource{.kind = plain_kind(name), .amount = scalar.milli(), .shares = 1};
                 });
  std::vector<Resource> others = in.tables(
      resources->others(), at / "others",
      [&in](const wire::Resource& item, const WirePath& path) { return read(in, item, path); });
  if (!in.check_count(items.size() + others.size(), limits::kResourceItemsMax, at, "items")) {
    return {};
  }
  std::ranges::move(others, std::back_inserter(items));
  Result<Resources> result = Resources::create(std::move(items));
  if (!result) {
    in.fail(at, "is not valid: " + result.error().message);
    return {};
  }
  return *std::move(result);
}

TableVector<wire::Attribute> write(WireWriter& out, const std::vector<Attribute>& attributes) {
  return out.tables<wire::Attribute>(
      attributes, [&out](const Attribute& attribute) { return write(out, attribute); });
}

std::vector<Attribute> read(WireReader& in,
                            const flatbuffers::Vector<Offset<wire::Attribute>>* attributes,
                            const WirePath& at) {
  return in.tables(attributes, at, [&in](const wire::Attribute& attribute, const WirePath& path) {
    return read(in, attribute, path);
  });
}

}  // namespace tepui
