// Resources::create: what a valid resource is.

#include <fmt/format.h>

#include <algorithm>

#include "common/ids.h"
#include "common/limits.h"
#include "common/ranges.h"
#include "common/resources.h"
#include "common/roles.h"

namespace tepui {

Result<void> validate_resource_name(std::string_view name, std::string_view what) {
  if (name.empty()) return fail(fmt::format("{} is empty", what));
  if (name.size() > limits::kResourceNameBytesMax) {
    return fail(fmt::format("{} has {} bytes, at most {} are allowed", what, name.size(),
                            limits::kResourceNameBytesMax));
  }
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return fail(fmt::format("{} contains the control character 0x{:02x}", what, byte));
    }
    if (std::string_view(" :;()[]{},").find(c) != std::string_view::npos) {
      return fail(fmt::format("{} '{}' contains '{}'", what, name, c));
    }
  }
  return {};
}

namespace {

Result<void> check_reservations(const ResourceKind& kind) {
  std::string_view outer;
  for (size_t i = 0; i < kind.reservations.size(); ++i) {
    const Reservation& reservation = kind.reservations[i];
    TRY(validate_role(reservation.role));
    if (reservation.role == kDefaultRole) return fail("a reservation needs a role other than '*'");
    if (i > 0 && !is_descendant(outer, reservation.role)) {
      return fail(fmt::format("reservation to '{}' does not refine the one to '{}' before it",
                              reservation.role, outer));
    }
    if (i > 0 && reservation.type != Reservation::Type::kDynamic) {
      return fail(fmt::format("reservation to '{}' is static, only the outermost may be",
                              reservation.role));
    }
    outer = reservation.role;
  }
  return {};
}

Result<void> check_disk(const ResourceKind& kind) {
  if (kind.disk && kind.name != "disk") return fail("only a resource named 'disk' can be a disk");
  const bool persistent = kind.disk && !kind.disk->persistence_id.empty();
  if (persistent) TRY(validate_id(kind.disk->persistence_id, "persistence id"));
  if (kind.disk && kind.disk->source == Disk::Source::kRoot && !kind.disk->source_root.empty()) {
    return fail("a disk of source 'root' has no path of its own");
  }
  if (kind.revocable && persistent) return fail("a persistent volume cannot be revocable");
  if (kind.shared && !persistent) return fail("only a persistent volume can be shared");
  return {};
}

bool is_known_scalar(std::string_view name) {
  return name == "cpus" || name == "mem" || name == "disk" || name == "gpus";
}

Result<void> check_scalar(std::string_view name, int64_t milli) {
  if (milli < 0) return fail(fmt::format("amount {} is negative", milli_to_text(milli)));
  if (milli > limits::kScalarMilliMax) {
    return fail(fmt::format("amount {} is above {}", milli_to_text(milli),
                            milli_to_text(limits::kScalarMilliMax)));
  }
  if (name == "gpus" && milli % 1000 != 0) {
    return fail(fmt::format("amount {} is not a whole number", milli_to_text(milli)));
  }
  if (name == "ports") return fail("expected ranges like [31000-32000]");
  return {};
}

// Checks one amount and puts it in form.
Result<void> check_amount(Resource& item) {
  const std::string_view name = item.name();
  if (const auto* milli = std::get_if<int64_t>(&item.amount)) return check_scalar(name, *milli);
  if (is_known_scalar(name)) return fail("expected a number");
  if (auto* ranges = std::get_if<Ranges>(&item.amount)) {
    for (const Range& range : *ranges) {
      if (range.first > range.last) {
        return fail(fmt::format("range {}-{} ends before it begins", range.first, range.last));
      }
    }
    normalize(*ranges);
    return {};
  }
  if (name == "ports") return fail("expected ranges like [31000-32000]");
  auto& set = std::get<Set>(item.amount);
  for (const std::string& member : set) TRY(validate_resource_name(member, "set member"));
  normalize(set);
  return {};
}

Result<void> check_item(Resource& item) {
  const ResourceKind& kind = *item.kind;
  TRY(check_reservations(kind));
  TRY(check_disk(kind));
  if (kind.revocable && kind.is_reserved()) return fail("a revocable resource cannot be reserved");
  if (item.shares == 0 || item.shares > (kind.shared ? limits::kSharesMax : 1)) {
    return fail(fmt::format("{} holders, expected {}", item.shares,
                            kind.shared ? fmt::format("1 to {}", limits::kSharesMax) : "1"));
  }
  return check_amount(item);
}

}  // namespace

Result<Resources> Resources::create(std::vector<Resource> items) {
  for (Resource& item : items) {
    if (item.kind == nullptr) return fail("a resource has no kind");
    TRY(validate_resource_name(item.name(), "resource name"));
    if (Result<void> checked = check_item(item); !checked) {
      return std::unexpected(
          std::move(checked).error().in(fmt::format("resource '{}'", item.name())));
    }
  }
  Resources sum = merge(std::move(items));
  for (size_t i = 1; i < sum.items_.size(); ++i) {
    const Resource& before = sum.items_[i - 1];
    const Resource& item = sum.items_[i];
    if (before.name() == item.name() && before.amount.index() != item.amount.index()) {
      return fail(fmt::format("resource '{}': given with amounts of two types", item.name()));
    }
  }
  for (const Resource& item : sum.items_) {
    if (item.scalar_milli() > limits::kScalarMilliMax || item.shares > limits::kSharesMax) {
      return fail(fmt::format("resource '{}': the sum of its amounts is too large", item.name()));
    }
  }
  return sum;
}

}  // namespace tepui
