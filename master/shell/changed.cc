#include "master/shell/changed.h"

namespace tepui {

void Changed::touch(const Key& key) {
  removed.erase(key);
  keys.insert(key);
}

void Changed::remove(const Key& key) {
  keys.erase(key);
  removed.insert(key);
}

void Changed::add(const Changed& later) {
  for (const Key& key : later.keys) touch(key);
  for (const Key& key : later.removed) remove(key);
}

Changed Changed::split(size_t count_max) {
  Changed out;
  for (auto [from, to] : {std::pair{&removed, &out.removed}, std::pair{&keys, &out.keys}}) {
    while (!from->empty() && out.size() < count_max) {
      to->insert(to->end(), std::move(from->extract(from->begin()).value()));
    }
  }
  return out;
}

}  // namespace tepui
