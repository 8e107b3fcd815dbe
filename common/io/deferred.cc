#include "common/io/deferred.h"

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

// To the end of this one.
void DeferredList::take_all(DeferredList& from) {
  if (from.empty()) return;
  for (Deferred* each = from.first_; each != nullptr; each = each->after_) each->list_ = this;
  from.first_->before_ = last_;
  (last_ != nullptr ? last_->after_ : first_) = from.first_;
  last_ = from.last_;
  from.first_ = from.last_ = nullptr;
}

void DeferredList::run_first() {
  Deferred& next = *first_;
  remove(next);
  next.run_(next);
}

void DeferredList::run() {
  run_until([] { return false; });
}

}  // namespace tepui
