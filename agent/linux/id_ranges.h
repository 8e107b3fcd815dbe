#pragma once
// IdRanges gives containers with a user namespace their ids on the machine, each its own: no two
// have one in common. What a container has is a symbolic link in a directory of the agent, which is
// there as a whole or not at all, so that a next life knows it too; who is killed before he has
// used it has it still. A range is given again as late as possible: what an ended container left
// belongs to its ids.
//
// Its calls may block for a moment; any thread may make them.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "agent/id_range.h"
#include "common/ids.h"
#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

class IdRanges {
 public:
  // Whether this process can give these ids to others: it may be in a user namespace itself.
  static Result<void> check(const IdRange& whole);

  // Parts of `whole`. What containers have that are not among the given is free again.
  static Result<std::unique_ptr<IdRanges>> create(const std::string& directory,
                                                  const IdRange& whole,
                                                  const std::set<std::string>& containers);

  // Its own until release(), the same each time.
  Result<IdRange> take(const ContainerId& container);
  // Ignored if it has none.
  void release(const ContainerId& container);

 private:
  IdRanges(Fd directory, const IdRange& whole)
      : directory_(std::move(directory)), whole_(whole), next_(whole.first) {}

  Result<void> load(const std::string& path, const std::set<std::string>& containers);
  bool is_taken(const IdRange& range) const;

  const Fd directory_;
  const IdRange whole_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, IdRange> taken_;
  uint32_t next_;
};

}  // namespace tepui
