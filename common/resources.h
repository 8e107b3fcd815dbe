#pragma once
// Resources: what a machine has, an offer holds, a task uses. A value with an algebra.
//
// A Resource is an amount of one kind. The kind says everything but the amount: the name, the stack
// of reservations, the disk it is, whether it is revocable, whether it is shared. Kinds are
// immutable and shared between values, so copying and comparing a Resource is cheap: the same
// pointer is the same kind, and only different pointers are compared by content. The well-known
// unreserved kinds (cpus, mem, disk, gpus, ports) are static and never counted.
//
// The allocation role is not part of a resource: an offer, a task and an executor each have exactly
// one, and carry it beside their resources.
//
// Amounts: a scalar is an int64 in thousandths of the field's unit (`cpus` 1500 is 1.5 processors;
// `mem` and `disk` count MB of 2^20 bytes, so `mem` 512000 is 512 MB); ranges are sorted, disjoint
// and not adjacent; sets are sorted and unique. A shared resource counts its holders (`shares`),
// and its amount counts once however many they are; two sizes of a shared kind stay two items.
//
// Laws, tested as properties: + is commutative and associative with {} as its neutral element;
// a + b - b == a where a and b have no range or set item in common (+ is their union);
// a.contains(b) exactly when a.minus(b) + b == a; the order of construction never shows; no
// operation leaves an empty or negative Resource behind.
//
// Follows `Resource` of Apache Mesos' v1 API. Pure. Values: copy them; not for concurrent mutation.

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/result.h"

namespace tepui {

struct Label {
  std::string key;
  std::string value;
  auto operator<=>(const Label&) const = default;
};
using Labels = std::vector<Label>;

// One entry of the reservation stack; the last entry is the innermost (most refined) one.
struct Reservation {
  enum class Type : uint8_t { kStatic = 0, kDynamic = 1 };
  Type type = Type::kStatic;
  std::string role;
  std::string principal;  // empty: none
  Labels labels;
  auto operator<=>(const Reservation&) const = default;
};

// Present on `disk` resources that are more than plain space under the agent's work directory.
struct Disk {
  enum class Source : uint8_t { kRoot = 0, kPath = 1, kMount = 2 };
  Source source = Source::kRoot;
  std::string source_root;     // for kPath and kMount
  std::string persistence_id;  // empty: not a persistent volume
  std::string principal;       // who created the volume
  std::string container_path;  // where a task sees the volume
  bool read_only = false;
  auto operator<=>(const Disk&) const = default;
};

struct ResourceKind {
  std::string name;
  std::vector<Reservation> reservations;
  std::optional<Disk> disk;
  bool revocable = false;
  bool shared = false;
  auto operator<=>(const ResourceKind&) const = default;

  bool is_reserved() const { return !reservations.empty(); }
  // The role of the innermost reservation, or "*" for an unreserved kind.
  std::string_view reservation_role() const;
};

// Shared by all Resource values of that kind (they are the owners). Never null.
using KindRef = std::shared_ptr<const ResourceKind>;

// The kind with this content: a static for the well-known unreserved ones, else a new object.
KindRef make_kind(ResourceKind kind);
KindRef plain_kind(std::string_view name);

// Both ends belong to the range.
struct Range {
  uint64_t first = 0;
  uint64_t last = 0;
  auto operator<=>(const Range&) const = default;
};
using Ranges = std::vector<Range>;     // sorted, disjoint, not adjacent
using Set = std::vector<std::string>;  // sorted, unique
using Amount = std::variant<int64_t, Ranges, Set>;

struct Resource {
  KindRef kind;
  Amount amount;
  uint32_t shares = 1;  // holders of a shared resource; 1 for all others

  std::string_view name() const { return kind->name; }
  bool is_scalar() const { return std::holds_alternative<int64_t>(amount); }
  int64_t scalar_milli() const { return is_scalar() ? std::get<int64_t>(amount) : 0; }
};
bool operator==(const Resource& a, const Resource& b);

// Scalar amounts by name, absent is zero. What shares, quotas and headroom are computed with.
class Quantities {
 public:
  struct Item {
    std::string name;
    int64_t milli = 0;
    bool operator==(const Item&) const = default;
  };

  int64_t get(std::string_view name) const;
  void add(std::string_view name, int64_t milli);
  // Clamps at zero and drops what becomes zero.
  void subtract(const Quantities& other);
  void add(const Quantities& other);
  bool contains(const Quantities& other) const;
  bool empty() const { return items_.empty(); }
  std::span<const Item> items() const& { return items_; }
  // A span of a temporary's items would outlive them: `for (x : f().items())` in particular.
  std::span<const Item> items() const&& = delete;
  bool operator==(const Quantities&) const = default;

 private:
  std::vector<Item> items_;  // sorted by name, all milli > 0
};

class Resources {
 public:
  Resources() = default;

  // Refuses negative and oversized scalars, inverted ranges, a name that is empty or has a control
  // character, white space or one of ":;()[]{},", reservations whose roles do not refine each other
  // (only the outermost may be static), revocable resources that are reserved or persistent, shared
  // resources that are not persistent volumes, a disk that is not named `disk`, a name with amounts
  // of two types, and gpus that are not whole. The error says which resource and what was expected.
  static Result<Resources> create(std::vector<Resource> items);

  // `cpus:4;mem:2GB;ports:[31000-32000, 40000-40000];zones:{a,b};cpus(role):2`. A bare number of
  // mem or disk counts MB; a unit (KB, MB, GB, TB) is allowed there, rounded down to thousandths of
  // a MB. Up to three decimals. A role makes a static reservation; `(*)` means none.
  static Result<Resources> parse(std::string_view text);

  // Plain unreserved scalars, for tests and defaults: scalars({{"cpus", 1500}, {"mem", 512000}}).
  static Resources scalars(std::initializer_list<std::pair<std::string_view, int64_t>> milli);

  bool empty() const { return items_.empty(); }
  std::span<const Resource> items() const& { return items_; }
  std::span<const Resource> items() const&& = delete;

  Resources& operator+=(const Resources& other);
  // Subtracting what is not contained is a broken assumption (CHECK); ask contains() first, or use
  // minus() for the saturating form.
  Resources& operator-=(const Resources& other);
  friend Resources operator+(Resources a, const Resources& b) { return std::move(a += b); }
  friend Resources operator-(Resources a, const Resources& b) { return std::move(a -= b); }
  // What is left of *this, per kind, never below nothing.
  Resources minus(const Resources& other) const;
  bool contains(const Resources& other) const;
  bool operator==(const Resources& other) const;

  // The part for which `keep` answers true.
  Resources filter(const std::function<bool(const Resource&)>& keep) const;
  Resources scalars_only() const;
  Resources unreserved() const;
  Resources revocable() const;
  Resources non_revocable() const;
  // Unreserved, or reserved to `role` or to an ancestor of it.
  Resources allocatable_to(std::string_view role) const;

  // Sum of all scalars of that name, whatever their kind.
  int64_t total_milli(std::string_view name) const;
  Quantities quantities() const;
  // Sorted, unique.
  std::vector<std::string> names() const;

 private:
  static Resources merge(std::vector<Resource> items);
  void insert_missing(const Resources& other, size_t missing);
  template <class Keep>
  Resources pick(const Keep& keep) const;

  // Sorted by kind content, then type of amount, then (shared ones) size; no two equal in these.
  std::vector<Resource> items_;
};

// The syntax that names of resources and attributes and members of sets share; see create(). `what`
// names it in the error.
Result<void> validate_resource_name(std::string_view name, std::string_view what);

// `cpus:1.5; mem:512; ports:[31000-32000]`; reservations as `cpus(role):4`, a revocable amount as
// `cpus:1 revocable`. parse(to_text(x)) == x for plain resources.
std::string to_text(const Resources& resources);
std::string milli_to_text(int64_t milli);  // 1500 -> "1.5", 2000 -> "2"

// The limits a task may set beside its requests. kUnlimited: no maximum at all.
inline constexpr int64_t kUnlimited = INT64_MAX;
struct ResourceLimits {
  std::optional<int64_t> cpus_milli;
  std::optional<int64_t> mem_milli;
  bool operator==(const ResourceLimits&) const = default;
};

// Attributes of an agent, for constraints and for people.
struct Attribute {
  std::string name;
  std::variant<int64_t, Ranges, Set, std::string> value;  // scalar in thousandths, or text
  bool operator==(const Attribute&) const = default;
};
// `rack:r12;cores:64;zones:{a,b}`: what reads as a number is a scalar, [..] ranges, {..} a set, all
// else text.
Result<std::vector<Attribute>> parse_attributes(std::string_view text);
std::string to_text(const std::vector<Attribute>& attributes);

}  // namespace tepui
