#pragma once
// Changed is what watchers have yet to be told: which rows are new or different and which are gone,
// by key. Rows are read when a watcher is told, so a row that changed ten times is sent once.

#include <cstddef>
#include <set>
#include <string>
#include <tuple>

#include "common/messages.h"

namespace tepui {

struct Changed {
  using Key = std::tuple<Table, std::string, std::string>;  // table, key, framework of a task

  // No key is in both.
  std::set<Key> keys;
  std::set<Key> removed;
  bool resync = false;  // what was known is void

  bool empty() const { return keys.empty() && removed.empty() && !resync; }
  size_t size() const { return keys.size() + removed.size(); }
  void touch(const Key& key);
  void remove(const Key& key);
  // What happened after this. Not a resync, which voids this.
  void add(const Changed& later);
  // Takes out `count_max` keys, or what there is.
  Changed split(size_t count_max);
};

}  // namespace tepui
