#pragma once
// Arbitrary fills messages with random content: every field, every alternative, within what the
// wire carries. The same seed gives the same messages.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/check.h"
#include "common/limits.h"
#include "common/messages.h"
#include "common/rng.h"
#include "tests/common/message_fields.h"

namespace tepui {

class Arbitrary {
 public:
  explicit Arbitrary(uint64_t seed) : rng_(seed) {}

  Rng& rng() { return rng_; }

  template <class T>
  T make() {
    T value{};
    fill(value);
    return value;
  }

  // A variant of messages that holds its alternative `index`.
  template <class Message>
  Message make_alternative(size_t index) {
    Message message;
    fill_alternative<0>(message, index);
    return message;
  }

  Resources resources() {
    std::vector<Resource> items;
    const uint64_t count = rng_.below(5);
    for (uint64_t i = 0; i < count; ++i) items.push_back(resource());
    Result<Resources> result = Resources::create(std::move(items));
    CHECK(result.has_value());
    return *std::move(result);
  }

 private:
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = rng_.chance(1, 2);
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(rng_.next());
    } else if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(rng_.between(-1000000, 1000000)) / 7;
    } else {
      std::apply([this](auto&... field) { (this->fill(field), ...); }, fields(value));
      make_consistent(value);
    }
  }

  void fill(std::string& text) {
    static constexpr std::string_view kAlphabet[] = {"a", "Z", "0", "-", ".", "/", " ", "\n", "é"};
    text.clear();
    const uint64_t length = rng_.below(12);
    for (uint64_t i = 0; i < length; ++i) text += kAlphabet[rng_.below(std::size(kAlphabet))];
  }
  template <class Tag>
  void fill(TextId<Tag>& id) {
    id.value = "id-";
    id.value += std::to_string(rng_.below(1000));
  }
  void fill(Duration& duration) { duration = Duration(static_cast<int64_t>(rng_.next())); }
  void fill(WallTime& time) { time = WallTime(Duration(static_cast<int64_t>(rng_.next()))); }
  void fill(TaskState& state) { state = static_cast<TaskState>(rng_.below(kTaskStateCount)); }
  void fill(TaskSource& source) { source = static_cast<TaskSource>(rng_.below(3)); }
  void fill(TaskReason& reason) {
    const uint64_t number = rng_.below(kTaskReasonCount + 1);
    reason = number == kTaskReasonCount ? TaskReason::kNone : static_cast<TaskReason>(number);
  }
  void fill(Table& table) { table = static_cast<Table>(rng_.below(kTableCount)); }
  void fill(OfferOperation::Type& type) {
    type = static_cast<OfferOperation::Type>(1 + rng_.below(3));
  }
  void fill(Operation::Type& type) {
    static constexpr int kTypes[] = {2, 3, 4, 5, 11, 12};
    type = static_cast<Operation::Type>(kTypes[rng_.below(std::size(kTypes))]);
  }
  void fill(OperationState& state) {
    state = static_cast<OperationState>(rng_.below(kOperationStateCount));
  }
  void fill(CheckInfo::Type& type) { type = static_cast<CheckInfo::Type>(1 + rng_.below(3)); }
  void fill(ExecutorInfo::Type& type) { type = static_cast<ExecutorInfo::Type>(1 + rng_.below(2)); }
  void fill(RootFilesystem::Type& type) {
    type = static_cast<RootFilesystem::Type>(1 + rng_.below(3));
  }
  void fill(ContainerVolume::Source& source) {
    source = static_cast<ContainerVolume::Source>(1 + rng_.below(3));
  }
  void fill(RlimitType& type) { type = static_cast<RlimitType>(1 + rng_.below(16)); }
  void fill(ContainerInfo::Network& network) {
    network = static_cast<ContainerInfo::Network>(rng_.below(kNetworkCount));
  }
  void fill(ContainerInfo::Seccomp& seccomp) {
    seccomp = static_cast<ContainerInfo::Seccomp>(rng_.below(kSeccompCount));
  }
  void fill(std::shared_ptr<const ExecutorInfo>& executor) {
    executor = std::make_shared<const ExecutorInfo>(make<ExecutorInfo>());
  }
  void fill(Resources& value) { value = resources(); }
  void fill(OperateResources::Type& type) {
    type = static_cast<OperateResources::Type>(rng_.below(kOperateResourcesTypeCount));
  }
  void fill(OperateMachines::Action& action) {
    action = static_cast<OperateMachines::Action>(rng_.below(kMachinesActionCount));
  }
  void fill(OperateAgent::Action& action) {
    action = static_cast<OperateAgent::Action>(rng_.below(kAgentActionCount));
  }
  void fill(Quantities& quantities) {
    quantities = {};
    for (const char* name : {"cpus", "gpus", "mem"}) {
      if (rng_.chance(1, 2)) quantities.add(name, rng_.between(1, 1'000'000));
    }
  }
  void fill(Quota& quota) {
    fill(quota.guarantees);
    quota.limits_milli.clear();
    for (const char* name : {"cpus", "gpus", "mem"}) {
      if (rng_.chance(1, 2)) quota.limits_milli.emplace(name, rng_.between(0, 1'000'000));
    }
  }

  void fill(OfferConstraint::Target& target) {
    target = static_cast<OfferConstraint::Target>(rng_.below(OfferConstraint::kTargets));
  }
  void fill(OfferConstraint::Test& test) {
    test = static_cast<OfferConstraint::Test>(rng_.below(OfferConstraint::kTests));
  }

  template <class T>
  void fill(std::optional<T>& value) {
    value.reset();
    if (rng_.chance(1, 2)) fill(value.emplace());
  }
  template <class T>
  void fill(std::vector<T>& items) {
    items.clear();
    items.resize(rng_.below(4));
    for (T& item : items) fill(item);
  }
  void fill(Attribute& attribute) {
    fill(attribute.name);
    switch (rng_.below(4)) {
      case 0:
        attribute.value = static_cast<int64_t>(rng_.next());
        break;
      case 1:
        attribute.value = ranges();
        break;
      case 2:
        attribute.value = Set{"a", "b", "zone-3"};
        break;
      default:
        attribute.value = make<std::string>();
        break;
    }
  }
  void fill(Shared<TaskKind>& kind) { kind = make<TaskKind>(); }
  // Specs are shared by some of the tasks of a message.
  void fill(std::shared_ptr<const TaskSpec>& spec) {
    if (!specs_.empty() && rng_.chance(1, 2)) {
      spec = specs_[rng_.below(specs_.size())];
      return;
    }
    spec = std::make_shared<const TaskSpec>(make<TaskSpec>());
    specs_.push_back(spec);
  }
  template <size_t kIndex, class... Ts>
  void fill_alternative(std::variant<Ts...>& message, size_t index) {
    if constexpr (kIndex < sizeof...(Ts)) {
      if (index != kIndex) return fill_alternative<kIndex + 1>(message, index);
      specs_.clear();
      fill(message.template emplace<kIndex>());
    }
  }

  // What one field demands of another.
  template <class T>
  void make_consistent(T&) {}
  void make_consistent(OfferBatch& batch) {
    if (batch.roles.empty() || batch.shapes.empty()) batch.offers.clear();
    for (OfferItem& offer : batch.offers) {
      offer.role %= static_cast<uint32_t>(batch.roles.size());
      offer.shape %= static_cast<uint32_t>(batch.shapes.size());
    }
  }
  // Each type carries only its own half.
  void make_consistent(OfferOperation& operation) {
    if (operation.type == OfferOperation::Type::kConvert) operation.tasks.clear();
    if (operation.type != OfferOperation::Type::kConvert) operation.operation = {};
    if (operation.type != OfferOperation::Type::kLaunchGroup) operation.executor = nullptr;
  }
  void make_consistent(CheckInfo& check) {
    if (check.type != CheckInfo::Type::kCommand) check.command = {};
  }
  void make_consistent(TaskSpec& spec) {
    if (rng_.chance(1, 2)) spec.executor = nullptr;
  }
  void make_consistent(ReadFile& read) { read.length %= limits::kReadFileMax + 1; }

  Ranges ranges() {
    Ranges result;
    uint64_t next = rng_.below(40000);
    const uint64_t count = rng_.below(4);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t last = next + rng_.below(100);
      result.push_back(Range{.first = next, .last = last});
      next = last + 2 + rng_.below(100);
    }
    return result;
  }

  std::vector<Reservation> reservations() {
    std::vector<Reservation> stack;
    std::string role = "eng";
    const uint64_t depth = rng_.below(3);
    for (uint64_t i = 0; i < depth; ++i) {
      Reservation reservation{.type = Reservation::Type::kDynamic, .role = role};
      if (i == 0 && rng_.chance(1, 2)) reservation.type = Reservation::Type::kStatic;
      fill(reservation.principal);
      fill(reservation.labels);
      stack.push_back(std::move(reservation));
      role += "/search";
    }
    return stack;
  }

  Resource disk() {
    Disk disk;
    fill(disk.principal);
    fill(disk.container_path);
    disk.read_only = rng_.chance(1, 2);
    disk.source = static_cast<Disk::Source>(rng_.below(3));
    if (disk.source != Disk::Source::kRoot) disk.source_root = "/mnt/1";
    if (rng_.chance(1, 2)) disk.persistence_id = "volume-" + std::to_string(rng_.below(9));
    const bool shared = !disk.persistence_id.empty() && rng_.chance(1, 2);
    ResourceKind kind{
        .name = "disk", .reservations = reservations(), .disk = disk, .shared = shared};
    const auto shares = static_cast<uint32_t>(shared ? 1 + rng_.below(5) : 1);
    return {make_kind(std::move(kind)), Amount{rng_.between(1, 1000000)}, shares};
  }

  Resource resource() {
    const int64_t milli = rng_.between(1, 1000000);
    switch (rng_.below(6)) {
      case 0:
        return {plain_kind("cpus"), Amount{milli}};
      case 1:
        return {plain_kind("bandwidth"), Amount{milli}};
      case 2:
        return {make_kind({.name = "mem", .revocable = true}), Amount{milli}};
      case 3:
        return {make_kind({.name = "ports", .reservations = reservations()}), Amount{ranges()}};
      case 4:
        return {make_kind({.name = "zones", .reservations = reservations()}),
                Amount{Set{"a", "b"}}};
      default:
        return disk();
    }
  }

  Rng rng_;
  std::vector<std::shared_ptr<const TaskSpec>> specs_;
};

}  // namespace tepui
