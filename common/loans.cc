#include "common/loans.h"

#include <utility>
#include <vector>

#include "common/check.h"

namespace tepui {

namespace {

enum class As : uint8_t { kRevocable, kRegular };

Resources with_kind(const Resources& resources, As as) {
  std::vector<Resource> items;
  for (const Resource& item : resources.items()) {
    CHECK(item.kind->revocable == (as == As::kRegular));
    ResourceKind kind = *item.kind;
    kind.revocable = as == As::kRevocable;
    items.push_back({.kind = make_kind(std::move(kind)), .amount = item.amount});
  }
  return Resources::create(std::move(items)).value();
}

}  // namespace

bool is_lendable(const Resource& item) {
  const ResourceKind& kind = *item.kind;
  if (!item.is_scalar() || kind.is_reserved() || kind.revocable || kind.shared) return false;
  return !kind.disk ||
         (kind.disk->persistence_id.empty() && kind.disk->source != Disk::Source::kMount);
}

Resources lendable(const Resources& resources) { return resources.filter(is_lendable); }

Resources as_revocable(const Resources& regular) { return with_kind(regular, As::kRevocable); }

Resources as_regular(const Resources& revocable) { return with_kind(revocable, As::kRegular); }

Resources common_part(const Resources& a, const Resources& b) { return a.minus(a.minus(b)); }

}  // namespace tepui
