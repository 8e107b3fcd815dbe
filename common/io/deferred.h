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

 private:
  Deferred* first_ = nullptr;
  Deferred* last_ = nullptr;
};

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
