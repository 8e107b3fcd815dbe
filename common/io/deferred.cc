#include "common/io/deferred.h"

#include <utility>

#include "common/check.h"

namespace tepui {

Deferred::~Deferred() {
  if (list_ != nullptr) list_->remove(*this);
}

void DeferredList::add(Deferred& deferred) {
  if (deferred.list_ != nullptr) return;
  deferred.list_ = this;
  deferred.before_ = last_;
  deferred.after_ = nullptr;
  (last_ != nullptr ? last_->after_ : first_) = &deferred;
  last_ = &deferred;
}

void DeferredList::remove(Deferred& deferred) {
  CHECK(deferred.list_ == this);
  (deferred.before_ != nullptr ? deferred.before_->after_ : first_) = deferred.after_;
  (deferred.after_ != nullptr ? deferred.after_->before_ : last_) = deferred.before_;
  deferred.list_ = nullptr;
}

void DeferredList::run() {
  // The calls move to a list of their own, from which a destroyed owner can still remove itself.
  DeferredList due;
  due.first_ = std::exchange(first_, nullptr);
  due.last_ = std::exchange(last_, nullptr);
  for (Deferred* each = due.first_; each != nullptr; each = each->after_) each->list_ = &due;
  while (!due.empty()) {
    Deferred& next = *due.first_;
    due.remove(next);
    next.run_(next);
  }
}

}  // namespace tepui
