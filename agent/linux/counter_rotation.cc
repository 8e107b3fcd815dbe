#include "agent/linux/counter_rotation.h"

#include <algorithm>

namespace tepui {

void CounterRotation::remove(uint32_t slot) {
  std::erase(waiting_, slot);
  std::erase(counted_, slot);
}

CounterRotation::Turn CounterRotation::advance(Instant now) {
  Turn turn;
  const size_t free = capacity_ - counted_.size();
  const size_t room = std::min(waiting_.size(), free);
  const bool is_due = waiting_.size() > room && now >= later(turned_, turn_);
  const size_t leaving = is_due ? std::min(waiting_.size() - room, counted_.size()) : 0;
  for (size_t i = 0; i < leaving; ++i) {
    turn.end.push_back(counted_.front());
    counted_.pop_front();
  }
  for (size_t i = 0; i < room + leaving; ++i) {
    turn.begin.push_back(waiting_.front());
    counted_.push_back(waiting_.front());
    waiting_.pop_front();
  }
  waiting_.insert(waiting_.end(), turn.end.begin(), turn.end.end());
  if (is_due || !turn.begin.empty()) turned_ = now;
  return turn;
}

}  // namespace tepui
