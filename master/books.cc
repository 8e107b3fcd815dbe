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
  of(from) -= what;
  of(to) += what;
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
  const Resources sum = column(Column::kFree) + offered + allocated;
  if (sum != total_) {
    return fail(fmt::format("free, offered and allocated make {}, the total is {}", to_text(sum),
                            to_text(total_)));
  }
  return {};
}

}  // namespace tepui::master
