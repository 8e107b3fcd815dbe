#include "common/resources.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/check.h"
#include "common/ranges.h"
#include "common/roles.h"

namespace tepui {

namespace {

// In order of name: between two of these, the order of addresses is the order of contents.
constexpr size_t kPlainKinds = 5;
const std::array<ResourceKind, kPlainKinds>& plain_kinds() {
  // Never destroyed: values in other statics may still name them.
  static const auto* const kinds = new std::array<ResourceKind, kPlainKinds>{
      ResourceKind{.name = "cpus"}, ResourceKind{.name = "disk"}, ResourceKind{.name = "gpus"},
      ResourceKind{.name = "mem"}, ResourceKind{.name = "ports"}};
  return *kinds;
}

// The static kind of that name, or null.
const ResourceKind* find_plain(std::string_view name) {
  for (const ResourceKind& kind : plain_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

// Without owner, so copies touch no counter.
KindRef unowned(const ResourceKind* kind) { return KindRef(KindRef(), kind); }

// Order of items; equal ones are merged by +.
std::strong_ordering order(const Resource& a, const Resource& b) {
  if (a.kind != b.kind) {
    const std::strong_ordering by_name = a.kind->name <=> b.kind->name;
    if (by_name != 0) return by_name;
    const std::strong_ordering by_kind = *a.kind <=> *b.kind;
    if (by_kind != 0) return by_kind;
  }
  if (a.amount.index() != b.amount.index()) return a.amount.index() <=> b.amount.index();
  if (a.kind->shared) return a.amount <=> b.amount;
  return std::strong_ordering::equal;
}

bool precedes(const Resource& a, const Resource& b) { return order(a, b) < 0; }

bool is_empty(const Resource& item) {
  if (item.shares == 0) return true;
  if (const auto* milli = std::get_if<int64_t>(&item.amount)) return *milli <= 0;
  if (const auto* ranges = std::get_if<Ranges>(&item.amount)) return ranges->empty();
  return std::get<Set>(item.amount).empty();
}

// The three below take items that are equal in order().
bool covers(const Resource& item, const Resource& other) {
  if (item.kind->shared) return item.shares >= other.shares;
  if (const auto* milli = std::get_if<int64_t>(&item.amount)) {
    return *milli >= std::get<int64_t>(other.amount);
  }
  if (const auto* ranges = std::get_if<Ranges>(&item.amount)) {
    return includes(*ranges, std::get<Ranges>(other.amount));
  }
  return includes(std::get<Set>(item.amount), std::get<Set>(other.amount));
}

void grow(Resource& item, const Resource& by) {
  if (item.kind->shared) {
    CHECK(!__builtin_add_overflow(item.shares, by.shares, &item.shares));
    return;
  }
  if (auto* milli = std::get_if<int64_t>(&item.amount)) {
    CHECK(!__builtin_add_overflow(*milli, std::get<int64_t>(by.amount), milli));
  } else if (&item == &by) {
    return;  // the union with itself
  } else if (auto* ranges = std::get_if<Ranges>(&item.amount)) {
    unite(*ranges, std::get<Ranges>(by.amount));
  } else {
    unite(std::get<Set>(item.amount), std::get<Set>(by.amount));
  }
}

// Saturates: what is left may be empty, never negative.
void shrink(Resource& item, const Resource& by) {
  if (item.kind->shared) {
    item.shares -= std::min(item.shares, by.shares);
    return;
  }
  if (auto* milli = std::get_if<int64_t>(&item.amount)) {
    *milli -= std::min(*milli, std::get<int64_t>(by.amount));
  } else if (auto* ranges = std::get_if<Ranges>(&item.amount)) {
    *ranges = difference(*ranges, std::get<Ranges>(by.amount));
  } else {
    auto& set = std::get<Set>(item.amount);
    set = difference(set, std::get<Set>(by.amount));
  }
}

// Moves `at` to the item that merges with `wanted`; false if there is none. Both lists are sorted,
// so a walk over all wanted items passes every item once.
template <class Iterator>
bool advance_to(Iterator& at, Iterator end, const Resource& wanted) {
  for (; at != end; ++at) {
    if (at->kind == wanted.kind && !wanted.kind->shared &&
        at->amount.index() == wanted.amount.index()) {
      return true;
    }
    const std::strong_ordering where = order(*at, wanted);
    if (where == 0) return true;
    if (where > 0) return false;
  }
  return false;
}

}  // namespace

std::string_view ResourceKind::reservation_role() const {
  return reservations.empty() ? kDefaultRole : std::string_view(reservations.back().role);
}

KindRef make_kind(ResourceKind kind) {
  if (!kind.is_reserved() && !kind.disk && !kind.revocable && !kind.shared) {
    if (const ResourceKind* plain = find_plain(kind.name)) return unowned(plain);
  }
  return std::make_shared<const ResourceKind>(std::move(kind));
}

KindRef plain_kind(std::string_view name) {
  if (const ResourceKind* plain = find_plain(name)) return unowned(plain);
  return std::make_shared<const ResourceKind>(ResourceKind{.name = std::string(name)});
}

bool operator==(const Resource& a, const Resource& b) {
  return (a.kind == b.kind || *a.kind == *b.kind) && a.amount == b.amount && a.shares == b.shares;
}

Resources Resources::scalars(std::initializer_list<std::pair<std::string_view, int64_t>> milli) {
  Resources sum;
  for (const auto& [name, amount] : milli) {
    CHECK(amount >= 0);
    Resource item{.kind = plain_kind(name), .amount = amount};
    if (is_empty(item)) continue;
    Resources one;
    one.items_.push_back(std::move(item));
    sum += one;
  }
  return sum;
}

Resources Resources::merge(std::vector<Resource> items) {
  Resources sum;
  std::erase_if(items, is_empty);
  std::stable_sort(items.begin(), items.end(), precedes);
  for (Resource& item : items) {
    if (!sum.items_.empty() && order(sum.items_.back(), item) == 0) {
      grow(sum.items_.back(), item);
    } else {
      sum.items_.push_back(std::move(item));
    }
  }
  return sum;
}

Resources& Resources::operator+=(const Resources& other) {
  if (items_.empty()) {
    items_ = other.items_;
    return *this;
  }
  size_t missing = 0;
  auto at = items_.begin();
  for (const Resource& item : other.items_) {
    if (advance_to(at, items_.end(), item)) {
      grow(*at, item);
    } else {
      ++missing;
    }
  }
  if (missing > 0) insert_missing(other, missing);
  return *this;
}

// Merges from the back, so that every item moves once and nothing is allocated while it fits.
void Resources::insert_missing(const Resources& other, size_t missing) {
  size_t from = items_.size();
  items_.resize(from + missing);
  size_t to = items_.size();
  for (size_t i = other.items_.size(); i-- > 0 && missing > 0;) {
    const Resource& item = other.items_[i];
    while (from > 0 && order(items_[from - 1], item) > 0) {
      items_[--to] = std::move(items_[--from]);
    }
    if (from > 0 && order(items_[from - 1], item) == 0) continue;
    items_[--to] = item;
    --missing;
  }
}

Resources& Resources::operator-=(const Resources& other) {
  bool emptied = false;
  auto at = items_.begin();
  for (const Resource& item : other.items_) {
    const bool contained = advance_to(at, items_.end(), item) && covers(*at, item);
    CHECK(contained);
    shrink(*at, item);
    emptied = emptied || is_empty(*at);
  }
  if (emptied) std::erase_if(items_, is_empty);
  return *this;
}

Resources Resources::minus(const Resources& other) const {
  Resources left;
  left.items_.reserve(items_.size());
  auto by = other.items_.begin();
  for (const Resource& item : items_) {
    Resource& kept = left.items_.emplace_back(item);
    while (by != other.items_.end() && order(*by, item) < 0) ++by;
    if (by == other.items_.end() || order(*by, item) != 0) continue;
    shrink(kept, *by);
    if (is_empty(kept)) left.items_.pop_back();
  }
  return left;
}

bool Resources::contains(const Resources& other) const {
  if (other.items_.size() > items_.size()) return false;
  auto at = items_.begin();
  for (const Resource& item : other.items_) {
    if (!advance_to(at, items_.end(), item) || !covers(*at, item)) return false;
  }
  return true;
}

bool Resources::operator==(const Resources& other) const { return items_ == other.items_; }

template <class Keep>
Resources Resources::pick(const Keep& keep) const {
  Resources kept;
  for (const Resource& item : items_) {
    if (keep(item)) kept.items_.push_back(item);
  }
  return kept;
}

Resources Resources::filter(const std::function<bool(const Resource&)>& keep) const {
  return pick(keep);
}

Resources Resources::scalars_only() const {
  return pick([](const Resource& item) { return item.is_scalar(); });
}

Resources Resources::unreserved() const {
  return pick([](const Resource& item) { return !item.kind->is_reserved(); });
}

Resources Resources::revocable() const {
  return pick([](const Resource& item) { return item.kind->revocable; });
}

Resources Resources::non_revocable() const {
  return pick([](const Resource& item) { return !item.kind->revocable; });
}

Resources Resources::allocatable_to(std::string_view role) const {
  return pick([role](const Resource& item) {
    if (!item.kind->is_reserved()) return true;
    const std::string_view owner = item.kind->reservation_role();
    return owner == role || is_descendant(owner, role);
  });
}

int64_t Resources::total_milli(std::string_view name) const {
  int64_t sum = 0;
  for (const Resource& item : items_) {
    if (item.name() == name) CHECK(!__builtin_add_overflow(sum, item.scalar_milli(), &sum));
  }
  return sum;
}

Quantities Resources::quantities() const {
  Quantities sum;
  for (const Resource& item : items_) {
    if (item.is_scalar()) sum.add(item.name(), item.scalar_milli());
  }
  return sum;
}

std::vector<std::string> Resources::names() const {
  std::vector<std::string> names;
  for (const Resource& item : items_) {
    if (names.empty() || names.back() != item.name()) names.emplace_back(item.name());
  }
  return names;
}

}  // namespace tepui
