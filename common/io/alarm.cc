#include "common/io/alarm.h"

#include "common/check.h"

namespace tepui {

Alarm::~Alarm() {
  if (alarms_ != nullptr) alarms_->cancel(*this);
}

void Alarms::set(Alarm& alarm, Instant when) {
  if (alarm.is_set()) cancel(alarm);
  alarm.alarms_ = this;
  alarm.when_ = when;
  heap_.push_back(&alarm);
  place(&alarm, heap_.size() - 1);
  rise(heap_.size() - 1);
}

void Alarms::cancel(Alarm& alarm) {
  if (!alarm.is_set()) return;
  CHECK(alarm.alarms_ == this);
  const size_t at = alarm.place_;
  Alarm* last = heap_.back();
  heap_.pop_back();
  alarm.alarms_ = nullptr;
  if (last == &alarm) return;
  place(last, at);
  rise(at);
  sink(last->place_);
}

void Alarms::ring(Instant now) {
  // As many as there are now: an alarm that sets itself again for the same instant must not keep
  // this turn from ending.
  for (size_t left = heap_.size(); left > 0 && next() <= now; --left) {
    Alarm& due = *heap_.front();
    cancel(due);
    due.ring_(due);
  }
}

void Alarms::place(Alarm* alarm, size_t at) {
  heap_[at] = alarm;
  alarm->place_ = at;
}

void Alarms::rise(size_t at) {
  Alarm* alarm = heap_[at];
  while (at > 0) {
    const size_t parent = (at - 1) / 2;
    if (heap_[parent]->when_ <= alarm->when_) break;
    place(heap_[parent], at);
    at = parent;
  }
  place(alarm, at);
}

void Alarms::sink(size_t at) {
  Alarm* alarm = heap_[at];
  while (true) {
    size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
    if (alarm->when_ <= heap_[child]->when_) break;
    place(heap_[child], at);
    at = child;
  }
  place(alarm, at);
}

}  // namespace tepui
