#include "agent/linux/freeze_duty.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "common/check.h"

namespace tepui {

class FreezeDuties::Duty {
 public:
  Duty(FreezeDuties& all, Fd freeze, int64_t permille)
      : all_(all), freeze_(std::move(freeze)), permille_(permille) {
    all_.reactor_.set(due_, later(all_.reactor_.now().mono, run_time()));
  }

  void set_permille(int64_t permille) {
    permille_ = permille;
    if (!last_) return;
    // It was to end, and goes on.
    last_.reset();
    ended_ = false;
    if (!due_.is_set()) all_.reactor_.set(due_, later(all_.reactor_.now().mono, run_time()));
  }
  void stop(bool frozen) {
    all_.reactor_.cancel(due_);
    last_ = frozen;
    if (!write_.active()) write(frozen);
  }
  bool ended() const { return ended_; }

 private:
  Duration run_time() const { return std::max(kPeriod * permille_ / 1000, kRunMin); }

  void on_due() {
    // A write that takes longer than its part of the period makes the period longer.
    if (write_.active()) {
      all_.reactor_.set(due_, later(all_.reactor_.now().mono, kRunMin));
      return;
    }
    if (frozen_) ++all_.periods_;
    write(!frozen_);
    const Duration run = run_time();
    all_.reactor_.set(
        due_, later(all_.reactor_.now().mono, frozen_ ? std::max(kPeriod - run, kRunMin) : run));
  }

  void write(bool frozen) {
    frozen_ = frozen;
    all_.reactor_.write(write_, freeze_.get(), frozen ? kOne : kZero, 0);
  }
  void on_written(const Completion& /*completion*/) {
    // It fails where the cgroup is gone: then there is nobody to be frozen.
    if (!last_) return;
    if (frozen_ != *last_) return write(*last_);
    ended_ = true;
    all_.reactor_.next_turn(all_.sweep_);
  }

  static constexpr std::array<std::byte, 1> kOne = {std::byte{'1'}};
  static constexpr std::array<std::byte, 1> kZero = {std::byte{'0'}};

  FreezeDuties& all_;
  const Fd freeze_;
  int64_t permille_;
  bool frozen_ = false;
  bool ended_ = false;
  std::optional<bool> last_;  // how it is left
  Timer<&Duty::on_due> due_{*this};
  Op<&Duty::on_written> write_{*this};
};

FreezeDuties::FreezeDuties(Reactor& reactor) : reactor_(reactor) {}
FreezeDuties::~FreezeDuties() = default;

void FreezeDuties::start(const ContainerId& id, Fd freeze, int64_t permille) {
  CHECK(!has(id));
  duties_[id] =
      std::make_unique<Duty>(*this, std::move(freeze), std::clamp<int64_t>(permille, 1, 999));
}

void FreezeDuties::change(const ContainerId& id, int64_t permille) {
  duties_.at(id)->set_permille(std::clamp<int64_t>(permille, 1, 999));
}

void FreezeDuties::stop(const ContainerId& id, bool frozen) {
  const auto found = duties_.find(id);
  if (found != duties_.end()) found->second->stop(frozen);
}

void FreezeDuties::sweep() {
  std::erase_if(duties_, [](const auto& each) { return each.second->ended(); });
}

}  // namespace tepui
