#pragma once
// Shared is an immutable value that its copies have in common: copying it copies a pointer, and two
// copies of one are equal without looking. What differs is made anew and assigned.
//
// Invariant: there is always a value; one that was never given, or was moved away, is T{}.
//
// Pure. Copies may be in different threads.

#include <memory>
#include <utility>

namespace tepui {

template <class T>
class Shared {
 public:
  Shared() = default;
  Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}

  const T& operator*() const { return value_ != nullptr ? *value_ : nothing(); }
  const T* operator->() const { return &**this; }

  friend bool operator==(const Shared& a, const Shared& b) {
    return a.value_ == b.value_ || *a == *b;
  }

 private:
  static const T& nothing() {
    static const T value;
    return value;
  }

  std::shared_ptr<const T> value_;
};

}  // namespace tepui
