#pragma once
// Mailbox<T> hands values of other threads to the thread of a reactor, in the order in which they
// were pushed. It is bounded: a push into a full mailbox is refused, and the one who pushes decides
// what that means.
//
// push() from any thread, everything else on the reactor's thread.

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "common/io/doorbell.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

template <class T>
class MailboxOwner {
 public:
  virtual ~MailboxOwner() = default;
  virtual void on_mail(T value) = 0;
};

template <class T>
class Mailbox final : private DoorbellOwner {
 public:
  static Result<std::unique_ptr<Mailbox>> create(Reactor& reactor, MailboxOwner<T>& owner,
                                                 size_t capacity) {
    std::unique_ptr<Mailbox> mailbox(new Mailbox(owner, capacity));
    mailbox->doorbell_ = TRY(Doorbell::create(reactor, *mailbox));
    return mailbox;
  }

  // False: full, and `value` is untouched.
  bool push(T&& value) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= capacity_) return false;
      waiting_.push_back(std::move(value));
      // Whoever put the first one in has rung already.
      if (waiting_.size() > 1) return true;
    }
    doorbell_->ring();
    return true;
  }

 private:
  Mailbox(MailboxOwner<T>& owner, size_t capacity) : owner_(owner), capacity_(capacity) {
    waiting_.reserve(capacity);
    taken_.reserve(capacity);
  }

  void on_rung() override {
    {
      const std::lock_guard lock(mutex_);
      taken_.swap(waiting_);
    }
    for (T& value : taken_) owner_.on_mail(std::move(value));
    taken_.clear();
  }

  MailboxOwner<T>& owner_;
  const size_t capacity_;
  std::vector<T> taken_;

  std::mutex mutex_;
  std::vector<T> waiting_;  // guarded by mutex_

  std::unique_ptr<Doorbell> doorbell_;
};

}  // namespace tepui
