#pragma once
// Deferred is a call that is to come at a later point of the loop: what must not happen inside the
// call that asked for it, or should happen once per turn whatever the number of wishes.
//
//   Later<&Connection::flush> flush_{*this};
//   reactor.before_submit(flush_);
//
// A DeferredList is a first-in first-out list through the members of the owners; it allocates
// nothing. Asking twice for a call that is still due changes nothing.

namespace tepui {

class DeferredList;

class Deferred {
 public:
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  bool is_due() const { return list_ != nullptr; }

 protected:
  using Run = void (*)(Deferred& deferred);

  explicit Deferred(Run run) : run_(run) {}
  ~Deferred();

 private:
  friend class DeferredList;

  const Run run_;
  DeferredList* list_ = nullptr;  // while due
  Deferred* before_ = nullptr;
  Deferred* after_ = nullptr;
};

class DeferredList {
 public:
  DeferredList() = default;
  DeferredList(const DeferredList&) = delete;
  DeferredList& operator=(const DeferredList&) = delete;

  void add(Deferred& deferred);
  void remove(Deferred& deferred);
  bool empty() const { return first_ == nullptr; }
  // Runs what is in the list now; what is added meanwhile waits for the next call.
  void run();
  // The same until `enough()`, at least one. What is left comes first the next time.
  template <class Enough>
  void run_until(Enough enough);

 private:
  void take_all(DeferredList& from);
  void run_first();

  Deferred* first_ = nullptr;
  Deferred* last_ = nullptr;
};

template <class Enough>
void DeferredList::run_until(Enough enough) {
  // The calls move to a list of their own, from which a destroyed owner can still remove itself.
  DeferredList due;
  due.take_all(*this);
  while (!due.empty()) {
    due.run_first();
    if (due.empty() || !enough()) continue;
    due.take_all(*this);
    return take_all(due);
  }
}

template <auto Method>
class Later;

template <class Owner, void (Owner::*Method)()>
class Later<Method> final : public Deferred {
 public:
  explicit Later(Owner& owner) : Deferred(&run), owner_(owner) {}

 private:
  static void run(Deferred& deferred) { (static_cast<Later&>(deferred).owner_.*Method)(); }

  Owner& owner_;
};

}  // namespace tepui
