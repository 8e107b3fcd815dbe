#pragma once
// Books holds one agent's resources in three columns: free, offered, allocated.
//
// Invariant: the columns together are the total, per kind of resource, always; only what is shared
// is always free as well, however many hold it. Every change moves resources from one column to
// another, or converts some in place, and is refused, without effect, if they are not there. So
// an error here means that somebody gave out or returned what the agent does not have; the master
// then isolates that one agent (master/isolation.h) and lives on.
//
// Pure.

#include <cstdint>

#include "common/operations.h"
#include "common/resources.h"
#include "common/result.h"

namespace tepui::master {

class Books {
 public:
  enum class Column : uint8_t { kFree = 0, kOffered = 1, kAllocated = 2 };

  // Everything is free.
  void open(const Resources& total);
  // `what` must be in `from`: computed and verified first, then committed.
  Result<void> move(Column from, Column to, const Resources& what);
  // What is in `column` becomes something else, there and in the total.
  Result<void> convert(Column column, const Conversion& conversion);

  const Resources& total() const { return total_; }
  const Resources& column(Column column) const { return columns_[static_cast<int>(column)]; }

  // Compares the columns with sums made from scratch.
  Result<void> audit(const Resources& offered, const Resources& allocated) const;

 private:
  Resources& of(Column column) { return columns_[static_cast<int>(column)]; }

  Resources total_;
  Resources columns_[3];
};

}  // namespace tepui::master
