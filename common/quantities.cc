#include <algorithm>

#include "common/check.h"
#include "common/resources.h"

namespace tepui {

namespace {
auto find_name(auto& items, std::string_view name) {
  return std::lower_bound(
      items.begin(), items.end(), name,
      [](const Quantities::Item& item, std::string_view wanted) { return item.name < wanted; });
}
}  // namespace

int64_t Quantities::get(std::string_view name) const {
  const auto at = find_name(items_, name);
  return at != items_.end() && at->name == name ? at->milli : 0;
}

void Quantities::add(std::string_view name, int64_t milli) {
  CHECK(milli >= 0);
  if (milli == 0) return;
  const auto at = find_name(items_, name);
  if (at != items_.end() && at->name == name) {
    CHECK(!__builtin_add_overflow(at->milli, milli, &at->milli));
  } else {
    items_.insert(at, {.name = std::string(name), .milli = milli});
  }
}

void Quantities::add(const Quantities& other) {
  if (&other == this) {
    for (Item& item : items_) CHECK(!__builtin_add_overflow(item.milli, item.milli, &item.milli));
    return;
  }
  for (const Item& item : other.items_) add(item.name, item.milli);
}

void Quantities::subtract(const Quantities& other) {
  for (const Item& item : other.items_) {
    const auto at = find_name(items_, item.name);
    if (at != items_.end() && at->name == item.name) at->milli -= std::min(at->milli, item.milli);
  }
  std::erase_if(items_, [](const Item& item) { return item.milli == 0; });
}

bool Quantities::contains(const Quantities& other) const {
  return std::ranges::all_of(other.items_,
                             [this](const Item& item) { return get(item.name) >= item.milli; });
}

}  // namespace tepui
