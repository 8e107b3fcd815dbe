// Goal: the laws of the algebra that common/resources.h names hold for every kind of resource.
// Method: random values out of few kinds, roles, ports and members, so that they meet often; each
// value is built from loose parts in random order. The laws are compared with a slow model where
// they cannot be stated as an equation.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "common/resources.h"

namespace tepui {
namespace {

// Uniform from the first case on: RapidCheck would begin with the small end of every range.
template <class T>
T in_range(T low, T high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, high));
}

ResourceKind reserved(ResourceKind kind) {
  const int depth = in_range(0, 3);
  static constexpr const char* kRoles[] = {"a", "a/b"};
  for (int i = 0; i < depth; ++i) {
    kind.reservations.push_back(
        {.type = i == 0 ? *rc::gen::element(Reservation::Type::kStatic, Reservation::Type::kDynamic)
                        : Reservation::Type::kDynamic,
         .role = kRoles[i],
         .principal = *rc::gen::element<std::string>("", "p")});
  }
  return kind;
}

Resource any_scalar() {
  ResourceKind kind{.name = *rc::gen::element<std::string>("cpus", "mem", "other")};
  kind.revocable = in_range(0, 4) == 0;
  if (!kind.revocable) kind = reserved(kind);
  return {make_kind(kind), Amount{in_range<int64_t>(0, 5000)}};
}

Resource any_gpus() {
  return {make_kind(reserved({.name = "gpus"})), Amount{in_range<int64_t>(0, 4) * 1000}};
}

Resource any_ranges() {
  Ranges ranges;
  for (int i = in_range(0, 4); i > 0; --i) {
    const auto first = in_range<uint64_t>(0, 30);
    ranges.push_back({first, first + in_range<uint64_t>(0, 6)});
  }
  return {make_kind(reserved({.name = "ports"})), Amount{ranges}};
}

Resource any_set() {
  return {make_kind(reserved({.name = "zones"})),
          Amount{*rc::gen::resize(
              4, rc::gen::container<Set>(rc::gen::element<std::string>("a", "b", "c", "d")))}};
}

Resource any_disk() {
  ResourceKind kind = reserved({.name = "disk"});
  kind.disk = Disk{.source = *rc::gen::element(Disk::Source::kPath, Disk::Source::kMount),
                   .source_root = *rc::gen::element<std::string>("/d1", "/d2"),
                   .persistence_id = *rc::gen::element<std::string>("", "v1", "v2")};
  return {make_kind(kind), Amount{in_range<int64_t>(0, 5000)}};
}

// One volume in few sizes, so that its holders often meet.
Resource any_shared() {
  ResourceKind kind{.name = "disk", .disk = Disk{.persistence_id = "v"}, .shared = true};
  return {make_kind(kind), Amount{in_range<int64_t>(0, 3)}, in_range<uint32_t>(1, 5)};
}

std::vector<Resource> any_parts() {
  std::vector<Resource> parts;
  for (int i = in_range(0, 8); i > 0; --i) {
    switch (in_range(0, 7)) {
      case 0:
      case 1:
        parts.push_back(any_scalar());
        break;
      case 2:
        parts.push_back(any_gpus());
        break;
      case 3:
        parts.push_back(any_ranges());
        break;
      case 4:
        parts.push_back(any_set());
        break;
      case 5:
        parts.push_back(any_disk());
        break;
      case 6:
        parts.push_back(any_shared());
        break;
    }
  }
  return parts;
}

Resources any_resources() { return Resources::create(any_parts()).value(); }

// A value that is often part of the other.
Resources part_of(const Resources& whole) {
  Resources part;
  for (const Resource& item : whole.items()) {
    if (*rc::gen::arbitrary<bool>()) continue;
    Resource less = item;
    if (auto* milli = std::get_if<int64_t>(&less.amount); milli != nullptr && !item.kind->shared) {
      *milli -= *milli > 1000 ? *rc::gen::element<int64_t>(0, 1000) : 0;
    }
    if (item.kind->shared) less.shares = in_range<uint32_t>(1, item.shares + 1);
    part += Resources::create({less}).value();
  }
  return part;
}

// The slow model: every unit of every kind by itself. A scalar is its amount under one key, a port
// and a member each a key of their own, a shared resource the number of its holders.
using Key = std::tuple<ResourceKind, int, std::string>;
std::map<Key, int64_t> model(const Resources& resources) {
  std::map<Key, int64_t> units;
  for (const Resource& item : resources.items()) {
    const int type = static_cast<int>(item.amount.index());
    if (item.kind->shared) {
      units[{*item.kind, type, milli_to_text(item.scalar_milli())}] += item.shares;
    } else if (item.is_scalar()) {
      units[{*item.kind, type, ""}] += item.scalar_milli();
    } else if (const auto* ranges = std::get_if<Ranges>(&item.amount)) {
      for (const Range& range : *ranges) {
        for (uint64_t i = range.first; i <= range.last; ++i) {
          units[{*item.kind, type, std::to_string(i)}] = 1;
        }
      }
    } else {
      for (const std::string& member : std::get<Set>(item.amount)) {
        units[{*item.kind, type, member}] = 1;
      }
    }
  }
  return units;
}

bool is_unit(const Key& key) { return std::get<1>(key) != 0; }

bool model_contains(const Resources& whole, const Resources& part) {
  const auto have = model(whole);
  for (const auto& [key, amount] : model(part)) {
    const auto at = have.find(key);
    if (at == have.end() || at->second < amount) return false;
  }
  return true;
}

void expect_in_form(const Resources& resources) {
  const Resource* before = nullptr;
  for (const Resource& item : resources.items()) {
    if (before != nullptr) RC_ASSERT(before->kind->name <= item.kind->name);
    before = &item;
    RC_ASSERT(item.shares > 0);
    if (item.is_scalar()) RC_ASSERT(item.scalar_milli() > 0);
    if (const auto* set = std::get_if<Set>(&item.amount)) RC_ASSERT(!set->empty());
    if (const auto* ranges = std::get_if<Ranges>(&item.amount)) {
      RC_ASSERT(!ranges->empty());
      for (size_t i = 1; i < ranges->size(); ++i) {
        RC_ASSERT((*ranges)[i].first > (*ranges)[i - 1].last + 1);
      }
    }
  }
  // What has a form is its own canonical value.
  const std::vector<Resource> items(resources.items().begin(), resources.items().end());
  RC_ASSERT(Resources::create(items).value() == resources);
}

RC_GTEST_PROP(ResourcesLaws, AdditionIsCommutative, ()) {
  const Resources a = any_resources();
  const Resources b = any_resources();
  RC_ASSERT(a + b == b + a);
  expect_in_form(a + b);
}

RC_GTEST_PROP(ResourcesLaws, AdditionIsAssociativeAndNothingIsItsNeutralElement, ()) {
  const Resources a = any_resources();
  const Resources b = any_resources();
  const Resources c = any_resources();
  RC_ASSERT((a + b) + c == a + (b + c));
  RC_ASSERT(a + Resources() == a);
  RC_ASSERT(Resources() + a == a);
}

RC_GTEST_PROP(ResourcesLaws, AdditionIsThatOfTheModel, ()) {
  const Resources a = any_resources();
  const Resources b = any_resources();
  auto sum = model(a);
  for (const auto& [key, amount] : model(b)) {
    sum[key] = is_unit(key) ? 1 : sum[key] + amount;
  }
  RC_ASSERT(model(a + b) == sum);
}

RC_GTEST_PROP(ResourcesLaws, SubtractionUndoesAddition, ()) {
  const Resources a = any_resources();
  const Resources other = any_resources();
  // The sum of ranges is their union, so what is in both would be lost.
  const Resources b = other.filter([](const Resource& item) { return item.is_scalar(); }) +
                      other.filter([](const Resource& item) { return !item.is_scalar(); }).minus(a);
  RC_ASSERT(a + b - b == a);
  Resources in_place = a;
  in_place += b;
  in_place -= b;
  RC_ASSERT(in_place == a);
}

RC_GTEST_PROP(ResourcesLaws, ContainsExactlyWhatCanBeTakenAndGivenBack, ()) {
  const Resources a = any_resources();
  const Resources b = *rc::gen::arbitrary<bool>() ? any_resources() : part_of(a);
  const bool contains = a.contains(b);
  RC_CLASSIFY(contains && !b.empty(), "contained");
  RC_ASSERT(contains == (a.minus(b) + b == a));
  RC_ASSERT(contains == model_contains(a, b));
  if (contains) RC_ASSERT(a - b == a.minus(b));
  expect_in_form(a.minus(b));
}

RC_GTEST_PROP(ResourcesLaws, MinusIsThatOfTheModel, ()) {
  const Resources a = any_resources();
  const Resources b = *rc::gen::arbitrary<bool>() ? any_resources() : part_of(a);
  auto left = model(a);
  for (const auto& [key, amount] : model(b)) {
    const auto at = left.find(key);
    if (at == left.end()) continue;
    at->second -= amount;
    if (at->second <= 0) left.erase(at);
  }
  RC_ASSERT(model(a.minus(b)) == left);
}

RC_GTEST_PROP(ResourcesLaws, OrderOfConstructionNeverShows, ()) {
  std::vector<Resource> parts = any_parts();
  const Resources whole = Resources::create(parts).value();
  for (size_t i = parts.size(); i > 1; --i) {
    std::swap(parts[i - 1], parts[in_range<size_t>(0, i)]);
  }
  RC_ASSERT(Resources::create(parts).value() == whole);
  Resources one_by_one;
  for (const Resource& part : parts) one_by_one += Resources::create({part}).value();
  RC_ASSERT(one_by_one == whole);
  expect_in_form(whole);
}

RC_GTEST_PROP(ResourcesLaws, QuantitiesAreTheSumsOfTheScalars, ()) {
  const Resources a = any_resources();
  Quantities parts;
  for (const Resource& item : a.items()) {
    if (item.is_scalar()) parts.add(item.name(), item.scalar_milli());
  }
  RC_ASSERT(a.quantities() == parts);
  for (const std::string& name : a.names()) RC_ASSERT(a.total_milli(name) == parts.get(name));
  const Quantities both =
      (a + a.filter([](const Resource& item) { return !item.kind->shared; })).quantities();
  RC_ASSERT(both.contains(parts));
}

RC_GTEST_PROP(ResourcesLaws, PlainResourcesSurviveTheirText, ()) {
  const Resources plain = any_resources().filter([](const Resource& item) {
    return !item.kind->is_reserved() && !item.kind->disk && !item.kind->revocable;
  });
  RC_ASSERT(Resources::parse(to_text(plain)).value() == plain);
}

}  // namespace
}  // namespace tepui
