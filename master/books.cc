#include "master/books.h"

#include <fmt/format.h>

#include <string_view>

namespace tepui::master {

namespace {
std::string_view name_of(Books::Column column) {
  switch (column) {
    case Books::Column::kFree:
      return "free";
    case Books::Column::kOffered:
      return "offered";
    case Books::Column::kAllocated:
      return "allocated";
  }
  return "";
}

Resources unshared(const Resources& resources) {
  return resources.filter([](const Resource& item) { return !item.kind->shared; });
}

Resources shared(const Resources& resources) {
  return resources.filter([](const Resource& item) { return item.kind->shared; });
}
}  // namespace

void Books::open(const Resources& total) {
  total_ = total;
  of(Column::kFree) = total;
  of(Column::kOffered) = {};
  of(Column::kAllocated) = {};
}

Result<void> Books::move(Column from, Column to, const Resources& what) {
  if (!of(from).contains(what)) {
    return fail(fmt::format("{} should leave the {} resources, which are {}", to_text(what),
                            name_of(from), to_text(of(from))));
  }
  // What is shared never leaves the free column, and does not come back to it.
  of(from) -= from == Column::kFree ? unshared(what) : what;
  of(to) += to == Column::kFree ? unshared(what) : what;
  return {};
}

Result<void> Books::convert(Column column, const Conversion& conversion) {
  if (!of(column).contains(conversion.from) || !total_.contains(conversion.from)) {
    return fail(fmt::format("{} should be converted in the {} resources, which are {}",
                            to_text(conversion.from), name_of(column), to_text(of(column))));
  }
  of(column) -= conversion.from;
  of(column) += conversion.to;
  total_ -= conversion.from;
  total_ += conversion.to;
  if (column == Column::kFree) return {};
  of(Column::kFree) -= shared(conversion.from);
  of(Column::kFree) += shared(conversion.to);
  return {};
}

Result<void> Books::audit(const Resources& offered, const Resources& allocated) const {
  if (offered != column(Column::kOffered)) {
    return fail(fmt::format("the offers hold {}, the books say {}", to_text(offered),
                            to_text(column(Column::kOffered))));
  }
  if (allocated != column(Column::kAllocated)) {
    return fail(fmt::format("the tasks hold {}, the books say {}", to_text(allocated),
                            to_text(column(Column::kAllocated))));
  }
  const Resources sum = column(Column::kFree) + unshared(offered) + unshared(allocated);
  if (sum != total_) {
    return fail(fmt::format("free, offered and allocated make {}, the total is {}", to_text(sum),
                            to_text(total_)));
  }
  return {};
}

}  // namespace tepui::master
